"""How sure the tables of a benchmark are: ``statistics/<benchmark>.csv`` and ``.md``, from score files."""

from collections.abc import Iterable
from pathlib import Path

from usaid.errors import UsaidError
from usaid.registries import BENCHMARKS
from usaid.report.html_pages import html_page
from usaid.report.statistics.render_csv import render_statistics_csv
from usaid.report.statistics.render_markdown import render_statistics_markdown
from usaid.report.statistics.sections import ScoreFiles, sections_of, why_no_groups
from usaid.report.tables.titles import one_line
from usaid.report.text_files import write_texts
from usaid.scores.draws import is_of_further_draws, score_file_name
from usaid.scores.files import Scores, read_scores

Paths = Iterable[str | Path]


def write_statistics(benchmark: str, score_files: Paths, folder: str | Path, ablation_files: Paths = ()) -> None:
    """Write ``<benchmark>.csv`` and ``<benchmark>.md`` to a folder.

    The CSV file has one score or difference a line, with the columns benchmark, table, group, metric, unit, convention,
    kind (``score`` or ``difference``), denoiser, other, over, test, units, value, low, high, p, p_corrected, family,
    family_size, verdict (``differ``, ``no difference found`` or ``not testable``), reason. The page says what follows
    from it, in words and tables.

    Args:
        benchmark: whose scores and differences are written.
        score_files: its denoisers', those of their further noise draws, and those of other benchmarks that share a
            table with it: their comparisons are of the same families.
        folder: for the two files.
        ablation_files: those of Table II's columns, whether or not they are among the ``score_files``.

    Raises:
        UsaidError: no score file of the benchmark, two of one denoiser, or scores that belong in no table together.
    """
    files = read_files(score_files, ablation_files)
    if benchmark not in files.main:
        raise UsaidError(f"statistics of {benchmark}: no score file of it; give one for each denoiser")
    _write_page(benchmark, files, folder)


def write_all_statistics(score_files: Paths, folder: str | Path, ablation_files: Paths = ()) -> list[str]:
    """As :func:`write_statistics`, of every benchmark that there are score files of; their names.

    A benchmark that is refused costs its own page: the others are written first.
    """
    files = read_files(score_files, ablation_files)
    refused: list[str] = []
    for benchmark in files.main:
        try:
            _write_page(benchmark, files, folder)
        except UsaidError as error:
            refused.append(str(error))
    if refused:
        raise UsaidError("; ".join(refused))
    return [*files.main]


def _write_page(benchmark: str, files: ScoreFiles, folder: str | Path) -> None:
    (sections, left_out), scores = sections_of(benchmark, files), files.main[benchmark]
    problem = why_no_groups(scores.items())
    left_out += [] if problem is None else [f"Training seeds are not told apart: {problem}"]
    if not sections:
        failures = {name: own.provenance["failure"] for name, own in scores.items()}
        left_out += [f"{name}: not scored: {one_line(text)}" for name, text in failures.items() if text]
    texts = {
        ".csv": render_statistics_csv(sections),
        ".md": (page := render_statistics_markdown(benchmark, sections, left_out)),
        ".html": html_page(page, f"Statistics of {benchmark}"),
    }
    write_texts({Path(folder, f"{benchmark}{suffix}"): text for suffix, text in texts.items()})


def read_files(score_files: Paths, ablation_files: Paths = ()) -> ScoreFiles:
    """Read the score files that pages are made from.

    Raises:
        UsaidError: a file cannot be read, is of a benchmark that is not known, or the second of a denoiser; further
            draws of a denoiser whose main score file is not there.
    """
    main: dict[str, dict[str, Scores]] = {}
    draws: dict[str, dict[str, Scores]] = {}
    for path in score_files:
        scores = read_scores(path)
        _add(scores, draws if is_of_further_draws(scores.provenance) else main, path)
    ablation: dict[str, dict[str, Scores]] = {}
    for path in ablation_files:
        _add(read_scores(path), ablation, path)
    for further in (scores for by_denoiser in draws.values() for scores in by_denoiser.values()):
        provenance = further.provenance
        if provenance["denoiser"] not in main.get(provenance["benchmark"], {}):
            without = f"further draws, without those of {score_file_name(provenance | {'draws': None})}"
            raise UsaidError(f"{score_file_name(provenance)}: {without}; give both files")
    return ScoreFiles(main, draws, ablation)


def _add(scores: Scores, to: dict[str, dict[str, Scores]], path: str | Path) -> None:
    benchmark, denoiser = scores.provenance["benchmark"], scores.provenance["denoiser"]
    if benchmark not in BENCHMARKS:
        raise UsaidError(f"{path}: scores of {benchmark}; give those of {', '.join(BENCHMARKS)}")
    if denoiser in to.setdefault(benchmark, {}):
        raise UsaidError(f"{path}: a second score file of {denoiser} on {benchmark}; give one")
    to[benchmark][denoiser] = scores
