"""The help names every command once, by purpose; shells are told all of them."""

import argparse
import re
import shutil
import subprocess

import pytest

from usaid_cli import build_parser, main
from usaid_cli.purposes import PURPOSES


def commands() -> set[str]:
    """The names of all commands."""
    (action,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return {*action.choices}


def test_every_command_has_a_purpose_and_stands_in_the_help_once():
    listed = [name for names in PURPOSES.values() for name in names]
    assert sorted(listed) == sorted({*listed})
    assert commands() - {*listed} == set()
    shown = re.findall(r"^  ([a-z][a-z-]*)(?:  |$)", build_parser().format_help(), flags=re.MULTILINE)
    assert shown == [name for name in listed if name in commands()]


def test_a_command_without_a_purpose_is_shown_all_the_same():
    parser = build_parser()
    (action,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    action.add_parser("surprise", help="of a package")
    assert "further:\n  surprise" in parser.format_help()


@pytest.mark.parametrize(("shell", "reads"), [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"])])
def test_completion_is_a_script_that_knows_commands_and_options(shell, reads, capsys):
    main(["completion", shell])
    script = capsys.readouterr().out
    assert all(command in script for command in commands())
    assert "--told-sigma" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert subprocess.run(reads, input=script, text=True, capture_output=True).stderr == ""


def test_bash_completes_a_command(capsys):
    main(["completion", "bash"])
    script = capsys.readouterr().out
    ask = 'COMP_WORDS=(usaid eval); COMP_CWORD=1; COMP_TYPE=9; _shtab_usaid; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True)
    assert done.stdout.split() == ["evaluate"], done.stderr
