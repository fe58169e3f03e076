"""What became of a run: what failed and why, and what there is to look at."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from evaluators.dag.dag import Dag
from evaluators.run.jobs import RunJob
from evaluators.run.look import lines_of_failures
from evaluators.run.record import How
from usaid.errors import UsaidError
from usaid.failures import Failure, Ledger, first_failure
from usaid.registries import load_object
from usaid.scores.failed_levels import reason_of_levels


def failures(dag: Dag, jobs: Iterable[RunJob]) -> dict[str, Failure]:
    """The names of the jobs that have a failure in place of a result, or died, with the root cause."""
    failed = {}
    for job in jobs:
        ledger = Ledger.at(dag.results, job.rule, job.wildcards.values())
        failure = ledger.as_failure() or first_failure(job.outputs)
        if failure is None and ledger.state == "new":
            failure = _of_score_file(job)
        if (
            failure is None
            and ledger.state in ("running", "shared", "stopped")
            and not all(map(os.path.exists, job.outputs))
        ):
            failure = Failure(job.name, "its process ended without a word")
        if failure is not None:
            failed[job.name] = failure
    return failed


def _of_score_file(job: RunJob) -> Failure | None:
    """Score files that came without ledgers."""
    if job.rule not in ("score", "score_draws") or not Path(job.outputs[0]).exists():
        return None
    read_provenance = load_object("usaid.scores.files:read_provenance")  # brings pandas: a second
    with suppress(UsaidError):
        provenance = read_provenance(job.outputs[0])
        reason = provenance["failure"] or reason_of_levels(provenance.get("failed_levels") or ()) or None
        return None if reason is None else Failure(job.name, reason)
    return None


def summary(dag: Dag, jobs: Iterable[RunJob], failed: Mapping[str, Failure]) -> str:
    """What a run ends with: the tables that there are, what failed and why, and what to do.

    Args:
        dag: of the experiment.
        jobs: those that were asked for, and what they need.
        failed: :func:`failures` of them.
    """
    jobs = list(jobs)
    lines = ["", *_made(dag, jobs, failed)]
    causes: dict[Failure, list[str]] = {}
    for name, failure in failed.items():
        causes.setdefault(failure, []).append(name)
    if causes:
        lines.append(f"Failed: {len(failed)} of {sum(bool(job.outputs) for job in jobs)} jobs")
    lines += lines_of_failures(causes)
    if causes:
        lines.append("Mend the causes and type the same command again: what failed is tried again, the rest is kept.")
        if not dag.experiment.allow_failures:
            lines.append("The exit status is 1; with --config allow_failures=true it is 0, dashes and all.")
    if how_it_ended(dag, jobs, failed) == "stopped":
        lines.append("Stopped before all was tried: to go on, type the same command again.")
    return "\n".join(lines)


OF_ALL = {"index": "Tables", "report_page": "Report"}
"""The pages that show all, and what a run's end calls them: the report last, which is to be opened first."""

SHOWN = {
    **dict.fromkeys(("table", "claims", "statistics_page", "classes"), "index"),
    "figure_2_files": "report_page",
    "figure": "report_page",
}
"""The other pages, and which of those shows them."""


def _made(dag: Dag, jobs: Iterable[RunJob], failed: Mapping[str, Failure]) -> Iterator[str]:
    """The pages that there are, of those that were asked for, but for what another one shows; and those that failed."""
    made = {job.rule for job in jobs if job.rule in OF_ALL and job.name not in failed}
    wanted = [job for job in jobs if job.rule in OF_ALL or (job.rule in SHOWN and SHOWN[job.rule] not in made)]
    wanted += [job for job in jobs if job.name in failed and SHOWN.get(job.rule) in made]
    place = {rule: number for number, rule in enumerate(OF_ALL)}
    for job in sorted(wanted, key=lambda job: (place.get(job.rule, -1), job.name)):
        page = next((path for path in job.outputs if path.endswith((".md", ".png", "index.html"))), "")
        if job.name in failed:
            yield f"  {job.name}: failed"
        elif page and Path(page).exists():
            yield f"{OF_ALL[job.rule]}: {page}" if job.rule in OF_ALL else f"  {job.name}: {page}"
            if job.rule == "report_page":
                yield f"  {_how_to_read(dag, Path(page), failed)}"


def _how_to_read(dag: Dag, page: Path, failed: Mapping[str, Failure]) -> str:
    """How to open the report, and what of it to look at first."""
    made = [name for name in dag.tables if f"table {name}" not in failed and dag.specs[name].benchmarks]
    of_all = [name for name in made if name == FIRST_TABLE] or made
    first = ["the verdict at its top", *(dag.specs[name].title for name in of_all[:1])]
    first += ["the images side by side"] if dag.denoisers_with_images else []
    *others, last = first
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{page.stat().st_size / 1e6:.1f} MB; open it in a browser, and look first at {listed}"


FIRST_TABLE = "6"
"""The paper's main result: quality of the denoisers on Kodak."""


def how_it_ended(dag: Dag, jobs: Iterable[RunJob], failed: Mapping[str, Failure]) -> How:
    """How a run ended that Snakemake has ended.

    Args:
        dag: of the experiment.
        jobs: those that were asked for, and what they need.
        failed: :func:`failures` of them.
    """
    if all(os.path.exists(output) for job in jobs for output in job.outputs):
        return "failed" if failed else "done"
    of_death = {"its process ended without a word"}
    return "failed" if failed and {failure.reason for failure in failed.values()} - of_death else "stopped"
