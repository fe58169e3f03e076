"""The page of the usaid command, made from its parsers when the site is built."""

import argparse
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from usaid_cli import build_parser

PAGE = "reference/commands.md"
WIDTH = 86


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put all commands below the page's own text."""
    return markdown + command_reference() if page.file.src_uri == PAGE else markdown


def command_reference() -> str:
    """Every command of ``usaid``: what it is for, and its help, as Markdown."""
    return "".join(f"\n## {name}\n\n```text\n{help_of(parser)}```\n" for name, parser in leaves(build_parser()))


def leaves(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The parsers that run something, each with its whole name: ``("usaid data fetch", ...)``."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser.prog, parser
    for action in below:
        for command in action.choices.values():
            yield from leaves(command)


def help_of(parser: argparse.ArgumentParser) -> str:
    """What ``--help`` prints, in a fixed width."""
    kind = parser.formatter_class
    parser.formatter_class = lambda prog: kind(prog, width=WIDTH)  # type: ignore[assignment]
    return parser.format_help()
