"""From score files to ``claims.csv``, ``claims.md`` and ``claims.tex``."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from usaid.errors import UsaidError
from usaid.paper.claims import all_claims
from usaid.report.claims.evidence import Evidence
from usaid.report.claims.networks import is_on_another, on_networks, on_the_papers, other_networks
from usaid.report.claims.render_csv import render_claims_csv
from usaid.report.claims.render_markdown import render_claims_markdown
from usaid.report.claims.render_tex import render_claims_tex
from usaid.report.claims.verdicts import JudgedClaim, judge
from usaid.report.html_pages import html_page
from usaid.report.statistics.pages import read_files
from usaid.report.statistics.sections import ScoreFiles
from usaid.report.text_files import write_texts

Paths = Iterable[str | Path]


def write_claims(score_files: Paths, folder: str | Path, ablation_files: Paths = ()) -> None:
    """Write ``claims.csv``, ``claims.md``, the same as ``claims.html``, and ``claims.tex`` to a folder.

    Args:
        score_files: all of an experiment, those of further noise draws among them; none: only facts are judged.
        folder: for the files.
        ablation_files: those of Table II's columns, whether or not they are among the ``score_files``.

    Raises:
        UsaidError: as :func:`usaid.report.statistics.pages.read_files`, or the files are of several experiments.
    """
    files = read_files(score_files, ablation_files)
    experiment, claims = _experiment(files), judge_claims(files)
    family = family_of(experiment)
    texts = {
        "claims.csv": render_claims_csv(claims, family),
        "claims.md": (page := render_claims_markdown(claims, experiment, family)),
        "claims.html": html_page(page, "Claims"),
        "claims.tex": render_claims_tex(claims, experiment),
    }
    write_texts({Path(folder, name): text for name, text in texts.items()})


def judge_claims(files: ScoreFiles) -> list[JudgedClaim]:
    """The verdict on each of the paper's sentences; not tested where scores do not belong in one table."""
    networks = other_networks(files)
    claims = [on_networks(claim, networks) for claim in all_claims()]
    papers = {claim.id: on_the_papers(claim, networks) for claim in all_claims() if is_on_another(claim)}
    evidence = Evidence(files, [*claims, *papers.values()])
    judged = judge(claims, evidence.finding, evidence.units_needed)
    beside = {name: tuple(map(evidence.finding, claim.parts)) for name, claim in papers.items()}
    return [replace(own, beside=beside.get(own.claim.id, ())) for own in judged]


def family_of(experiment: str) -> str:
    """What the family of the corrected p-values is called."""
    return f"claims of {experiment}" if experiment else "claims"


def _experiment(files: ScoreFiles) -> str:
    """The experiment's name; empty: there are no score files.

    Raises:
        UsaidError: the score files are of several.
    """
    all_scores = (own for by in (files.main, files.draws, files.ablation) for of in by.values() for own in of.values())
    names = sorted({str(scores.provenance["experiment"]) for scores in all_scores})
    if len(names) > 1:
        raise UsaidError(f"score files of the experiments {' and '.join(names)}; give those of one")
    return names[0] if names else ""
