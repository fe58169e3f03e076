"""Keeps the chosen images as one denoiser leaves them, with what the judges say of them: two archives a denoiser."""

import math
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from evaluators.judge import Judge
from evaluators.keeping.asked import CLEAN, entry_of, keeps_at, window_side
from evaluators.keeping.choose import Choice, Chosen, left_out_numbers, read_choice
from evaluators.keeping.windows import cut, overview_of, window_of
from evaluators.scoring.job import is_given_clean
from evaluators.scoring.record import deviations
from usaid import noise
from usaid.checkpoints import require_weights
from usaid.datasets.base import Dataset, Sample
from usaid.datasets.loading import load_for
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.denoisers.facts import title_of
from usaid.devices import float32_products, pick_device
from usaid.errors import UsaidError, is_signal, reason_of
from usaid.failures import failure_in
from usaid.files import sha256_of_file
from usaid.progress import progress_of
from usaid.provenance import provenance_of_run
from usaid.registries import BENCHMARKS, load_object
from usaid.scores.confusion import miou_per_image
from usaid.scores.kept_images import KeptImages, Picture, Seen, Window, write_kept
from usaid.tensors import to_uint8, to_unit_range
from usaid.time_limit import watched

if TYPE_CHECKING:
    from usaid.experiment.denoiser_entry import DenoiserEntry
    from usaid.experiment.experiment import Experiment

DRAW = 0
"""The noise realisation that is kept."""


@dataclass
class Judges:
    """The judges of an experiment's benchmarks, each made when it is first asked for; they serve all denoisers.

    Attributes:
        experiment: whose judges.
        files: benchmark -> path of what its judge reads; None: nothing.
    """

    experiment: "Experiment"
    files: Mapping[str, str | Path | None]
    _made: dict[str, Judge | Exception] = field(default_factory=dict)

    @cached_property
    def device(self) -> torch.device:
        """Where they compute, and the denoisers, too."""
        return pick_device(self.experiment.device)

    def of(self, benchmark: str) -> Judge:
        """The judge of a benchmark.

        Raises:
            Exception: it cannot be made; the same each time.
        """
        if benchmark not in self._made:
            try:
                self._made[benchmark] = self._make(benchmark)
            except Exception as error:  # of whatever class: a stranger's judge
                self._made[benchmark] = error
        made = self._made[benchmark]
        if isinstance(made, Exception):
            raise made
        return made

    def _make(self, benchmark: str) -> Judge:
        path = self.files[benchmark]
        file = None if path is None else Path(path)
        if file is not None and (failure := failure_in(file)) is not None:
            raise UsaidError(failure)
        judge: Judge = load_object(BENCHMARKS[benchmark].judge)(benchmark, self.experiment, file, self.device)
        return judge


def keep_images_to_files(
    experiment: "Experiment",
    denoiser: str,
    choice: str | Path,
    weights: str | Path | None,
    judges: Judges,
    viewer: str | Path,
    figures: str | Path,
) -> None:
    """Keep the chosen images as a denoiser leaves them, and write both archives.

    Args:
        experiment: says how.
        denoiser: one of its denoisers, or ``clean``.
        choice: file of :func:`evaluators.keeping.choose.choose_images_to_file`.
        weights: the denoiser's, if it has any.
        judges: of the chosen benchmarks.
        viewer: the archive of windows.
        figures: the archive of whole images.

    Raises:
        UsaidError: as :func:`keep_images`, or a file cannot be written.
    """
    kept = keep_images(experiment, denoiser, read_choice(choice), None if weights is None else Path(weights), judges)
    for path, of_readers in zip((viewer, figures), kept, strict=True):
        write_kept(path, of_readers)


def keep_images(
    experiment: "Experiment", denoiser: str, chosen: Chosen, weights: Path | None, judges: Judges
) -> tuple[KeptImages, KeptImages]:
    """The chosen images as a denoiser leaves them: windows of all, and those that figures show, whole.

    An image is denoised once, whichever benchmarks keep it. What goes wrong with a judge or with data costs the
    pictures of its benchmark: provenance says why under ``left_out``.

    Args:
        experiment: says how.
        denoiser: one of its denoisers, or ``clean``.
        chosen: the images.
        weights: the denoiser's, if it has any.
        judges: of the chosen benchmarks.

    Raises:
        UsaidError: weights are missing or wrong, or the denoiser fails.
    """
    entry = entry_of(experiment, denoiser)
    if weights is not None:
        require_weights(weights, entry.sha256 if entry.card.importer is None else None)
    with _as_it_was():
        method = build_denoiser(entry.method, weights, judges.device, experiment.precision, entry.options, entry.adapt)
        keeper = _Keeper(experiment, denoiser, method, is_given_clean(entry.method), judges)
        images = [c for c in chosen.images if keeps_at(experiment, denoiser, c.benchmark, c.sigma)]
        pictures = keeper.keep(images)
    record = _record(experiment, entry, method, weights, judges, [*dict.fromkeys(p.benchmark for _, p in pictures)])
    record["left_out"] = {**chosen.left_out, **keeper.failed}
    title = title_of(entry.title, method.facts, denoiser)
    windows = tuple(replace(picture, window=window, pixels=cut(picture.pixels, window)) for window, picture in pictures)
    of_figures = {(c.benchmark, c.image_id, c.sigma) for c in images if c.whole}
    whole = tuple(picture for _, picture in pictures if picture.key in of_figures)
    return KeptImages(denoiser, title, record, windows), KeptImages(denoiser, title, record, whole)


def _record(
    experiment: "Experiment",
    entry: "DenoiserEntry",
    method: Denoiser,
    weights: Path | None,
    judges: Judges,
    benchmarks: Sequence[str],
) -> dict[str, Any]:
    """Where the pictures of some benchmarks come from, as score files have it."""
    stated = {name: deviations(experiment, name, method.precision) for name in benchmarks}
    return provenance_of_run(judges.device, entry.card.packages) | {
        "experiment": experiment.experiment,
        "entry": entry.as_record(),
        "config_sha256": experiment.sha256,
        "noise_version": noise.VERSION,
        "precision": method.precision,
        "inference": dict(method.record),
        "weights_sha256": sha256_of_file(weights) if weights is not None else None,
        "judges": {name: dict(judges.of(name).record) for name in benchmarks},
        "deviations": {n: [*stated[n], *method.deviations, *judges.of(n).deviations] for n in benchmarks},
    }


# ------------------------------------------------------------------------------------------------ pictures


class _Denoised(NamedTuple):
    """An image under one sigma, as the denoiser leaves it.

    Attributes:
        dataset: that it is of.
        sample: the image and its target.
        clean, output: float32 (1, 3, H, W), on the judges' device.
        told: what a non-blind method was told, 0-255 scale; None: it is blind.
    """

    dataset: Dataset
    sample: Sample
    clean: Tensor
    output: Tensor
    told: float | None


class _Keeper:
    """Makes the pictures of one denoiser.

    Attributes:
        failed: benchmark -> why it has no pictures.
    """

    def __init__(
        self, experiment: "Experiment", name: str, denoiser: Denoiser, is_given_clean: bool, judges: Judges
    ) -> None:
        self.experiment, self.name, self.denoiser, self.judges = experiment, name, denoiser, judges
        self.is_given_clean = is_given_clean
        self.failed: dict[str, str] = {}

    def keep(self, choices: Sequence[Choice]) -> list[tuple[Window, Picture]]:
        """Whole pictures of the chosen images, in their order, and the window of each; none of a benchmark that fails.

        Raises:
            UsaidError: the denoiser fails.
        """
        datasets: dict[tuple[object, ...], list[Choice]] = {}
        for choice in choices:
            datasets.setdefault(self.experiment.images_of(choice.benchmark), []).append(choice)
        pictures: dict[Choice, tuple[Window, Picture]] = {}
        for of_dataset in datasets.values():
            pictures |= self._of_dataset(of_dataset)
        return [pictures[choice] for choice in choices if choice.benchmark not in self.failed]

    def _of_dataset(self, choices: Sequence[Choice]) -> dict[Choice, tuple[Window, Picture]]:
        card, pictures = BENCHMARKS[choices[0].benchmark], dict[Choice, tuple[Window, Picture]]()
        with self._at_the_cost_of(choices):
            dataset = load_for(self.experiment, card.dataset, card.split, choices[0].benchmark)
        for benchmark in dict.fromkeys(choice.benchmark for choice in choices):
            with self._at_the_cost_of([choice for choice in choices if choice.benchmark == benchmark]):
                self.judges.of(benchmark)
        cells: dict[tuple[str, float], list[Choice]] = {}
        for choice in choices:
            cells.setdefault((choice.image_id, choice.sigma), []).append(choice)
        with progress_of(len(cells), card.dataset) as progress:
            for alike in cells.values():
                pictures |= self._of_image(dataset, alike)
                progress.update()
        return pictures

    def _of_image(self, dataset: Dataset, alike: Sequence[Choice]) -> dict[Choice, tuple[Window, Picture]]:
        """The pictures of an image under one sigma, which is denoised once."""
        pictures = dict[Choice, tuple[Window, Picture]]()
        if not (going_on := [choice for choice in alike if choice.benchmark not in self.failed]):
            return pictures
        sample = None
        with self._at_the_cost_of(going_on):
            sample = dataset[going_on[0].image_id]
        if sample is None:
            return pictures
        output = self._denoised(dataset, sample, going_on[0].sigma)
        for choice in going_on:
            with self._at_the_cost_of([choice]):
                pictures[choice] = self._picture(choice, output)
        return pictures

    @contextmanager
    def _at_the_cost_of(self, choices: Iterable[Choice]) -> Iterator[None]:
        """A block whose failure is that of the benchmarks of some images."""
        try:
            yield
        except (Exception, SystemExit) as error:  # a stranger's judge or reader raises anything
            if is_signal(error):
                raise
            traceback.print_exception(error)
            self.failed |= {choice.benchmark: reason_of(error) for choice in choices}

    def _denoised(self, dataset: Dataset, sample: Sample, sigma: float) -> _Denoised:
        device, told = self.denoiser.device, self.denoiser.hears(sigma)
        clean = to_unit_range(sample.image).to(device)
        shown = clean
        if not self.is_given_clean:
            height, width, _ = sample.image.shape
            shown = clean + noise.gaussian_noise_batch(
                dataset.name, [noise.NoiseField(sample.id, float(sigma), DRAW)], height, width, device
            )
        try:
            with (
                chdir("."),
                watched(f"image {sample.id}: {self.name}"),
            ):  # a stranger's denoiser may leave for elsewhere
                output = denoised(self.name, self.denoiser, shown, told)
        except UsaidError as error:
            raise UsaidError(f"image {sample.id}: {error}") from error
        return _Denoised(dataset, sample, clean.to(self.judges.device), output.to(self.judges.device), told)

    def _picture(self, choice: Choice, denoised: _Denoised) -> tuple[Window, Picture]:
        """A whole picture, and the window that is kept of it."""
        sample = denoised.sample
        scores, (seen, truth) = self._judged(choice.benchmark, denoised)
        height, width, _ = sample.image.shape
        is_clean = self.name == CLEAN
        picture = Picture(
            choice.benchmark,
            sample.id,
            choice.sigma,
            choice.why,
            (width, height),
            Window(0, 0, width, height),
            to_uint8(denoised.output)[0],
            draw=DRAW,
            told_sigma=denoised.told,
            scores=scores,
            seen=seen,
            truth=truth if is_clean else None,
            overview=overview_of(sample.image) if is_clean else None,
        )
        return window_of(sample.image, window_side(self.experiment), choice.centre), picture

    def _judged(self, benchmark: str, denoised: _Denoised) -> tuple[dict[str, float | None], Sequence[Seen | None]]:
        """Scores of one image by convention; what the judge sees in it, and what is true of it."""
        judge, targets, shown = self.judges.of(benchmark), [denoised.sample.target], BENCHMARKS[benchmark].shown
        output, clean = denoised.output.clone(), denoised.clean.clone()  # a judge may write into what it is shown
        with torch.inference_mode(), float32_products("float32", self.judges.device):
            look = judge.look(output)
            seen = load_object(shown)(judge, denoised.dataset, look, targets[0]) if shown is not None else (None, None)
            columns = judge.score(look, output, clean, targets)
            on_cpu = {name: column.cpu() if isinstance(column, Tensor) else column for name, column in columns.items()}
            finished = judge.finish(on_cpu, targets)
        values = {name: v.tolist() if isinstance(v := finished[name], Tensor) else v for name in judge.metrics}
        scores = {name: float(value[0]) for name, value in values.items() if isinstance(value[0], int | float)}
        if "confusion" in values:
            scores["miou_per_image"] = float(miou_per_image(values["confusion"], left_out_numbers(judge.record))[0])
        return {name: None if math.isnan(score) else score for name, score in scores.items()}, seen


@contextmanager
def _as_it_was() -> Iterator[None]:
    """A block whose denoiser, a stranger's perhaps, leaves the next one the process as it was."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    with chdir("."):
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)
