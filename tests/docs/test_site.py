"""The site is built without a warning, shows what lies outside of docs/, and asks nothing of the network."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from doc_pages import ROOT

pytest.importorskip("material", reason="needs mkdocs-material, pip install 'usaid[docs]'")

from docs.hooks.docstring_roles import as_links
from docs.hooks.repository_files import links_in, with_links

LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built once."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


class _Loaded(HTMLParser):
    """What a page loads by itself."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("rel") not in ("canonical", "next", "prev"):
            self.addresses += [address for address in [given.get(LOADED.get(tag, ""))] if address]


def test_links_are_changed_in_text_and_pictures_but_not_in_code_nor_to_elsewhere():
    text = "[a `b](no)` c](x.md#y) ![p](p.png) [e](https://e.org) [f](#f)\n```sh\n[g](g.md)\n```\n"
    assert links_in(text) == ["x.md#y", "p.png"]
    assert with_links(text, str.upper) == text.replace("x.md#y", "X.MD#Y").replace("p.png", "P.PNG")


def test_bars_in_code_of_tables_lose_what_forges_need():
    assert with_links(r"| `a\|b` | c\|d |", str) == "| `a|b` | c\\|d |\n"
    assert with_links(r"`a\|b`", str) == "`a\\|b`\n"


def test_roles_of_docstrings_are_links_where_there_is_a_target():
    assert as_links("as :func:`usaid.noise.f` and `x`") == (
        'as <autoref optional identifier="usaid.noise.f">usaid.noise.f</autoref> and `x`'
    )


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere_and_what_they_load_is_there(site):
    for page in site.rglob("*.html"):
        for address in _Loaded(page).addresses:
            assert not re.match("([a-z]+:)?//", address), f"{page}: {address}"
            if page.name != "404.html" and not address.startswith("data:"):
                assert page.parent.joinpath(address.partition("?")[0]).is_file(), f"{page}: {address}"


@pytest.mark.slow
def test_pages_outside_of_docs_are_on_it(site):
    adding = (site / "adding.html").read_text(encoding="utf-8")
    assert 'id="a-judge"' in adding
    assert 'href="files/usaid/cards.py.html"' in adding
    assert "compare_with" in (site / "reference/keys.html").read_text(encoding="utf-8")
    assert "figure_reproduction.png" in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "results/reference/released/tables/verdicts.csv").is_file()


@pytest.mark.slow
def test_the_command_and_the_packages_are_explained(site):
    commands = (site / "reference/commands.html").read_text(encoding="utf-8")
    assert "--told-sigma" in commands
    assert 'id="usaid-data-fetch"' in commands
    assert 'id="evaluators.one_call.evaluate"' in (site / "reference/api/evaluate.html").read_text(encoding="utf-8")
