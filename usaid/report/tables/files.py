"""From score files to table files, and the page that lists the tables."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.paper.layouts import TableSpec
from usaid.report.html_pages import html_page
from usaid.report.tables.build import build_table
from usaid.report.tables.categories import build_facts_table, facts_of_rows
from usaid.report.tables.cells import Table
from usaid.report.tables.footnotes import DEVIATION
from usaid.report.tables.printed_p_values import build_print_table
from usaid.report.tables.render_csv import render_csv
from usaid.report.tables.render_json import render_json
from usaid.report.tables.render_markdown import escaped, render_markdown
from usaid.report.tables.render_tex import render_tex
from usaid.report.tables.specs import spec_of
from usaid.report.tables.verdict_list import judged, render_counts, render_list
from usaid.report.text_files import write_texts
from usaid.scores.draws import is_of_further_draws, score_file_name, with_further_draws
from usaid.scores.files import Scores, read_provenance, read_scores

_RENDERERS = {".csv": render_csv, ".tex": render_tex, ".md": render_markdown, ".json": render_json}

CLASSES = "Scores of each class"
CLAIMS = "Which of the paper's sentences hold"
"""The title of the page that may lie beside the tables."""


def make_table(
    table: int | str,
    score_files: Iterable[str | Path],
    own_methods: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
    losses: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
) -> Table:
    """Make one of the paper's tables, or that of a benchmark which the paper does not have.

    Args:
        table: as :func:`usaid.report.tables.specs.spec_of` takes it.
        score_files: one for each denoiser and benchmark of the table, for Table X also those of further noise draws, in
            any order; none for Table III and for what is made from print.
        own_methods: for Table III, the denoisers whose method the paper does not have: name -> method, ``module:Name``
            of a user's own or the name of an installed package's.
        titles: for Table III, the titles that their entries give them.
        losses: for Table III, by which the suite trained them, where it did.
        left_out: columns of the paper's without scores that are not shown.

    Raises:
        UsaidError: there is no such table, a score file of another benchmark or of draws that the table does not show,
            two of one denoiser, or further draws without the main score file.
    """
    spec = spec_of(table)
    if spec.of_print:
        return build_print_table(spec)
    if not spec.benchmarks:
        return build_facts_table(facts_of_rows(own_methods or {}, titles, losses), own_methods, left_out)
    return build_table(table, *_scores_of(spec, score_files).values(), left_out=left_out)


def _scores_of(spec: TableSpec, score_files: Iterable[str | Path]) -> dict[str, dict[str, Scores]]:
    """Benchmark -> denoiser -> its scores, with those of its further noise draws."""
    scores: dict[str, dict[str, Scores]] = {benchmark: {} for benchmark in spec.benchmarks}
    further: dict[str, dict[str, Scores]] = {benchmark: {} for benchmark in spec.benchmarks}
    for path in score_files:
        of_file = read_scores(path)
        benchmark, denoiser = of_file.provenance["benchmark"], of_file.provenance["denoiser"]
        if benchmark not in scores:
            raise UsaidError(f"{path}: scores of {benchmark}; {spec.title} is made from {' and '.join(scores)}")
        if is_of_further_draws(of_file.provenance) and not spec.over_draws:
            raise UsaidError(f"{path}: scores of further noise draws; {spec.title} is made from main score files only")
        of_kind = further if is_of_further_draws(of_file.provenance) else scores
        if denoiser in of_kind[benchmark]:
            raise UsaidError(f"{path}: a second score file of {denoiser}; give one for each denoiser")
        of_kind[benchmark][denoiser] = of_file
    return {benchmark: own | _joined(own, further[benchmark]) for benchmark, own in scores.items()}


def _joined(scores: Mapping[str, Scores], further: Mapping[str, Scores]) -> dict[str, Scores]:
    """The denoisers that have further noise draws, with all their draws."""
    for denoiser, draws in further.items():
        if denoiser not in scores:
            file, main = score_file_name(draws.provenance), f"{draws.provenance['benchmark']}/{denoiser}.parquet"
            raise UsaidError(f"{file}: further noise draws without the main score file; give {main}, too")
    return {denoiser: with_further_draws(scores[denoiser], draws) for denoiser, draws in further.items()}


def write_table(
    table: int | str,
    score_files: Iterable[str | Path],
    folder: str | Path,
    own_methods: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
    losses: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
) -> None:
    r"""Write ``table_<its name>.csv``, ``.tex``, ``.md``, ``.html`` and ``.json``; arguments as of :func:`make_table`.

    The CSV file has one cell a line (:data:`usaid.report.tables.render_csv.COLUMNS`). The LaTeX file is to be read with
    ``\input``; its first lines name the packages that it needs. The Markdown is GitHub's, the HTML the same. The
    JSON file is for pages that are made from tables (:mod:`usaid.report.tables.render_json`).

    Raises:
        UsaidError: as :func:`make_table`.
    """
    made = make_table(table, score_files, own_methods, titles, losses, left_out)
    stem = f"table_{made.spec.name}"
    texts = {suffix: render(made) for suffix, render in _RENDERERS.items()}
    texts[".html"] = html_page(texts[".md"], made.spec.title)
    write_texts({Path(folder, f"{stem}{suffix}"): text for suffix, text in texts.items()})


def write_index(path: str | Path, tables: Sequence[str | Path], experiment: str, pages: Sequence[str] = ()) -> None:
    """Write a Markdown page with an experiment's tables one below the other, below how many printed numbers hold.

    Of a table or page that failed (:mod:`usaid.failures`) it says why. Deviations from the paper that several tables
    have are listed once, below the tables.

    Args:
        path: the page.
        tables: their files, beside the page.
        experiment: its name.
        pages: the scores of classes, beside the page, statistics of benchmarks, in a folder beside its own, and the
            verdicts on the paper's sentences, beside that folder.

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
    sections = _with_shared_deviations_below(sections)
    if pages:
        sections.append("## Further\n\n" + "\n".join(_link(Path(page), Path(path).parent) for page in pages))
    write_texts({Path(path): "\n\n".join(sections) + "\n"})


def _with_shared_deviations_below(sections: Sequence[str]) -> list[str]:
    """The sections of a page with numbers for the deviations that several of them have, and the list of these."""
    lines = [[line.strip() for line in text.splitlines()] for text in sections]
    counts = Counter(line for own in lines for line in dict.fromkeys(own) if line.startswith(DEVIATION))
    numbers = {line: n for n, line in enumerate((line for line, count in counts.items() if count > 1), 1)}
    if not numbers:
        return [*sections]
    listed = "\n".join(f"{number}. {line.removeprefix(DEVIATION)}" for line, number in numbers.items())
    return [*(_numbered(text, numbers) for text in sections), f"## Deviations of several tables\n\n{listed}"]


def _numbered(text: str, numbers: Mapping[str, int]) -> str:
    """A section with one line in place of those that have numbers."""
    own = [line for line in text.splitlines() if line.strip() in numbers]
    listed = ", ".join(str(numbers[line.strip()]) for line in own)
    together = f"Deviations from the paper, numbers of the list below the tables: {listed}.  "
    kept = [line for line in text.splitlines() if line not in own[1:]]
    return "\n".join(together if line in own[:1] else line for line in kept)


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


def _link(page: Path, folder: Path) -> str:
    """A line about a page beside the tables, which lie in a folder, one of statistics, or that of the claims."""
    path = Path(os.path.relpath(page, folder)).with_suffix("").as_posix()
    title = {"../claims": CLAIMS, "classes": CLASSES}.get(path, f"Statistics of {escaped(page.stem)}")
    if failure := failure_in(page):
        return f"- **{title} failed:** {failure.reason}"
    return f"- [{title}]({path}.md) · [CSV]({path}.csv)"


def _order(path: Path) -> tuple[bool, int, str]:
    """The paper's tables by number, each before what is made from its print; then others by name."""
    name = path.stem.removeprefix("table_")
    number = spec_of(name).number
    return (number is None, number or 0, name)
