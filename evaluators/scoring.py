"""One job of the benchmark: one denoiser on one benchmark, all its sigmas and draws, into one score file."""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from evaluators.benchmarks import BENCHMARKS, JUDGE_MODULES, make_judge, trained_on_a_part
from evaluators.judge import Judge
from usaid import datasets, noise
from usaid.datasets.base import Dataset, Sample
from usaid.denoisers import FACTS, build_denoiser, module_of
from usaid.denoisers.base import Denoiser
from usaid.devices import pick_device
from usaid.errors import UsaidError
from usaid.experiment.experiment import entry_of, hash_of_config, settings_of
from usaid.files import sha256_of_file
from usaid.images import to_unit_range
from usaid.provenance import provenance_of_run
from usaid.scores.files import Journal, Scores, row_key, write_scores
from usaid.code_hash import hash_of_sources

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
    denoiser: Denoiser, sigmas: Sequence[float], draws: int, told_sigmas: Sequence[float | str]
) -> list[Condition]:
    """The conditions that a denoiser is scored under.

    Args:
        denoiser: says what a told level comes to.
        sigmas: noise levels, 0-255 scale.
        draws: noise realisations of each.
        told_sigmas: what a non-blind method is told: noise levels, or ``"oracle"`` for the true one.

    Raises:
        UsaidError: the denoiser cannot be told such a level.
    """
    found = []
    for sigma in sigmas:
        levels = dict.fromkeys(float(sigma if told == "oracle" else told) for told in told_sigmas)
        told: dict[float | None, list[float | None]] = {}
        for level in levels:
            told.setdefault(denoiser.hears(level), []).append(level)
        alike = [(None,) if heard is None else tuple(same) for heard, same in told.items()]
        found += [Condition(float(sigma), draw, same) for draw in range(draws) for same in alike]
    return found


@dataclass(frozen=True)
class HashedSample:
    """A sample with the SHA-256 of its pixels, by which journalled rows are recognised."""

    sample: Sample
    sha256: str


def score_images(
    denoiser: Denoiser,
    dataset: Dataset,
    judge: Judge,
    conditions: Sequence[Condition],
    journal: Journal,
    clock: Stopwatch,
) -> tuple[list[dict[str, Any]], int]:
    """Score every image under every condition; rows that the journal holds are not computed again.

    Returns:
        The rows in the order (image, condition), and how many pixels were denoised.

    Raises:
        UsaidError: an image or target is bad, the disk is full, or denoiser or judge fail on an image; names it.
    """
    names: dict[str, list[dict[str, Any]]] = {}
    pixels = 0
    with tqdm(total=len(dataset) * len(conditions), desc=dataset.name, unit="image", disable=None) as progress:
        for batch in _batches(dataset, PIXELS_PER_BATCH[clock.device.type], clock):
            for one in batch:
                names[one.sample.id] = [
                    _row_name(one, condition, told) for condition in conditions for told in condition.told
                ]
            for condition in conditions:
                missing = [one for one in batch if not _is_scored(one, condition, journal)]
                if missing:
                    with _naming_images(missing):
                        scored = _score_batch(denoiser, dataset.name, judge, missing, condition, clock)
                    journal.add(scored)
                    pixels += sum(one.sample.image.shape[0] * one.sample.image.shape[1] for one in missing)
                progress.update(len(batch))
    return [journal.rows[row_key(name)] for image_id in dataset.ids for name in names[image_id]], pixels


def _score_batch(
    denoiser: Denoiser,
    dataset_name: str,
    judge: Judge,
    batch: Sequence[HashedSample],
    condition: Condition,
    clock: Stopwatch,
) -> list[dict[str, Any]]:
    """Denoise a batch once; judge network and metrics take it from there, on the device where it is."""
    samples, (sigma, draw, told) = [one.sample for one in batch], condition
    height, width, _ = samples[0].image.shape
    with clock.stage("noise"):
        clean = to_unit_range(np.stack([sample.image for sample in samples]))
        fields = [noise.gaussian_noise(dataset_name, s.id, sigma, draw, height, width) for s in samples]
        noisy = (clean + torch.stack(fields)).to(denoiser.device)
        clean = clean.to(denoiser.device)
    with clock.stage("denoiser"):
        denoised = denoiser(clean if denoiser.oracle else noisy, told_sigma=told[0])
    with torch.inference_mode():
        with clock.stage("network"):
            seen = judge.look(denoised)
        with clock.stage("metric"):
            columns = judge.score(seen, denoised, clean, [sample.target for sample in samples])
            values = {name: v.tolist() if isinstance(v, torch.Tensor) else v for name, v in columns.items()}
    return [
        _row_name(one, condition, level) | {name: values[name][index] for name in judge.metrics}
        for index, one in enumerate(batch)
        for level in told
    ]


@contextmanager
def _naming_images(batch: Sequence[HashedSample]) -> Iterator[None]:
    """Let an error of the block say on which images it came."""
    try:
        yield
    except Exception as error:
        text = str(error) if isinstance(error, UsaidError) else f"{type(error).__name__}: {error}"
        raise UsaidError(f"image {', '.join(one.sample.id for one in batch)}: {' '.join(text.split())}") from error


def _batches(dataset: Dataset, pixels: int, clock: Stopwatch) -> Iterator[list[HashedSample]]:
    """The samples in batches of one shape, up to ``pixels`` pixels together; at most ``WAITING`` such batches wait."""
    waiting: dict[tuple[int, ...], list[HashedSample]] = {}
    for image_id in dataset.ids:
        with clock.stage("decode"):
            sample = dataset[image_id]
            hashed = HashedSample(sample, hashlib.sha256(sample.image.tobytes()).hexdigest())
        shape = sample.image.shape
        size = shape[0] * shape[1]
        waiting.setdefault(shape, []).append(hashed)
        if (len(waiting[shape]) + 1) * size > pixels:
            yield waiting.pop(shape)
        elif len(waiting) > WAITING:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


def _row_name(one: HashedSample, condition: Condition, told: float | None) -> dict[str, Any]:
    name = {"image_id": one.sample.id, "image_sha256": one.sha256}
    return name | {"sigma": condition.sigma, "draw": condition.draw, "told_sigma": told}


def _is_scored(one: HashedSample, condition: Condition, journal: Journal) -> bool:
    return all(row_key(_row_name(one, condition, told)) in journal.rows for told in condition.told)


def score_to_file(
    experiment: Mapping[str, Any],
    benchmark: str,
    denoiser: str,
    output: str | Path,
    judge_file: str | Path,
    weights: str | Path | None = None,
) -> None:
    """Score one denoiser of an experiment on one of its benchmarks and write the score file.

    Rows are journalled in ``<output>.rows.jsonl`` as they come, so a killed job goes on where it was.

    Args:
        experiment: as :func:`usaid.experiment.checked_experiment` returns it.
        benchmark: a benchmark of the experiment.
        denoiser: a denoiser of the experiment, or a variant of its ablation.
        output: the score file.
        judge_file: NIQE's pristine model, or the weights of the network that judges.
        weights: the denoiser's weights, if it has any.

    Raises:
        UsaidError: bad data, weights or judge file, or a full disk.
    """
    start = time.perf_counter()
    device = pick_device(experiment["device"])
    config, entry = settings_of(experiment, benchmark, denoiser), entry_of(experiment, denoiser)
    facts = BENCHMARKS[benchmark]
    dataset = datasets.load_for(experiment, facts.dataset, facts.split, benchmark)
    judge = make_judge(benchmark, experiment, judge_file, device)
    method = build_denoiser(entry["method"], weights, device, experiment["precision"], entry.get("options"))
    identity = {
        "weights_sha256": sha256_of_file(weights) if weights else None,
        "source_hash": score_source_hash(entry["method"], benchmark),
        "noise_version": noise.VERSION,
        "precision": experiment["precision"],
        "metrics": list(judge.metrics),
        "judge": judge.facts,
    }
    fingerprint = identity | {
        "dataset": dataset.name,
        "longest_side": dataset.longest_side,
        "entry": entry,
        "device": device.type,
        "torch": str(torch.__version__),
    }
    journal = Journal(f"{output}.rows.jsonl", fingerprint)
    clock = Stopwatch(device)
    try:
        conditions = conditions_of(method, config["sigmas"], config["draws"], config["told_sigmas"])
        rows, pixels = score_images(method, dataset, judge, conditions, journal, clock)
    finally:
        journal.close()
    seconds = {stage: round(value, 3) for stage, value in clock.seconds.items()}
    denoising = clock.seconds.get("denoiser", 0.0)
    provenance = _provenance(experiment, benchmark, denoiser, device) | identity
    provenance |= {
        "dataset": dataset_facts(dataset),
        "deviations": deviations(experiment, benchmark)
        + (trained_on_a_part(weights) if weights else [])
        + list(method.deviations)
        + judge.deviations,
        "seconds": seconds | {"total": round(time.perf_counter() - start, 3)},
        "pixels": pixels,
        "pixels_per_second": round(pixels / denoising) if denoising and pixels else None,
    }
    judge.write_findings(rows, Path(output).with_suffix(""))
    write_scores(output, Scores(pd.DataFrame(rows).astype({"told_sigma": float}), provenance))


def write_failure(
    experiment: Mapping[str, Any], benchmark: str, denoiser: str, output: str | Path, reason: str
) -> None:
    """Write a score file without rows that says why: its cells show a dash and this reason as a footnote."""
    facts = BENCHMARKS[benchmark]
    official = datasets.DATASETS[facts.dataset].official_counts[facts.split]
    provenance = _provenance(experiment, benchmark, denoiser, pick_device("cpu")) | {
        "failure": " ".join(reason.split()),
        "dataset": {
            "name": facts.dataset,
            "split": facts.split,
            "n": 0,
            "n_official": official,
            "subset": datasets.subset_for(experiment, facts.dataset, facts.split, benchmark),
            "ids_sha256": None,
        },
    }
    rows = pd.DataFrame({"image_id": [], "image_sha256": [], "sigma": [], "draw": [], "told_sigma": []})
    write_scores(output, Scores(rows, provenance))


def dataset_facts(dataset: Dataset) -> dict[str, Any]:
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


def deviations(experiment: Mapping[str, Any], benchmark: str) -> list[str]:
    """How the experiment differs from the paper's protocol on a benchmark, whatever denoiser and judge."""
    found = [*experiment["notes"], *experiment["benchmarks"][benchmark]["notes"]]
    if experiment["data_source"] == "miniature":
        found.append("images generated by code (miniature), not the paper's data set")
    if experiment["precision"] != "float32":
        found.append(f"denoisers computed in {experiment['precision']}")
    return found


def score_source_hash(method: str, benchmark: str) -> str:
    """Hash of the code that a score depends on: this module, the method's, the judge's, and all they import."""
    return hash_of_sources(__name__, module_of(method), JUDGE_MODULES[BENCHMARKS[benchmark].network])


def _provenance(experiment: Mapping[str, Any], benchmark: str, denoiser: str, device: torch.device) -> dict[str, Any]:
    entry = entry_of(experiment, denoiser)
    facts = FACTS.get(entry["method"])
    return provenance_of_run(device) | {
        "experiment": experiment["experiment"],
        "benchmark": benchmark,
        "denoiser": denoiser,
        "title": entry.get("title") or (facts.title if facts else denoiser),
        "entry": entry,
        "config_sha256": hash_of_config(experiment),
        "source_hash": score_source_hash(entry["method"], benchmark),
        "noise_version": noise.VERSION,
        "precision": experiment["precision"],
        "metrics": [],
        "judge": {},
        "deviations": deviations(experiment, benchmark),
        "weights_sha256": None,
        "seconds": {},
        "pixels": 0,
        "pixels_per_second": None,
        "failure": None,
    }
