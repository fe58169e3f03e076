"""What pages link to and name is there."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from doc_pages import ROOT, anchors_of, links_of, pages, prose_of

ROOMS = ("benchmarks", "config", "docs", "envs", "evaluators", "examples", "profiles", "results/reference", "tests")
ROOMS += ("usaid", "usaid_cli", "workflow")
"""Folders whose files pages name."""

INVENTED = re.compile("tiny|dots|brightness")
"""In the paths that CONTRIBUTING.md makes up."""

PATH = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w./*-]*)`")


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_lead_somewhere(page):
    lost = []
    for link in links_of(page):
        address, _, anchor = link.partition("#")
        if re.match("[a-z]+:", link):
            continue
        target = (ROOT / page).parent.joinpath(unquote(address)).resolve() if address else ROOT / page
        if not target.exists() or not target.is_relative_to(ROOT):
            lost.append(link)
        elif anchor and target.suffix == ".md" and not re.match(r"(usaid|evaluators)\.", anchor):  # the site's own
            lost += [link] * (anchor not in anchors_of(target.relative_to(ROOT)))
    assert lost == []


@pytest.mark.parametrize("page", pages(), ids=str)
def test_files_that_are_named_are_there(page):
    named = {path for path in PATH.findall(prose_of(page)) if not INVENTED.search(path)}
    if page.name == "CHANGELOG.md":  # tells of files that were
        return
    assert sorted(path for path in named if not any(ROOT.glob(path.rstrip("/")))) == []


def test_anchors_are_made_as_forges_make_them(tmp_path, monkeypatch):
    monkeypatch.setattr("doc_pages.ROOT", tmp_path)
    (tmp_path / "page.md").write_text(
        "# A *page*, `usaid` & [more](x.md)\n\n## Twice\n\n## Twice\n\n```sh\n# no heading\n```\n"
    )
    assert anchors_of(Path("page.md")) == {"a-page-usaid--more", "twice", "twice_1"}
