"""One job of the benchmark: one denoiser on one benchmark into one score file, with all its sigmas and draws.

The further noise draws of Table X are a job and a score file of their own.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from evaluators.judge import Judge, trained_on_a_part
from evaluators.judge_code import code_of_judge
from usaid import noise
from usaid.checkpoints import require_weights
from usaid.datasets.base import Dataset, Sample
from usaid.datasets.loading import load_for
from usaid.datasets.official import differences_of
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.devices import pick_device
from usaid.errors import UsaidError, reason_of
from usaid.files import sha256_of_file
from usaid.provenance import provenance_of_run
from usaid.registries import BENCHMARKS, DATASETS, METHODS, load_object
from usaid.scores.files import GENERATED, Scores, write_scores
from usaid.scores.journal import Journal, row_key
from usaid.tensors import to_unit_range

if TYPE_CHECKING:
    from usaid.cards import Benchmark
    from usaid.experiment.benchmark import BenchmarkSettings
    from usaid.experiment.experiment import DenoiserEntry, Experiment

PIXELS_PER_BATCH = {"cpu": 1 << 18, "cuda": 1 << 22}
"""Images of one shape are denoised together up to this many pixels (and at least one image)."""

WAITING = 16
"""Shapes of which a batch may wait to be filled: data sets have a few frequent shapes and many rare ones."""


@dataclass
class Stopwatch:
    """Wall time by stage, with the GPU's queue emptied before and after each."""

    device: torch.device
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to stage ``name``."""
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.seconds[name] += time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Condition(NamedTuple):
    """What a batch is denoised under: computed once, whatever was told that comes to the same.

    Attributes:
        sigma: noise level, 0-255 scale.
        draw: index of the noise realisation.
        told: the noise levels, 0-255 scale, that the denoiser is told with the same outcome, each a row of the score
            file; (None,): it is blind.
    """

    sigma: float
    draw: int
    told: tuple[float | None, ...]


def conditions_of(
    denoiser: Denoiser, sigmas: Sequence[float], draws: Iterable[int], told_sigmas: Sequence[float | str]
) -> list[Condition]:
    """The conditions that a denoiser is scored under.

    Args:
        denoiser: says what a told level comes to.
        sigmas: noise levels, 0-255 scale.
        draws: indices of the noise realisations of each.
        told_sigmas: what a non-blind method is told: noise levels, or ``"oracle"`` for the true one.

    Raises:
        UsaidError: the denoiser cannot be told such a level.
    """
    conditions, draws = [], tuple(draws)
    for sigma in sigmas:
        levels = dict.fromkeys(float(sigma if told == "oracle" else told) for told in told_sigmas)
        told: dict[float | None, list[float | None]] = {}
        for level in levels:
            told.setdefault(denoiser.hears(level), []).append(level)
        alike = [(None,) if heard is None else tuple(same) for heard, same in told.items()]
        conditions += [Condition(float(sigma), draw, same) for draw in draws for same in alike]
    return conditions


@dataclass(frozen=True)
class HashedSample:
    """A sample with the SHA-256 of its pixels, by which journalled rows are recognised."""

    sample: Sample
    sha256: str

    @property
    def pixels(self) -> int:
        """Number of its pixels."""
        return self.sample.image.shape[0] * self.sample.image.shape[1]

    def row_name(self, condition: Condition, told: float | None) -> dict[str, Any]:
        """What its row of the score file is called under a condition."""
        name = {"image_id": self.sample.id, "image_sha256": self.sha256}
        return name | {"sigma": condition.sigma, "draw": condition.draw, "told_sigma": told}


@dataclass
class Scorer:
    """Scores the images of a data set as one denoiser leaves them.

    Attributes:
        name: of the denoiser, for errors.
        denoiser: ready to call.
        dataset: the images.
        judge: what scores them.
        device: where the judge computes.
        given_clean: the denoiser is handed the clean images.
        clock: wall time by stage.
        pixels: how many were denoised so far.
    """

    name: str
    denoiser: Denoiser
    dataset: Dataset
    judge: Judge
    device: torch.device
    given_clean: bool = False
    clock: Stopwatch = field(init=False)
    pixels: int = 0

    def __post_init__(self) -> None:
        self.clock = Stopwatch(self.device)

    def rows(self, conditions: Sequence[Condition], journal: Journal) -> list[dict[str, Any]]:
        """Score every image under every condition; rows that the journal holds are not computed again.

        Returns:
            The rows in the order (image, condition).

        Raises:
            UsaidError: an image or target is bad, the disk is full, or denoiser or judge fail on an image; names it.
        """
        names: dict[str, list[dict[str, Any]]] = {}
        total, title = len(self.dataset) * len(conditions), self.dataset.name
        with tqdm(total=total, desc=title, unit="image", disable=None) as progress:
            for batch in self._batches():
                for image in batch:
                    rows_of_image = [image.row_name(c, told) for c in conditions for told in c.told]
                    names[image.sample.id] = rows_of_image
                for condition in conditions:
                    missing = [image for image in batch if not _is_scored(image, condition, journal)]
                    if missing:
                        with _naming_images(missing):
                            rows = self._score_batch(missing, condition)
                        journal.add(rows)
                        self.pixels += sum(image.pixels for image in missing)
                    progress.update(len(batch))
        return [journal.rows[row_key(name)] for image_id in self.dataset.ids for name in names[image_id]]

    def _batches(self) -> Iterator[list[HashedSample]]:
        """The samples in batches of one shape, filled as far as memory allows; some of them wait to be filled."""
        waiting: dict[tuple[int, ...], list[HashedSample]] = {}
        most = PIXELS_PER_BATCH[self.device.type]
        for image_id in self.dataset.ids:
            with self.clock.stage("decode"):
                sample = self.dataset[image_id]
                image = HashedSample(sample, hashlib.sha256(sample.image.tobytes()).hexdigest())
            shape = sample.image.shape
            waiting.setdefault(shape, []).append(image)
            if (len(waiting[shape]) + 1) * image.pixels > most:
                yield waiting.pop(shape)
            elif len(waiting) > WAITING:
                yield waiting.pop(next(iter(waiting)))
        yield from waiting.values()

    def _score_batch(self, batch: Sequence[HashedSample], condition: Condition) -> list[dict[str, Any]]:
        """Denoise a batch once; judge network and metrics take it from there, on the device where it is."""
        samples, (sigma, draw, told) = [image.sample for image in batch], condition
        height, width, _ = samples[0].image.shape
        with self.clock.stage("noise"):
            clean = to_unit_range(np.stack([sample.image for sample in samples]))
            fields = [noise.gaussian_noise(self.dataset.name, s.id, sigma, draw, height, width) for s in samples]
            noisy = (clean + torch.stack(fields)).to(self.denoiser.device)
            clean = clean.to(self.device)
        with self.clock.stage("denoiser"):
            shown = clean.to(self.denoiser.device) if self.given_clean else noisy
            output = denoised(self.name, self.denoiser, shown, told[0]).to(self.device)
        with torch.inference_mode():
            with self.clock.stage("network"):
                seen = self.judge.look(output)
            with self.clock.stage("metric"):
                columns = self.judge.score(seen, output, clean, [sample.target for sample in samples])
                values = {name: v.tolist() if isinstance(v, torch.Tensor) else v for name, v in columns.items()}
        return [
            image.row_name(condition, level) | {name: values[name][index] for name in self.judge.metrics}
            for index, image in enumerate(batch)
            for level in told
        ]


def _is_scored(image: HashedSample, condition: Condition, journal: Journal) -> bool:
    return all(row_key(image.row_name(condition, told)) in journal.rows for told in condition.told)


@contextmanager
def _naming_images(batch: Sequence[HashedSample]) -> Iterator[None]:
    """Let an error of the block say on which images it came."""
    try:
        yield
    except Exception as error:
        raise UsaidError(f"image {', '.join(i.sample.id for i in batch)}: {reason_of(error)}") from error


# ------------------------------------------------------------------------------------------------ the job and its file


@dataclass(frozen=True)
class ScoreJob:
    """Which score file is made, and from what.

    Attributes:
        experiment: says how.
        benchmark: one of its benchmarks.
        denoiser: one of its denoisers, or a variant of its ablation.
        output: the score file.
        judge_file: what the judge reads: NIQE's pristine model, or the weights of its network; None: nothing.
        weights: the denoiser's, if it has any.
        code_hash: of the code that the scores depend on; rows in a journal of other code are computed anew.
        draws: the further noise draws that the file is of, at Table X's sigma alone, told the truth; None: it is the
            denoiser's main score file, of all sigmas and draws of the benchmark's settings.
    """

    experiment: "Experiment"
    benchmark: str
    denoiser: str
    output: Path
    judge_file: Path | None
    weights: Path | None = None
    code_hash: str = ""
    draws: range | None = None

    @property
    def card(self) -> "Benchmark":
        """The benchmark's card."""
        return BENCHMARKS[self.benchmark]

    @property
    def entry(self) -> "DenoiserEntry":
        """The denoiser's entry in the experiment."""
        return self.experiment.entries[self.denoiser]

    @property
    def settings(self) -> "BenchmarkSettings":
        """What of the benchmark's settings is scored."""
        of = self.experiment.settings_of if self.draws is None else self.experiment.settings_of_draws
        return of(self.benchmark, self.denoiser)

    def conditions(self, denoiser: Denoiser) -> list[Condition]:
        """What the denoiser is scored under."""
        draws = range(self.settings.draws) if self.draws is None else self.draws
        return conditions_of(denoiser, self.settings.sigmas, draws, self.settings.told_sigmas)


def score_to_file(job: ScoreJob) -> None:
    """Score one denoiser of an experiment on one of its benchmarks and write the score file.

    Rows are journalled in ``<output>.rows.jsonl`` as they come, so a killed job goes on where it was.

    Raises:
        UsaidError: bad data, weights or judge file, a denoiser or judge that fails, or a full disk.
    """
    start = time.perf_counter()
    experiment, entry, card = job.experiment, job.entry, job.card
    device = pick_device(experiment.device)
    dataset = load_for(experiment, card.dataset, card.split, job.benchmark)
    judge: Judge = load_object(card.judge)(job.benchmark, experiment, job.judge_file, device)
    if job.weights is not None:
        require_weights(job.weights, entry.sha256 if entry.card.importer is None else None)
    denoiser = build_denoiser(entry.method, job.weights, device, experiment.precision, entry.options)
    scorer = Scorer(job.denoiser, denoiser, dataset, judge, device, is_given_clean(entry.method))
    identity = _identity(job, judge)
    journal = Journal(f"{job.output}.rows.jsonl", _fingerprint(identity, job, dataset, device), judge.metrics)
    try:
        rows = scorer.rows(job.conditions(denoiser), journal)
    finally:
        journal.close()
    provenance = _provenance(job, device) | identity | _speed(scorer, start) | {"dataset": record_of(dataset)}
    provenance["deviations"] += differences_of(dataset) if experiment.data_source != "miniature" else []
    provenance["deviations"] += trained_on_a_part(job.weights) if job.weights else []
    provenance["deviations"] += [*denoiser.deviations, *judge.deviations]
    judge.write_findings(rows, job.output.with_suffix(""))
    write_scores(job.output, Scores(pd.DataFrame(rows).astype({"told_sigma": float}), provenance))


def write_failure(job: ScoreJob, reason: str) -> None:
    """Write a score file without rows that says why: its cells show a dash and this reason as a footnote."""
    card = job.card
    provenance = _provenance(job, pick_device("cpu")) | {
        "failure": " ".join(reason.split()),
        "dataset": {
            "name": card.dataset,
            "split": card.split,
            "n": 0,
            "n_official": DATASETS[card.dataset].splits[card.split],
            "subset": job.experiment.subset_of(card.dataset, card.split, job.benchmark),
            "ids_sha256": None,
        },
    }
    rows = pd.DataFrame({"image_id": [], "image_sha256": [], "sigma": [], "draw": [], "told_sigma": []})
    write_scores(job.output, Scores(rows, provenance))


def is_given_clean(method: str) -> bool:
    """Whether a method is handed the clean images: only cards of the suite's own may say so."""
    card = METHODS.own.get(method)
    return card is not None and card.given_clean


def record_of(dataset: Dataset) -> dict[str, Any]:
    """What a score file records of the images it was made from."""
    return {
        "name": dataset.name,
        "split": dataset.split,
        "n": len(dataset),
        "n_official": dataset.n_official,
        "subset": dataset.subset,
        "longest_side": dataset.longest_side,
        "ids_sha256": hashlib.sha256("\n".join(dataset.ids).encode()).hexdigest(),
    }


def deviations(experiment: "Experiment", benchmark: str) -> list[str]:
    """How the experiment differs from the paper's protocol on a benchmark, whatever denoiser and judge."""
    sentences = [*experiment.notes, *experiment.benchmarks[benchmark].notes]
    if experiment.data_source == "miniature":
        sentences.append(GENERATED)
    if experiment.precision != "float32":
        sentences.append(f"denoisers computed in {experiment.precision}")
    return sentences


def _identity(job: ScoreJob, judge: Judge) -> dict[str, Any]:
    """What says whether two score files hold the same thing."""
    return {
        "weights_sha256": sha256_of_file(job.weights) if job.weights else None,
        "code_hash": job.code_hash,
        "noise_version": noise.VERSION,
        "precision": job.experiment.precision,
        "metrics": list(judge.metrics),
        "judge": {**judge.record, "code": code_of_judge(job.card, job.settings)},
    }


_NOT_OF_A_ROW = ("sigmas", "draws", "told_sigmas", "subset", "notes", "benchmarks", "title")
"""Keys of a benchmark's and a denoiser's entry that say which rows there are, or what they are called."""


def _fingerprint(identity: dict[str, Any], job: ScoreJob, dataset: Dataset, device: torch.device) -> dict[str, Any]:
    """All that rows depend on but the image itself, its noise and what was told: other titles or sigmas keep them."""
    settings = job.experiment.benchmarks[job.benchmark].model_dump(mode="json")
    entry = job.entry.as_record()
    return identity | {
        "dataset": dataset.name,
        "judged_by": {key: value for key, value in settings.items() if key not in _NOT_OF_A_ROW},
        "entry": {key: value for key, value in entry.items() if key not in _NOT_OF_A_ROW},
        "device": device.type,
        "torch": str(torch.__version__),
    }


def _speed(scorer: Scorer, start: float) -> dict[str, Any]:
    """Where the time went since ``start``."""
    seconds = {stage: round(value, 3) for stage, value in scorer.clock.seconds.items()}
    denoising = scorer.clock.seconds.get("denoiser", 0.0)
    return {
        "seconds": seconds | {"total": round(time.perf_counter() - start, 3)},
        "pixels": scorer.pixels,
        "pixels_per_second": round(scorer.pixels / denoising) if denoising and scorer.pixels else None,
    }


def _provenance(job: ScoreJob, device: torch.device) -> dict[str, Any]:
    """The provenance of a file without rows."""
    experiment, entry = job.experiment, job.entry
    facts = entry.card.facts
    return provenance_of_run(device, entry.card.packages) | {
        "experiment": experiment.experiment,
        "benchmark": job.benchmark,
        "denoiser": job.denoiser,
        "draws": None if job.draws is None else [*job.draws],
        "title": entry.title or (facts.title if facts else job.denoiser),
        "entry": entry.as_record(),
        "config_sha256": experiment.sha256,
        "code_hash": job.code_hash,
        "noise_version": noise.VERSION,
        "precision": experiment.precision,
        "metrics": [],
        "judge": {},
        "deviations": deviations(experiment, job.benchmark),
        "weights_sha256": None,
        "seconds": {},
        "pixels": 0,
        "pixels_per_second": None,
        "failure": None,
    }


def score_together(
    jobs: Sequence[ScoreJob],
    companions: Sequence[ScoreJob] = (),
    begins: Callable[[Sequence[ScoreJob]], None] = lambda group: None,
    ends: Callable[[ScoreJob, str | None], None] = lambda job, reason: None,
) -> None:
    """Stand-in: one after another; companions are ignored."""
    for job in jobs:
        begins([job])
        try:
            score_to_file(job)
        except Exception as error:
            ends(job, reason_of(error))
        else:
            ends(job, None)
