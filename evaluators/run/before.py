"""What is known before the first job to fail: one line each, with its cure."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from evaluators.dag.code import list_of_ids
from evaluators.dag.dag import Dag
from evaluators.run.jobs import RunJob
from usaid.datasets.base import read_id_list
from usaid.datasets.loading import load_for
from usaid.datasets.sources import is_fetchable
from usaid.datasets.status import cure_for
from usaid.errors import UsaidError
from usaid.extras import install_command
from usaid.registries import BENCHMARKS, DATASETS, load_object

GPU_DRIVERS = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/kfd", "/dev/dxg")
"""One of these is there where there is a GPU that torch calls ``cuda``."""


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
    if source in DATASETS and not dag.is_generated and not is_fetchable(source):
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


def _of_draws(dag: Dag, benchmark: str, denoiser: str) -> Iterator[str]:
    card = BENCHMARKS[benchmark]
    problem = _list_of_ids(dag, f"{card.dataset}/{card.split}", benchmark, of_draws=True)
    yield problem or _beyond_the_scored(dag, benchmark)
    yield from _of_score(dag, benchmark, denoiser)


def _of_score(dag: Dag, benchmark: str, denoiser: str) -> Iterator[str]:
    card, entry, settings = BENCHMARKS[benchmark], dag.entries[denoiser], dag.score(benchmark, denoiser).settings
    for package in entry.card.packages:
        if importlib.util.find_spec(package) is None:
            yield f"{denoiser}: package {package} is not installed; {install_command(package)}"
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
    "score_draws": _of_draws,
}


def _missing(dag: Dag, file: str, what: str) -> str:
    """That a file of the user's is missing; nothing is known of those that a job makes or fetches."""
    is_there = dag.is_made(file) or Path(file).is_file()
    return "" if is_there else f"{file}: the {what} is missing; put it there or correct the key that names it"


def _encoder(dag: Dag, settings: object) -> str:
    file = getattr(settings, "encoder_weights", None)
    return "" if file is None else _missing(dag, dag.below_data(file), "encoder's file")


def _beyond_the_scored(dag: Dag, benchmark: str) -> str:
    """An image of the list of further draws on which the benchmark itself is not scored; nothing where none is known.

    Lists that cannot be read are told of by others.
    """
    card = BENCHMARKS[benchmark]
    subsets = [dag.experiment.subset_of(card.dataset, card.split, benchmark, of_draws) for of_draws in (True, False)]
    if subsets[1] in (None, subsets[0]):
        return ""
    try:
        drawn, scored = (
            [image_id for path in list_of_ids(dag.data_root, subset) for image_id in read_id_list(path)]
            for subset in subsets
        )
    except UsaidError:
        return ""
    beyond = [image_id for image_id in drawn if image_id not in {*scored}]
    where = f"is not in {subsets[1]}, on which {benchmark} is scored"
    return f"{subsets[0]}: image {beyond[0]!r} {where}; take it out of 'draws.subsets.{benchmark}'" if beyond else ""


def _list_of_ids(dag: Dag, images: str, benchmark: str | None = None, of_draws: bool = False) -> str:
    """What is wrong with the list of ids of a split, as far as the data that it lists are there."""
    dataset, split = images.split("/")
    subset = dag.experiment.subset_of(dataset, split, benchmark, of_draws)
    if subset is None or dag.is_generated:
        return ""
    if not any(path.is_file() for path in list_of_ids(dag.data_root, subset)):
        return f"{subset}: list of ids of {images} is missing; put it there or correct the key that names it"
    if Path(dag.data_root, load_object(DATASETS[dataset].reader).folders[split]).is_dir():
        with suppress(OSError):
            try:
                load_for(dag.experiment, dataset, split, benchmark, of_draws)
            except UsaidError as error:
                return str(error)
    return ""
