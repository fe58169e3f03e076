"""From score files to table files, and the page that lists the tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.report.tables.build import build_table, spec_of
from usaid.report.tables.categories import build_facts_table, facts_of_rows
from usaid.report.tables.cells import Table
from usaid.report.tables.render_csv import render_csv
from usaid.report.tables.render_markdown import escaped, render_markdown
from usaid.report.tables.render_tex import render_tex
from usaid.report.tables.verdict_list import judged, render_counts, render_list
from usaid.report.text_files import write_texts
from usaid.scores.draws import score_file_name
from usaid.scores.files import Scores, read_provenance, read_scores

_RENDERERS = {".csv": render_csv, ".tex": render_tex, ".md": render_markdown}

CLASSES = "Scores of each class"
"""The title of the page that may lie beside the tables."""


def make_table(
    table: int | str, score_files: Iterable[str | Path], own_methods: Mapping[str, str] | None = None
) -> Table:
    """Make one of the paper's tables, or that of a benchmark which the paper does not have.

    Args:
        table: as :func:`usaid.report.tables.build.spec_of` takes it.
        score_files: one for each denoiser and benchmark of the table; none for Table III.
        own_methods: for Table III, the denoisers whose method the paper does not have: name -> method, ``module:Class``
            of a user's own or the name of an installed package's.

    Raises:
        UsaidError: there is no such table, a score file of another benchmark, or two of one denoiser.
    """
    spec = spec_of(table)
    if not spec.benchmarks:
        return build_facts_table(facts_of_rows(own_methods or {}))
    scores: dict[str, dict[str, Scores]] = {benchmark: {} for benchmark in spec.benchmarks}
    for path in score_files:
        of_file = read_scores(path)
        benchmark, denoiser = of_file.provenance["benchmark"], of_file.provenance["denoiser"]
        if benchmark not in scores:
            raise UsaidError(f"{path}: scores of {benchmark}; {spec.title} is made from {' and '.join(scores)}")
        if denoiser in scores[benchmark]:
            raise UsaidError(f"{path}: a second score file of {denoiser}; give one for each denoiser")
        scores[benchmark][denoiser] = of_file
    return build_table(table, *scores.values())


def write_table(
    table: int | str,
    score_files: Iterable[str | Path],
    folder: str | Path,
    own_methods: Mapping[str, str] | None = None,
) -> None:
    r"""Write ``table_<its name>.csv``, ``.tex`` and ``.md`` to a folder; the arguments are those of :func:`make_table`.

    The CSV file has one cell a line (:data:`usaid.report.tables.render_csv.COLUMNS`). The LaTeX file is to be read with
    ``\input``; its first lines name the packages that it needs. The Markdown is GitHub's.

    Raises:
        UsaidError: as :func:`make_table`.
    """
    made = make_table(table, score_files, own_methods)
    stem = f"table_{made.spec.name}"
    write_texts({Path(folder, f"{stem}{suffix}"): render(made) for suffix, render in _RENDERERS.items()})


def write_index(path: str | Path, tables: Sequence[str | Path], experiment: str, pages: Sequence[str] = ()) -> None:
    """Write a Markdown page with an experiment's tables one below the other, below how many printed numbers hold.

    Of a table or page that failed (:mod:`usaid.failures`) it says why.

    Args:
        path: the page.
        tables: their files, beside the page.
        experiment: its name.
        pages: the scores of classes, beside the page, and statistics of benchmarks, in a folder beside its own.

    Raises:
        UsaidError: as :func:`usaid.report.tables.verdict_list.judged`.
    """
    sections = [f"# Tables of experiment `{experiment}`", render_counts(judged(tables))]
    for table in sorted((Path(table).with_suffix(".md") for table in tables), key=_order):
        if failure := failure_in(table):
            name = table.stem.removeprefix("table_")
            sections.append(f"**{spec_of(name).title} failed:** {failure.reason}")
            continue
        text = table.read_text(encoding="utf-8").strip()
        sections.append(f"{text}\n\n[CSV]({table.stem}.csv) · [LaTeX]({table.stem}.tex)")
    if pages:
        sections.append("## Further\n\n" + "\n".join(_link(Path(page)) for page in pages))
    write_texts({Path(path): "\n\n".join(sections) + "\n"})


def write_verdicts(path: str | Path, tables: Iterable[str | Path]) -> None:
    """Write the list of all printed numbers with their verdicts as CSV.

    Its columns are those of :class:`usaid.report.tables.verdict_list.Judged`.

    Args:
        path: the list; the page of the tables links it as :data:`usaid.report.tables.verdict_list.LIST`.
        tables: their files. Numbers of tables that the experiment cannot make, or that failed, are not tested.

    Raises:
        UsaidError: as :func:`usaid.report.tables.verdict_list.judged`.
    """
    write_texts({Path(path): render_list(judged(tables))})


def write_provenance(path: str | Path, score_files: Iterable[str | Path]) -> None:
    """Write the provenance of score files as one JSON file: ``<benchmark>/<denoiser>`` -> provenance.

    Those of further noise draws are ``<benchmark>/draws/<denoiser>``. Files that cannot be read are left out; the
    tables that need them say so.
    """
    provenances = []
    for score_file in score_files:
        with suppress(UsaidError):
            provenances.append(read_provenance(score_file))
    collected = {score_file_name(own).removesuffix(".parquet"): own for own in provenances}
    write_texts({Path(path): json.dumps(collected, indent=1, sort_keys=True) + "\n"})


def _link(page: Path) -> str:
    """A line about a page beside the tables, or one of statistics."""
    is_statistics = page.parent.name == "statistics"
    title = f"Statistics of {escaped(page.stem)}" if is_statistics else CLASSES
    if failure := failure_in(page):
        return f"- **{title} failed:** {failure.reason}"
    path = f"../statistics/{page.stem}" if is_statistics else page.stem
    return f"- [{title}]({path}.md) · [CSV]({path}.csv)"


def _order(path: Path) -> tuple[bool, int, str]:
    """The paper's tables by number, then others by name."""
    name = path.stem.removeprefix("table_")
    return (True, 0, name) if not name.isdecimal() else (False, int(name), name)
