"""Scores the images of a data set as one denoiser leaves them: denoised once, whoever judges, each judge by itself."""

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from evaluators.scoring.batches import (
    PIXELS_PER_BATCH,
    Cell,
    HashedSample,
    Judging,
    batches_of,
    groups_of_one_shape,
    missing_cells,
    sha256_of_pixels,
    stacked,
)
from evaluators.scoring.pipeline import Drain, ahead, mapped
from evaluators.scoring.shard import WHOLE, Shard, dealt
from evaluators.scoring.stage_clock import StageClock
from usaid.datasets.base import Dataset
from usaid.denoisers.base import Denoiser
from usaid.denoisers.contract import denoised_if_finite, not_finite
from usaid.devices import float32_products
from usaid.errors import UsaidError, is_signal, reason_of
from usaid.noise import NoiseField, gaussian_noise_batch
from usaid.progress import Progress, progress_of
from usaid.tensors import in_unit_range
from usaid.time_limit import watched

READERS = {"cpu": 0, "cuda": min(8, os.cpu_count() or 1)}
"""Threads that decode images, beside the one that makes batches of them. On a CPU that one is enough: decoding takes a
hundredth of the denoiser's time, and each further thread takes time from the denoiser's own."""

BATCHES_AHEAD = 2
"""Batches that wait for the device, or are being made; so many wait behind it, too."""


class Batch(NamedTuple):
    """Cells of one shape that are told the same, with their pixels.

    Attributes:
        cells: B of them.
        images: uint8 (B, H, W, 3); for a GPU in page-locked memory.
        noise: float32 (B, 3, H, W); None: it is made on the device.
    """

    cells: Sequence[Cell]
    images: Tensor
    noise: Tensor | None

    def part(self, numbers: list[int]) -> "Batch":
        """Some of its cells, by their numbers."""
        noise = None if self.noise is None else self.noise[numbers]
        return Batch([self.cells[number] for number in numbers], self.images[numbers], noise)


class Denoised(NamedTuple):
    """A batch behind the denoiser, on the judges' device.

    Attributes:
        batch: what was denoised.
        output: of the denoiser, float32 (B, 3, H, W).
        clean: the images, float32 (B, 3, H, W) in [0, 1].
        is_finite: bool (B,), whether the output of each image is.
    """

    batch: Batch
    output: Tensor
    clean: Tensor
    is_finite: Tensor


class Judged(NamedTuple):
    """What one of the judges said of a batch, on its way to the CPU.

    Attributes:
        judging: whose judge.
        cells: B of the batch.
        columns: what the judge returned; tensors on the CPU, once they are there.
        is_finite: bool (B,), whether the output of the denoiser is.
        is_there: when the tensors are there; None: they are.
    """

    judging: Judging
    cells: Sequence[Cell]
    columns: Mapping[str, Any]
    is_finite: Tensor
    is_there: torch.cuda.Event | None


@dataclass
class Scorer:
    """Scores the images of a data set as one denoiser leaves them.

    Images are read, and noise is made on a CPU, in a thread ahead of the device; values become rows and are journalled
    in a thread behind it. Both may be :data:`BATCHES_AHEAD` batches away, and a few images wait for others of their
    shape, so that memory grows by the rows alone.

    Attributes:
        name: of the denoiser, for errors.
        denoiser: ready to call.
        dataset: the images.
        judgings: who judges them.
        device: where the judges compute.
        given_clean: the denoiser is handed the clean images.
        clock: wall time by stage.
        pixels: how many were denoised so far.
        sha256: of the images worked on so far, by id; of a shard those that are its own.
        shard: the part of the images that it works on.
        numbers: of the groups in which images are denoised, the same for all shards, by id.
    """

    name: str
    denoiser: Denoiser
    dataset: Dataset
    judgings: Sequence[Judging]
    device: torch.device
    given_clean: bool = False
    clock: StageClock = field(default_factory=StageClock)
    pixels: int = 0
    sha256: dict[str, str] = field(default_factory=dict)
    shard: Shard = WHOLE
    numbers: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Score what is missing in the judgings' journals.

        Where judge or denoiser fail on an image, which the error names, that level (sigma, as told) is given up, and
        the others go on (``failed``). Who judges is stopped by its own failure alone (``failure``: the disk is full, no
        level is left); an image that does not decode stops all of them.
        """
        images = -(-len(self.dataset) // self.shard.of)  # of a shard it is known when all have been read
        total, title = images * self._conditions, self.dataset.name
        with (
            self.clock.stage("scoring"),
            progress_of(total, title) as progress,
            Drain(BATCHES_AHEAD) as drain,
        ):
            try:
                with ahead(self._batches(progress), BATCHES_AHEAD) as batches:
                    for batch in batches:
                        drain.put(partial(self._finish, self._score(batch)))
                        progress.update(len(batch.cells))
            except Exception as error:
                for judging in _at_work(self.judgings):
                    judging.failure = error
        self.clock.settle()

    def rows(self, judging: Judging) -> list[dict[str, Any]]:
        """The rows of who judges, in the order (image, condition).

        Raises:
            Exception: what stopped it.
        """
        if judging.failure is not None:
            raise judging.failure
        return judging.rows(self.sha256, self.ids)

    @property
    def ids(self) -> list[str]:
        """Of the images that it works on, in the order of the data set; of a shard once all have been read."""
        return [name for name in self.dataset.ids if self.shard.is_whole or name in self.sha256]

    @property
    def _conditions(self) -> int:
        """Under how many conditions each image is denoised at most."""
        return len({condition.computed for judging in self.judgings for condition in judging.conditions})

    # -------------------------------------------------------------------------------------------- ahead of the device

    def _batches(self, progress: Progress) -> Generator[Batch, None, None]:
        """All that is missing, in batches, read and with their noise as far as the CPU makes it."""
        most = PIXELS_PER_BATCH[self.device.type]
        groups = groups_of_one_shape(mapped(self._read, self.dataset.ids, READERS[self.device.type]), most)
        for number, group in dealt(groups, self.shard):
            if not _at_work(self.judgings):
                return
            self.numbers.update(dict.fromkeys((image.sample.id for image in group), number))
            self.sha256.update({image.sample.id: image.sha256 for image in group})
            cells = missing_cells(group, self.judgings)
            progress.skip(len(group) * self._conditions - len(cells))
            for batch in batches_of(cells, most):
                yield self._made(batch)

    def _read(self, image_id: str) -> HashedSample:
        with self.clock.stage("decode"):
            try:
                sample = self.dataset[image_id]
                return HashedSample(sample, sha256_of_pixels(sample.image))
            except UsaidError:
                raise
            except Exception as error:  # a stranger's reader raises anything
                raise UsaidError(f"image {image_id}: {reason_of(error)}") from error

    def _made(self, cells: Sequence[Cell]) -> Batch:
        images = torch.from_numpy(stacked(cells))
        if self.denoiser.device.type == "cuda":
            return Batch(cells, images.pin_memory(), None)
        with self.clock.stage("noise"):
            return Batch(cells, images, self._noise(cells, torch.device("cpu")))

    def _noise(self, cells: Sequence[Cell], device: torch.device) -> Tensor:
        height, width, _ = cells[0].image.sample.image.shape
        fields = [NoiseField(cell.image.sample.id, cell.sigma, cell.draw) for cell in cells]
        return gaussian_noise_batch(self.dataset.name, fields, height, width, device)

    # -------------------------------------------------------------------------------------------- on the device

    def _score(self, batch: Batch) -> list[Judged]:
        """Denoise a batch once; all who miss any of it judge it from there, on the device where it is."""
        wanted = [number for number, cell in enumerate(batch.cells) if cell.is_wanted]
        if len(wanted) < len(batch.cells):
            batch = batch.part(wanted)
        if not wanted:
            return []
        judgings = _at_work(dict.fromkeys(judging for cell in batch.cells for judging, _ in cell.missed_by))
        try:
            with _naming_images(batch.cells):
                denoised = self._denoised(batch)
        except UsaidError as error:
            if len(wanted) > 1:  # one by one: what does not fail goes on
                return [judged for number in range(len(wanted)) for judged in self._score(batch.part([number]))]
            for judging in judgings:
                _give_up(judging, batch.cells, error)
            return []
        self.pixels += sum(cell.image.pixels for cell in batch.cells)
        judged = []
        for judging in judgings:
            try:
                judged += self._judged(judging, denoised)
            except Exception as error:
                _give_up(judging, batch.cells, error)
        return judged

    def _denoised(self, batch: Batch) -> Denoised:
        device, told = self.denoiser.device, batch.cells[0].told
        clean = in_unit_range(batch.images.to(device, non_blocking=True))
        if batch.noise is None:
            with self.clock.stage("noise", device):
                noise = self._noise(batch.cells, device)
        else:
            noise = batch.noise.to(device)
        with self.clock.stage("denoiser", device):
            shown = clean if self.given_clean else clean + noise
            with watched(f"image {_names_of(batch.cells)}: {self.name}"):
                output, is_finite = denoised_if_finite(self.name, self.denoiser, shown, told)
        if device.type != "cuda" and not bool(is_finite.all()):  # of a GPU it is asked behind it
            raise not_finite(self.name)
        return Denoised(batch, output.to(self.device), clean.to(self.device), is_finite)

    def _judged(self, judging: Judging, denoised: Denoised) -> list[Judged]:
        """Let one of them judge what it misses of a batch, if anything."""
        (cells, *_), output, clean, is_finite = denoised
        mine = [index for index, cell in enumerate(cells) if cell.is_missed_by(judging)]
        if not mine:
            return []
        if len(mine) < len(cells):
            cells = [cells[index] for index in mine]
            output, clean, is_finite = output[mine], clean[mine], is_finite[mine]
        elif len(self.judgings) > 1:  # a judge may write into what it is shown
            output, clean = output.clone(), clean.clone()
        targets = [cell.image.sample.target for cell in cells]
        exact = float32_products("float32", self.device)  # a judge is the same on every device
        with _naming_images(cells), torch.inference_mode(), exact:
            try:
                with judging.clock.stage("network", self.device):
                    seen = judging.judge.look(output)
                with judging.clock.stage("metric", self.device):
                    columns = judging.judge.score(seen, output, clean, targets)
            except Exception:
                if not bool(is_finite.all()):
                    raise not_finite(self.name) from None
                raise
            columns = {name: _to_cpu(column) for name, column in columns.items()}
            on_cpu = _to_cpu(is_finite)
        return [Judged(judging, cells, columns, on_cpu, _now_on(self.device))]

    # -------------------------------------------------------------------------------------------- behind the device

    def _finish(self, batch: Iterable[Judged]) -> None:
        for judged in batch:
            self._journal(judged)

    def _journal(self, judged: Judged) -> None:
        """Make rows of what one of them said of a batch, and journal them."""
        judging = judged.judging
        try:
            if judged.is_there is not None:
                judged.is_there.synchronize()
                judging.clock.settle()
                self.clock.settle()
            with judging.clock.stage("rows"):
                judging.journal.add(self._rows(judged))
            judging.pixels += sum(cell.image.pixels for cell in judged.cells)
        except Exception as error:
            judging.failure = judging.failure or error

    def _rows(self, judged: Judged) -> list[dict[str, Any]]:
        """The rows of what one of them said of a batch; those that fail cost their levels."""
        judging, cells = judged.judging, judged.cells
        finite = judged.is_finite.tolist()
        for cell, is_finite in zip(cells, finite, strict=True):
            if not is_finite:
                _give_up(judging, [cell], UsaidError(f"image {cell.image.sample.id}: {not_finite(self.name)}"))
        try:
            with _naming_images(cells), torch.inference_mode():
                columns = judging.judge.finish(judged.columns, [cell.image.sample.target for cell in cells])
                return _rows(judging, cells, columns, finite)
        except UsaidError as error:
            _give_up(judging, cells, error)
            return []


def _give_up(judging: Judging, cells: Iterable[Cell], error: Exception) -> None:
    """Give up the levels of some cells."""
    for cell in cells:
        judging.fail(error, [condition for by, condition in cell.missed_by if by is judging], cell.image.sample.id)


def _at_work(judgings: Iterable[Judging]) -> list[Judging]:
    return [judging for judging in judgings if judging.failure is None]


def _to_cpu(column: Any) -> Any:
    """A tensor's copy on its way to the CPU (into page-locked memory, if a GPU sends it); whatever else as it is."""
    return column.to("cpu", non_blocking=True, copy=True) if isinstance(column, Tensor) else column


def _now_on(device: torch.device) -> torch.cuda.Event | None:
    """Happens when a GPU has done all that it was given so far; None: it is done."""
    if device.type != "cuda":
        return None
    return torch.cuda.current_stream(device).record_event()


def _rows(
    judging: Judging, cells: Sequence[Cell], columns: Mapping[str, Any], is_kept: Sequence[bool]
) -> list[dict[str, Any]]:
    """The rows of those cells that are kept."""
    values = {name: v.tolist() if isinstance(v := columns[name], Tensor) else v for name in judging.judge.metrics}
    for name, column in values.items():
        if len(column) != len(cells):
            raise UsaidError(f"{name}: the judge returned {len(column)} values for {len(cells)} images")
    return [
        cell.image.row_name(condition, told) | {name: column[index] for name, column in values.items()}
        for index, cell in enumerate(cells)
        if is_kept[index]
        for by, condition in cell.missed_by
        if by is judging
        for told in condition.told
    ]


@contextmanager
def _naming_images(cells: Sequence[Cell]) -> Iterator[None]:
    """Let an error of the block say on which images it came."""
    try:
        yield
    except (Exception, SystemExit) as error:  # a stranger's code raises anything
        if is_signal(error):
            raise
        raise UsaidError(f"image {_names_of(cells)}: {reason_of(error)}") from error


def _names_of(cells: Iterable[Cell]) -> str:
    return ", ".join(dict.fromkeys(cell.image.sample.id for cell in cells))
