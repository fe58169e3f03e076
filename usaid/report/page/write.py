"""From results folders to the page."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usaid.errors import UsaidError
from usaid.report.page.cite import BIBTEX, Rerun, reruns_of
from usaid.report.page.claims import Claim, claims_of, folds_of
from usaid.report.page.comparison import address_of, addresses_of, comparison_of
from usaid.report.page.embedding import as_script, template_of, text_of
from usaid.report.page.experiments import Experiment, experiments_of
from usaid.report.page.protocol import Deviation, deviations_of
from usaid.report.page.provenance import numbers_of
from usaid.report.page.reading import Missing
from usaid.report.page.tables import Table
from usaid.report.page.verdict import Verdict, verdict_of
from usaid.report.page.viewer.section import viewer_script, viewer_style
from usaid.report.page.viewing import PLACE, images_section
from usaid.report.page.words import Words, words_of
from usaid.report.text_files import write_texts

SECTIONS = (
    ("verdict", "Verdict"),
    ("claims", "Sentences"),
    ("tables", "Tables"),
    ("comparison", "Numbers"),
    ("figures", "Figures"),
    ("images", "Images"),
    ("protocol", "Protocol"),
    ("cite", "Cite"),
)
"""Of the page, from the top: id and what the navigation calls it."""

SCRIPTS = ("theme", "experiments", "tables", "lists", "notes", "number", "copy")
"""The page's own scripts, each a module of its own (``scripts/<name>.js``)."""

LARGEST = 4_900_000
"""Bytes of a page with images; their share is what the rest leaves."""

_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What HTML does not allow; it may come with a title."""


@dataclass(frozen=True)
class Shown:
    """An experiment as the templates see it: what it is, and all that is made of it."""

    experiment: Experiment
    verdict: Verdict
    claims: Sequence[tuple[str, Sequence[Claim]]] | Missing
    deviations: Sequence[Deviation]
    reruns: Sequence[Rerun]
    numbers: str
    miss: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.experiment, name)


def write_report(folders: Sequence[Path], output: Path) -> None:
    """Write one HTML file about some experiments, which needs no other file and no network.

    What is not there is said in its place, and so is why something failed.

    Args:
        folders: results folders, ``results/<experiment>``; the first is the main one.
        output: the page; its links to files of the folders are relative.

    Raises:
        UsaidError: no folder, one twice or one that holds no results, a file that is not what it should be, or the
            page cannot be written.
    """
    if Path(output).suffix.lower() not in (".html", ".htm"):
        raise UsaidError(f"{output}: the report is HTML; name a file that ends in .html")
    experiments = experiments_of([Path(folder) for folder in folders], Path(output))
    page = _as_html(render_page(experiments))
    images = _as_html(images_section(experiments, LARGEST - len(page.encode())))
    write_texts({Path(output): page.replace(PLACE, images, 1)})


def render_page(experiments: Sequence[Experiment]) -> str:
    """The page as HTML, with :data:`usaid.report.page.viewing.PLACE` where its images are to stand.

    Args:
        experiments: the first is the main one.
    """
    words = words_of(table for one in experiments for _, table in one.tables if isinstance(table, Table))
    scripts = [*(text_of(f"scripts/{name}.js") for name in SCRIPTS), viewer_script()]
    content: Mapping[str, Any] = {
        "policy": _policy(scripts),
        "css": text_of("page.css") + viewer_style(),
        "scripts": scripts,
        "sections": SECTIONS,
        "experiments": [_shown(one, words) for one in experiments],
        "several": len(experiments) > 1,
        "comparison": comparison_of(experiments, words),
        "images": PLACE,
        "bibtex": BIBTEX,
    }
    return template_of("page.html.j2").render(content)


def _shown(experiment: Experiment, words: Words) -> Shown:
    verdict = verdict_of(experiment, words)
    claims = claims_of(experiment)
    return Shown(
        experiment,
        verdict,
        claims if isinstance(claims, Missing) else folds_of(claims),
        deviations_of(experiment),
        reruns_of(experiment),
        as_script(numbers_of(experiment)),
        address_of(experiment, verdict.miss, addresses_of(experiment)) if verdict.miss else "",
    )


def _policy(scripts: Sequence[str]) -> str:
    """What the page may load: nothing but what is in it, and of scripts these only."""
    hashes = (hashlib.sha256(_as_html(script).encode()).digest() for script in scripts)
    sources = " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in hashes)
    allowed = f"img-src data: blob:; style-src 'unsafe-inline'; script-src {sources}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _as_html(text: str) -> str:
    return _NO_TEXT.sub("\ufffd", text)
