"""How much work each job is: amounts by kind, memory, disk, and whether it computes on a device."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from evaluators.dag.dag import Dag
from evaluators.keeping.asked import CLEAN, benchmarks_kept, images_of_figures, keeps_at
from evaluators.plan.extents import Extent, extent_of, extent_of_benchmark
from evaluators.plan.networks import counted_flop
from usaid.costs import Cost, times, together
from usaid.denoisers.training.cost import ENCODERS, PYRAMID, cost_of_network
from usaid.experiment.experiment import CONVERGENCE_IMAGES, NIQE_IMAGES
from usaid.registries import BENCHMARKS, load_object

BATCH = 1 << 18
"""Pixels that a CPU denoises together, or one image."""

PIXELS_OF_A_READ = 375 * 500
"""Of an image of the kind of work "image read"."""

PROCESS, PROCESS_OF_TORCH = 300e6, 900e6
"""Bytes that a process has when it begins to work."""

BYTES_OF_ROW, BYTES_OF_FIGURE, BYTES_OF_PAGE, BYTES_OF_REPORT = 120, 2e6, 1e5, 5e6
BYTES_OF_KEPT_IMAGE = 1e6
CALLS = ("call", "call of a segmenter")
"""Kinds of work that a batch costs, not an image."""

UNKNOWN_COST = "usaid.denoisers.training.cost:cost"
"""Of a method whose card does not say."""


@dataclass(frozen=True)
class JobWork:
    """What a job costs.

    Attributes:
        work: amounts by kind.
        threads: that it asks for.
        uses_device: it computes on the experiment's device.
        memory: bytes at its peak.
        disk: bytes that it leaves.
        guessed: what of it nobody says the cost of.
    """

    work: Mapping[str, float] = field(default_factory=dict)
    threads: int = 1
    uses_device: bool = False
    memory: float = PROCESS
    disk: float = 0.0
    guessed: tuple[str, ...] = ()


def work_of(dag: Dag, rule: str, wildcards: Mapping[str, str]) -> JobWork:
    """What a job costs; a rule that nobody knows is a process."""
    if rule in dag.batches:
        return _of_batch(dag, rule)
    work = _WORK.get(rule, _of_page)(dag, **wildcards)
    if work.uses_device and dag.experiment.device == "cpu":
        work = replace(work, uses_device=False)
    return replace(work, threads=1) if dag.is_generated else work


# ------------------------------------------------------------------------------------------------ costs on cards


def cost_of_denoiser(dag: Dag, denoiser: str) -> tuple[Cost, bool]:
    """What a denoiser costs, and whether that is known: its card says so, or its network has been counted."""
    entry = dag.entries[denoiser]
    n_images = 0 if entry.train is None else extent_of(dag, entry.train.images).images
    if entry.card.cost is None and (flop := counted_flop(entry)) is not None:
        return cost_of_network(flop, entry.train, entry.method, n_images), True
    cost = load_object(entry.card.cost or UNKNOWN_COST)
    return cost(entry.options, entry.train, entry.method, n_images), entry.card.cost is not None


def cost_of_judge(dag: Dag, benchmark: str) -> tuple[Cost, bool]:
    """What a judge costs, and whether its card says so; PSNR, SSIM and NIQE where it does not."""
    card, settings = BENCHMARKS[benchmark], dag.experiment.benchmarks[benchmark]
    n_images = extent_of(dag, f"{card.dataset}/train", benchmark).images if settings.is_trained else 0
    if card.cost is None:
        return Cost(pixel={"psnr and ssim": 1e-6, "niqe": 1e-6}), False
    return load_object(card.cost)(settings, n_images), True


# ------------------------------------------------------------------------------------------------ scores

Cell = tuple[float, int, Any]
"""Sigma, draw, and what a non-blind method is told."""


def cells_of(dag: Dag, rule: str, benchmark: str, denoiser: str) -> set[Cell]:
    """What an image is denoised under for a score file."""
    experiment, entry = dag.experiment, dag.entries[denoiser]
    is_draws = rule.startswith("score_draws")
    settings = (experiment.settings_of_draws if is_draws else experiment.settings_of)(benchmark, denoiser)
    draws = experiment.further_draws(benchmark) if is_draws else range(settings.draws)
    is_blind = entry.card.facts is None or entry.card.facts.blind
    told = [None] if is_blind else settings.told_sigmas
    return {
        (sigma, draw, None if level is None else sigma if level == "oracle" else level)
        for sigma in settings.sigmas
        for draw in draws
        for level in told
    }


def _of_score(dag: Dag, benchmark: str, denoiser: str, rule: str = "score", shard: str | None = None) -> JobWork:
    """A job of its own: of what it shares with its siblings, it has what no earlier one of them has denoised.

    A shard has its part of the images, and reads the others, too, to know which are its own.
    """
    order = [*dag.experiment.benchmarks]
    siblings = dag.siblings(rule, benchmark, denoiser)
    earlier = [name for name in siblings if order.index(name) < order.index(benchmark)]
    done = set().union(*(cells_of(dag, rule, name, denoiser) for name in earlier))
    extent, start = extent_of_benchmark(dag, benchmark, rule), {"process with torch": 1.0}
    if shard is not None:
        own = math.ceil(extent.images / len(dag.shards_of(benchmark)))
        start |= _read(extent.images - own, extent.pixels)
        extent = replace(extent, images=own)
    part = _of_file(dag, (rule, benchmark, denoiser), done, extent)
    return replace(part, work=together(start, part.work), threads=2)


def _of_draws(dag: Dag, benchmark: str, denoiser: str) -> JobWork:
    return _of_score(dag, benchmark, denoiser, "score_draws")


def _of_shard(dag: Dag, benchmark: str, denoiser: str, shard: str) -> JobWork:
    return _of_score(dag, benchmark, denoiser, "score_shard", shard)


def _of_shard_of_draws(dag: Dag, benchmark: str, denoiser: str, shard: str) -> JobWork:
    return _of_score(dag, benchmark, denoiser, "score_draws_shard", shard)


def _of_merge(dag: Dag, benchmark: str, denoiser: str, rule: str = "score") -> JobWork:
    """The rows of all shards are read, and written."""
    rows = extent_of_benchmark(dag, benchmark, rule).images * len(cells_of(dag, rule, benchmark, denoiser))
    work = {"process with torch": 1, "thousand rows": 2 * rows / 1e3}
    return JobWork(work, memory=PROCESS_OF_TORCH, disk=rows * BYTES_OF_ROW)


def _of_merge_of_draws(dag: Dag, benchmark: str, denoiser: str) -> JobWork:
    return _of_merge(dag, benchmark, denoiser, "score_draws")


def _read(images: float, pixels: float) -> dict[str, float]:
    return {"image read": images * pixels / PIXELS_OF_A_READ}


def _of_file(dag: Dag, file: tuple[str, str, str], done: set[Cell], extent: Extent) -> JobWork:
    """A score file, without its process.

    Args:
        dag: of the experiment.
        file: its rule, benchmark and denoiser.
        done: what of it is denoised already.
        extent: its images.
    """
    cells, (_, benchmark, denoiser) = cells_of(dag, *file), file
    (denoising, is_known), (judging, judge_is_known) = cost_of_denoiser(dag, denoiser), cost_of_judge(dag, benchmark)
    work = together(
        _of_images(extent, len(cells - done), denoising),
        _of_images(extent, len(cells), judging),
        _read(extent.images, extent.pixels),
        {"megapixel": extent.images * extent.pixels * len(cells - done) / 1e6},
        {"row": extent.images * len(cells)},
    )
    pixels = max(extent.pixels, BATCH)
    return JobWork(
        work,
        uses_device=denoising.uses_device or "segmenter" in judging.pixel or bool(judging.image),
        memory=PROCESS_OF_TORCH + judging.weights + denoising.weights + pixels * (denoising.memory + judging.memory),
        disk=extent.images * len(cells) * BYTES_OF_ROW,
        guessed=(
            *(() if is_known else (denoiser,)),
            *(() if judge_is_known else (benchmark,)),
            *(() if extent.is_known else (f"{BENCHMARKS[benchmark].dataset}'s images",)),
        ),
    )


def _of_images(extent: Extent, times_each: int, cost: Cost, batch: float = BATCH) -> dict[str, float]:
    """Work on all images so many times; what a network is called for is a batch of so many pixels, not an image."""
    number, calls = extent.images * times_each, times_each * math.ceil(extent.images * min(1, extent.pixels / batch))
    image = {kind: amount * (calls if kind in CALLS else number) for kind, amount in cost.image.items()}
    return together(times(number * extent.pixels, cost.pixel), image)


def _of_batch(dag: Dag, rule: str) -> JobWork:
    """All score files of a batch: an image is denoised once for all that miss it."""
    done: dict[tuple[object, ...], set[Cell]] = {}
    parts = []
    for of, benchmark, denoiser in dag.batches[rule].files:
        images = dag.experiment.images_of(benchmark, of.startswith("score_draws"))
        shared = done.setdefault((denoiser, *images), set())
        parts.append(_of_file(dag, (of, benchmark, denoiser), shared, extent_of_benchmark(dag, benchmark, of)))
        shared |= cells_of(dag, of, benchmark, denoiser)
    return JobWork(
        together({"process with torch": 1}, *(part.work for part in parts)),
        threads=1 if dag.is_generated else 2,
        uses_device=dag.experiment.device != "cpu" and any(part.uses_device for part in parts),
        memory=max(part.memory for part in parts),
        disk=sum(part.disk for part in parts),
        guessed=tuple(dict.fromkeys(name for part in parts for name in part.guessed)),
    )


def rows_of(dag: Dag, benchmarks: list[str]) -> int:
    """Rows of the score files of some benchmarks."""
    files = [file for file in dag.scored_files if file[1] in benchmarks]
    extents = {(rule, name): extent_of_benchmark(dag, name, rule).images for rule, name, _ in files}
    return sum(extents[rule, name] * len(cells_of(dag, rule, name, who)) for rule, name, who in files)


# ------------------------------------------------------------------------------------------------ what they wait for


def _of_training(dag: Dag, denoiser: str) -> JobWork:
    cost, is_known = cost_of_denoiser(dag, denoiser)
    return _training(cost, () if is_known else (denoiser,))


def _of_judge(dag: Dag, benchmark: str) -> JobWork:
    cost, is_known = cost_of_judge(dag, benchmark)
    return _training(cost, () if is_known else (benchmark,))


def _training(cost: Cost, guessed: tuple[str, ...]) -> JobWork:
    memory = PROCESS_OF_TORCH + 4 * cost.weights + cost.training_memory
    work = together({"process with torch": 1}, cost.training)
    return JobWork(work, 8, True, memory, cost.weights, guessed)


def _of_convergence(dag: Dag, supervision: str) -> JobWork:
    """Encoder and pyramid learn, all of them: once forward and twice backward."""
    settings = dag.experiment.convergence
    assert settings is not None
    pixels = settings.steps * settings.batch * settings.crop**2
    flop = (ENCODERS[settings.encoder] + 3 * PYRAMID) * pixels / 1e12
    images = extent_of(dag, CONVERGENCE_IMAGES).images
    work = {"process with torch": 1, "training of a segmenter": flop, "image read": images}
    memory = PROCESS_OF_TORCH + 8000.0 * settings.batch * settings.crop**2
    return JobWork(work | {"step of a segmenter": settings.steps}, 8, True, memory, 1e5)


def _of_import(dag: Dag, denoiser: str) -> JobWork:
    cost, _ = cost_of_denoiser(dag, denoiser)
    return JobWork({"process with torch": 1}, memory=PROCESS_OF_TORCH + cost.weights, disk=cost.weights)


def _of_niqe(dag: Dag) -> JobWork:
    extent = extent_of(dag, NIQE_IMAGES)
    work = {"process with torch": 1, "niqe": extent.images * extent.pixels / 1e6, "image read": extent.images}
    return JobWork(work, memory=PROCESS_OF_TORCH, disk=2e4)


def _of_miniature(dag: Dag) -> JobWork:
    return JobWork({"process": 1, "generated": 1}, disk=11e6)


def _of_data(dag: Dag, source: str) -> JobWork:
    return JobWork({"process": 1})


# ------------------------------------------------------------------------------------------------ what is made of them


def _of_page(dag: Dag, page: str = "page", **wildcards: str) -> JobWork:
    benchmark = wildcards.get("benchmark")
    asked = dag.tables.get(wildcards.get("table", ""), [*dag.experiment.benchmarks])
    rows = rows_of(dag, [benchmark] if benchmark is not None else asked)
    return JobWork({"process with pandas": 1, page: 1, "thousand rows": rows / 1e3}, disk=BYTES_OF_PAGE)


def _of_statistics(dag: Dag, benchmark: str) -> JobWork:
    return _of_page(dag, "statistics", benchmark=benchmark)


def _of_claims(dag: Dag) -> JobWork:
    return _of_page(dag, "statistics")


def _of_borrowed(dag: Dag, benchmark: str, denoiser: str) -> JobWork:
    extent = extent_of_benchmark(dag, benchmark)
    rows = extent.images * len(cells_of(dag, "score", benchmark, denoiser))
    work = {"process with torch": 1, "row": rows, "megapixel": extent.images * extent.pixels / 1e6}
    return JobWork(work, disk=rows * BYTES_OF_ROW, memory=PROCESS_OF_TORCH)


def _of_figure(dag: Dag, **wildcards: str) -> JobWork:
    return JobWork({"process with matplotlib": 1, "figure": 1}, disk=BYTES_OF_FIGURE)


def _of_report(dag: Dag) -> JobWork:
    """Of each table; the images for its viewer are read, too, and put into it."""
    pictures = sum(pictures_of(dag, b, d) for d in dag.denoisers_with_images for b in dag.benchmarks_with_images)
    return JobWork({"process": 1, "report": len(dag.tables), "picture shown": pictures}, disk=BYTES_OF_REPORT)


def _of_index(dag: Dag) -> JobWork:
    return JobWork({"process": 1}, disk=BYTES_OF_PAGE)


def _of_choice(dag: Dag) -> JobWork:
    return JobWork({"process with pandas": 1}, disk=1e4)


def _of_kept(dag: Dag, denoiser: str) -> JobWork:
    part = _of_kept_part(dag, denoiser)
    return replace(part, work=together({"process with torch": 1}, part.work))


def pictures_of(dag: Dag, benchmark: str, denoiser: str) -> int:
    """How many images a denoiser's archives have of a benchmark, at most: two rules may choose the same one."""
    keep, settings = dag.experiment.keep_images, dag.experiment.benchmarks[benchmark]
    rules = () if keep is None or benchmark not in benchmarks_kept(dag.experiment) else keep.rules
    of_figures = {(i.image_id, i.sigma) for i in images_of_figures(dag.experiment) if i.benchmark == benchmark}
    pairs = {*((rule, sigma) for rule in rules for sigma in settings.sigmas), *of_figures}
    return sum(keeps_at(dag.experiment, denoiser, benchmark, sigma) for _, sigma in pairs)


def _of_kept_part(dag: Dag, denoiser: str) -> JobWork:
    """The images that are kept, each read, denoised and seen by the judge by itself."""
    works, disk = list[Mapping[str, float]](), 0.0
    for benchmark in dag.benchmarks_with_images:
        number = pictures_of(dag, benchmark, denoiser)
        extent = replace(extent_of_benchmark(dag, benchmark), images=number)
        cost = Cost() if denoiser == CLEAN else cost_of_denoiser(dag, denoiser)[0]
        works += [_of_images(extent, 1, each, 1) for each in (cost, cost_of_judge(dag, benchmark)[0])]
        works += [_read(number, extent.pixels), {"kept image": number, "megapixel": number * extent.pixels / 1e6}]
        disk += number * BYTES_OF_KEPT_IMAGE / 10
    return JobWork(together(*works), 2, True, 2 * PROCESS_OF_TORCH, disk)


def _of_all_kept(dag: Dag) -> JobWork:
    parts = [_of_kept_part(dag, name) for name in dag.denoisers_with_images]
    work = together({"process with torch": 1}, *(part.work for part in parts))
    return JobWork(work, 2, True, 2 * PROCESS_OF_TORCH, sum(part.disk for part in parts))


_WORK: dict[str, Callable[..., JobWork]] = {
    "miniature": _of_miniature,
    "data": _of_data,
    "import_weights": _of_import,
    "train_denoiser": _of_training,
    "fit_niqe": _of_niqe,
    "train_judge": _of_judge,
    "train_convergence": _of_convergence,
    "score": _of_score,
    "score_draws": _of_draws,
    "score_shard": _of_shard,
    "score_draws_shard": _of_shard_of_draws,
    "merge_shards": _of_merge,
    "merge_draws_shards": _of_merge_of_draws,
    "borrow_scores": _of_borrowed,
    "statistics_page": _of_statistics,
    "claims": _of_claims,
    "index": _of_index,
    "choose_images": _of_choice,
    "keep_images": _of_kept,
    "keep_all_images": _of_all_kept,
    "figure": _of_figure,
    "figure_2_files": _of_figure,
    "report_page": _of_report,
}
