"""From score files to table files, and the page that lists the tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from usaid.denoisers import FACTS, facts_of
from usaid.denoisers.base import Facts
from usaid.errors import UsaidError
from usaid.files import written_atomically
from usaid.scores.files import Scores, read_provenance, read_scores
from usaid.report.tables.build import build_facts_table, build_table
from usaid.report.tables.cells import Table
from usaid.paper.layouts import FACTS_TABLE, NOT_BUILT, ROMAN, SCORE_TABLES


def make_table(number: int, score_files: Iterable[str | Path], own_methods: Mapping[str, str] | None = None) -> Table:
    """Make one of the paper's tables.

    Args:
        number: the paper's number.
        score_files: one for each denoiser and benchmark of the table; none for Table III.
        own_methods: name -> ``module:Class`` of denoisers of a user's own, for Table III.

    Raises:
        UsaidError: a table that is not built yet, a score file of another benchmark, or two of one denoiser.
    """
    if number in NOT_BUILT:
        raise UsaidError(NOT_BUILT[number])
    if number == FACTS_TABLE:
        return build_facts_table(FACTS | _facts_of_own(own_methods or {}))
    if number not in SCORE_TABLES:
        raise UsaidError(f"table {number}: the paper has tables 1 to 10")
    scores: dict[str, dict[str, Scores]] = {benchmark: {} for benchmark in SCORE_TABLES[number].benchmarks}
    for path in score_files:
        read = read_scores(path)
        benchmark, denoiser = read.provenance["benchmark"], read.provenance["denoiser"]
        if benchmark not in scores:
            wanted = " and ".join(scores)
            raise UsaidError(f"{path}: scores of {benchmark}; Table {ROMAN[number]} is made from {wanted}")
        if denoiser in scores[benchmark]:
            raise UsaidError(f"{path}: a second score file of {denoiser}; give one for each denoiser")
        scores[benchmark][denoiser] = read
    return build_table(number, *scores.values())


def write_table(
    number: int,
    score_files: Iterable[str | Path],
    folder: str | Path,
    own_methods: Mapping[str, str] | None = None,
) -> None:
    """Write ``table_<number>.csv``, ``.tex`` and ``.md`` to a folder; the arguments are those of :func:`make_table`.

    Raises:
        UsaidError: as :func:`make_table`.
    """
    table, stem = make_table(number, score_files, own_methods), Path(folder) / f"table_{number}"
    table.to_csv(stem.with_suffix(".csv"))
    table.to_tex(stem.with_suffix(".tex"))
    table.to_markdown(stem.with_suffix(".md"))


PAGES = {"classes": "Scores of each class", "seeds": "Means and differences over training seeds"}
"""What may lie beside the tables."""


def write_index(path: str | Path, tables: Sequence[str | Path], experiment: str, pages: Sequence[str] = ()) -> None:
    """Write a Markdown page with an experiment's tables one below the other, and those that are not built yet.

    Args:
        path: the page.
        tables: their files, beside the page.
        experiment: its name.
        pages: those of :data:`PAGES` that lie beside the page.
    """
    sections = [f"# Tables of experiment `{experiment}`"]
    for table in sorted((Path(table).with_suffix(".md") for table in tables), key=_number):
        sections.append(f"{table.read_text().strip()}\n\n[CSV]({table.stem}.csv) · [LaTeX]({table.stem}.tex)")
    if pages:
        links = [f"- [{PAGES[name]}]({name}.md) · [CSV]({name}.csv)" for name in (Path(page).stem for page in pages)]
        sections.append("## Further\n\n" + "\n".join(links))
    sections.append("## Not built yet\n\n" + "\n".join(f"- {text}" for text in NOT_BUILT.values()))
    with written_atomically(path) as temporary:
        temporary.write_text("\n\n".join(sections) + "\n")


def write_provenance(path: str | Path, score_files: Iterable[str | Path]) -> None:
    """Write the provenance of score files as one JSON file: ``<benchmark>/<denoiser>`` -> provenance."""
    found = [read_provenance(score_file) for score_file in score_files]
    collected = {f"{one['benchmark']}/{one['denoiser']}": one for one in found}
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(collected, indent=1, sort_keys=True) + "\n")


def _facts_of_own(methods: Mapping[str, str]) -> dict[str, Facts]:
    """Facts of a user's own classes; one that cannot be imported has no row (other tables give the reason)."""
    found = {}
    for name, method in methods.items():
        try:
            found[name] = facts_of(method)
        except UsaidError as error:
            print(f"Table III has no row for {name}: {error}")
    return found


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("table_"))
