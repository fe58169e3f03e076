"""``usaid completion``: what a shell reads to complete commands, options and files."""

import argparse

from usaid_cli.arguments import Commands

SHELLS = ("bash", "zsh")


def add_completion(commands: Commands) -> None:
    """``completion``."""
    parser = commands.add_parser(
        "completion",
        help="a script for the shell, which completes commands and options",
        description="Prints the script. bash: usaid completion bash > usaid-completion.bash, and in ~/.bashrc: "
        "source /where/it/lies/usaid-completion.bash. zsh: usaid completion zsh > _usaid, in a folder of fpath.",
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=_completion)


def _completion(options: argparse.Namespace) -> None:
    import shtab

    from usaid_cli import build_parser

    print(shtab.complete(build_parser(), options.shell))
