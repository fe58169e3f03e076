"""What is said and done around a run of the workflow: its lock, what is known to fail, and what became of it."""

import fcntl
import importlib.util
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evaluators.dag.code import list_of_ids
from evaluators.dag.dag import Dag
from usaid.datasets.loading import load_for
from usaid.datasets.sources import source_of
from usaid.datasets.status import cure_for
from usaid.errors import UsaidError
from usaid.failures import Failure, Ledger, first_failure, name_of
from usaid.registries import BENCHMARKS, DATASETS, load_object
from usaid.scores.failed_levels import reason_of_levels

GPU_DRIVERS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/kfd", "/dev/dxg")
"""One of these is there where there is a GPU that torch calls ``cuda``."""


@dataclass(frozen=True)
class RunJob:
    """One job of a run: what it was asked for, or is needed for.

    Attributes:
        rule: its rule.
        wildcards: their values by name, in the order of its outputs' names.
        outputs: its files; a target of names only has none.
    """

    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """What messages call it."""
        return name_of(self.rule, self.wildcards.values())


def parts_of(dag: Dag, job: RunJob) -> list[RunJob]:
    """A job, or the results that it makes, each as if it had a job of its own: score files, archives of images.

    What merges a score file's shards has the name of the job that makes it of all images: its failures are the same.
    """
    if job.rule in _MERGED:
        return [RunJob(_MERGED[job.rule], job.wildcards, job.outputs)]
    if job.rule == "keep_all_images":
        names = dag.denoisers_with_images
        return [RunJob("keep_images", {"denoiser": name}, tuple(dag.archives_of(name))) for name in names]
    if job.rule not in dag.batches:
        return [job]
    files = dag.batches[job.rule].files
    named = [(rule, {"benchmark": benchmark, "denoiser": denoiser}) for rule, benchmark, denoiser in files]
    return [RunJob(*name, (output,)) for name, output in zip(named, job.outputs, strict=True)]


_MERGED = {"merge_shards": "score", "merge_draws_shards": "score_draws"}


# ------------------------------------------------------------------------------------------------ the lock


def lock(results: str | Path) -> IO[str]:
    """Keep an experiment's results for this process as long as it lives; no kill leaves the lock behind.

    Returns:
        The open file that holds the lock.

    Raises:
        UsaidError: another process has it, or the folder cannot be written.
    """
    path = Path(results, ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    except OSError as error:
        raise UsaidError(f"{path}: cannot be written ({error.strerror}); make {results} writable") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsaidError(_held(path, file)) from None
    except OSError:  # a file system without locks
        return file
    file.truncate(0)
    json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
    file.flush()
    return file


def _held(path: Path, file: IO[str]) -> str:
    file.seek(0)
    try:
        owner = json.load(file)
        who, where = f"process {owner['pid']} on {owner['host']}", f"on {owner['host']}: kill {owner['pid']}"
    except (ValueError, KeyError, TypeError):
        who, where = "another process", f"fuser -k {path}"
    return f"{path.parent}: {who} is at work on this experiment; wait for it to end, or stop it with: {where}"


# ------------------------------------------------------------------------------------------------ before the first job


def problems(dag: Dag, jobs: Iterable[RunJob]) -> list[str]:
    """What is known before any job starts to fail: one line each, that says what and how to mend it.

    Args:
        dag: of the experiment.
        jobs: those that are asked for.
    """
    lines = [_without_gpu(dag)]
    for job in jobs:
        lines += _PROBLEMS.get(job.rule, _no_problem)(dag, **job.wildcards)
    return list(dict.fromkeys(filter(None, lines)))


def _without_gpu(dag: Dag) -> str:
    device = dag.experiment.device
    if not device.startswith("cuda") or any(Path(driver).exists() for driver in GPU_DRIVERS):
        return ""
    return f"device = {device}: this machine has no GPU driver; write device: auto, or install the driver"


def _no_problem(dag: Dag, **_: str) -> list[str]:
    return []


def _of_data(dag: Dag, source: str) -> Iterator[str]:
    if source in DATASETS and not dag.is_generated and ("by_hand" in source_of(source) or not source_of(source)):
        folders = load_object(DATASETS[source].reader).folders.values()
        if not any(Path(dag.data_root, folder).is_dir() for folder in folders):
            yield f"data set {source} is not there: {cure_for(source, Path(dag.data_root))}"


def _of_import(dag: Dag, denoiser: str) -> Iterator[str]:
    for file in dag.checkpoints_of(denoiser).values():
        yield _missing(dag, file, f"weights of {denoiser}")


def _of_training(dag: Dag, denoiser: str) -> Iterator[str]:
    recipe = dag.entries[denoiser].train
    if recipe is not None:
        yield _list_of_ids(dag, recipe.images)
        yield _encoder(dag, recipe.encoder_for(dag.entries[denoiser].method))


def _of_judge(dag: Dag, benchmark: str) -> Iterator[str]:
    yield _list_of_ids(dag, f"{BENCHMARKS[benchmark].dataset}/train", benchmark)
    yield _encoder(dag, dag.experiment.benchmarks[benchmark].encoder)


def _of_convergence(dag: Dag, supervision: str) -> Iterator[str]:
    yield _list_of_ids(dag, dag.train_convergence(supervision).settings["images"])
    yield _encoder(dag, dag.experiment.convergence)


def _of_niqe(dag: Dag) -> Iterator[str]:
    yield _list_of_ids(dag, dag.fit_niqe().settings["images"])


def _of_score(dag: Dag, benchmark: str, denoiser: str) -> Iterator[str]:
    card, entry, settings = BENCHMARKS[benchmark], dag.entries[denoiser], dag.score(benchmark, denoiser).settings
    for package in entry.card.packages:
        if importlib.util.find_spec(package) is None:
            yield f"{denoiser}: package {package} is not installed; pip install {package}"
    yield _list_of_ids(dag, f"{card.dataset}/{card.split}", benchmark)
    for file, what in (
        (settings["judge_file"], f"judge of {benchmark}"),
        (settings["weights"], f"weights of {denoiser}"),
    ):
        if file is not None:
            yield _missing(dag, file, what)


def _of_borrowed(dag: Dag, benchmark: str, denoiser: str) -> Iterator[str]:
    earlier = dag.earlier_scores_of(denoiser)
    if not earlier.file(benchmark, denoiser).is_file():
        yield f"{denoiser}: {earlier.name} has no scores of it on {benchmark}"


_PROBLEMS: dict[str, Callable[..., Iterable[str]]] = {
    "data": _of_data,
    "import_weights": _of_import,
    "train_denoiser": _of_training,
    "train_judge": _of_judge,
    "train_convergence": _of_convergence,
    "fit_niqe": _of_niqe,
    "score": _of_score,
    "borrow_scores": _of_borrowed,
    "score_draws": _of_score,
}


def _missing(dag: Dag, file: str, what: str) -> str:
    """That a file of the user's is missing; nothing is known of those that a job makes or fetches."""
    is_there = dag.is_made(file) or Path(file).is_file()
    return "" if is_there else f"{file}: the {what} is missing; put it there or correct the key that names it"


def _encoder(dag: Dag, settings: object) -> str:
    file = getattr(settings, "encoder_weights", None)
    return "" if file is None else _missing(dag, dag.below_data(file), "encoder's file")


def _list_of_ids(dag: Dag, images: str, benchmark: str | None = None) -> str:
    """What is wrong with the list of ids of a split, as far as the data that it lists are there."""
    dataset, split = images.split("/")
    subset = dag.experiment.subset_of(dataset, split, benchmark)
    if subset is None or dag.is_generated:
        return ""
    if not any(path.is_file() for path in list_of_ids(dag.data_root, subset)):
        return f"{subset}: list of ids of {images} is missing; put it there or correct the key that names it"
    if Path(dag.data_root, load_object(DATASETS[dataset].reader).folders[split]).is_dir():
        with suppress(OSError):
            try:
                load_for(dag.experiment, dataset, split, benchmark)
            except UsaidError as error:
                return str(error)
    return ""


# ------------------------------------------------------------------------------------------------ after the last job


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
    for failure, names in causes.items():
        lines.append(f"  {failure}" + (f" (log: {failure.log})" if failure.log else ""))
        others = [name for name in names if name != failure.job]
        if others:
            lines.append(f"    so these are not made: {', '.join(others)}")
    if causes:
        lines.append("Mend the causes and type the same command again: what failed is tried again, the rest is kept.")
        if not dag.experiment.allow_failures:
            lines.append("The exit status is 1; with --config allow_failures=true it is 0, dashes and all.")
    return "\n".join(lines)


def _made(dag: Dag, jobs: Iterable[RunJob], failed: Mapping[str, Failure]) -> Iterator[str]:
    """The pages that there are, of those that were asked for; first those that show all."""
    of_all = {"report_page": "Report", "index": "Tables"}
    pages = (*of_all, "table", "claims", "statistics_page", "classes", "figure_2_files", "figure")
    wanted = [job for job in jobs if job.rule in pages]
    for job in sorted(wanted, key=lambda job: (min(pages.index(job.rule), len(of_all)), job.name)):
        page = next((path for path in job.outputs if path.endswith((".md", ".png", "index.html"))), "")
        if job.name in failed:
            yield f"  {job.name}: failed"
        elif page and Path(page).exists():
            yield f"{of_all[job.rule]}: {page}" if job.rule in of_all else f"  {job.name}: {page}"
