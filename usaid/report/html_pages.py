"""Our Markdown pages as HTML that stands alone: what Snakemake's own report can show in place."""

import html
import re
from collections.abc import Callable, Sequence

_MARKUP = re.compile(r"</?(?:sup|u)>|<br>")
"""The HTML in our Markdown; any other is text."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(title)s</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; }
th, td { border-bottom: 1px solid #8886; padding: .3em .7em; vertical-align: top; }
thead th { border-bottom: 2px solid; }
td:first-child { white-space: nowrap; }
</style>
</head>
<body>
%(body)s</body>
</html>
"""


def html_page(markdown: str, title: str) -> str:
    """A page of Markdown as one HTML file, without scripts, links or anything to load.

    Links lead to files beside the Markdown, which are not beside this page where it is shown: their text stays.

    Args:
        markdown: GitHub's, with ``<sup>``, ``<u>`` and ``<br>``; any other HTML in it is shown as text.
        title: of the window; plain text.
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table").disable(["autolink", "image"])
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return _PAGE % {"title": html.escape(title), "body": parser.render(markdown)}


def _nothing(*_: object) -> str:
    return ""


def _inline(_: object, tokens: Sequence[object], index: int, *__: object) -> str:
    """HTML of ours as it is; other HTML as text."""
    content = str(getattr(tokens[index], "content", ""))
    parts = zip(_MARKUP.split(content), [*_MARKUP.findall(content), ""], strict=True)
    return "".join(html.escape(text) + markup for text, markup in parts)


_RULES: dict[str, Callable[..., str]] = {
    "link_open": _nothing,
    "link_close": _nothing,
    "html_inline": _inline,
    "html_block": _inline,
}
