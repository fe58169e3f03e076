"""CONTRIBUTING.md shows the files that the tests register, and names what there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "examples/additions").iterdir()), ids=lambda path: path.name)
def test_examples_are_shown_as_they_are(path):
    assert f"\n{path.read_text(encoding='utf-8').rstrip()}\n```\n" in TEXT


def test_the_registry_is_shown_as_it_is():
    (shown,) = re.findall(r"```diff\n( METHODS = .*?)```", TEXT, flags=re.DOTALL)
    there = (ROOT / "usaid/registries.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in shown.splitlines() if line.startswith(" ") and line[1:] not in there] == []


def test_what_it_names_is_there():
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (ROOT / link).exists(), link
