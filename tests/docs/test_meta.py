"""The files by which forges, catalogs and readers know the project."""

import re
from datetime import date

import pytest
import yaml
from doc_pages import ROOT

from usaid import __version__
from usaid.report.page.cite import BIBTEX

FORMS = sorted(path for path in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml") if path.name != "config.yml")


def read(path: str) -> dict:
    """A YAML file of the repository."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version_and_of_the_paper():
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= {*citation}
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= {*paper}
    assert "arXiv:1905.08965" in {identifier["value"] for identifier in paper["identifiers"]}
    authors = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    assert f"{{{authors}}}" in BIBTEX
    assert f"{{{paper['title']}}}" in BIBTEX


def test_changes_are_told_by_version_in_order():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", version).groups() for version in versions[1:]]
    assert released[0][0] == __version__
    days = [date.fromisoformat(day) for _, day in released]
    assert days == sorted(days, reverse=True)
    kinds = {*re.findall(r"^### (.*)$", text, flags=re.MULTILINE)}
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_something(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= {*form}
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in asked} <= {"input", "textarea", "dropdown", "checkboxes"}
    names = [part["id"] for part in asked]
    assert len(names) == len({*names}) > 0
    assert all(part["attributes"]["label"] for part in asked)
    assert any(part.get("validations", {}).get("required") for part in asked)


def test_there_is_a_form_for_numbers_denoisers_and_bugs():
    assert [path.stem for path in FORMS] == ["bug", "denoiser", "number"]


def test_the_catalog_of_workflows_is_told_how_to_use_it():
    usage = read(".snakemake-workflow-catalog.yml")["usage"]
    assert {*usage} == {"mandatory-flags", "software-stack-deployment", "report"}
    assert {*usage["mandatory-flags"]} == {"desc", "flags"}
    named = re.findall(r"config/\w+\.yaml", f"{usage['mandatory-flags']}")
    assert named
    assert all((ROOT / path).is_file() for path in named)
    assert (ROOT / "config/README.md").is_file(), "the catalog shows it"
