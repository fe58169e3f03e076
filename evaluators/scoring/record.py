"""What a score file and its journal record of a job: what it was made from, and by which code."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from evaluators.judge import Judge, trained_on_a_part
from evaluators.judge_code import code_of_judge
from usaid import noise
from usaid.datasets.base import Dataset
from usaid.datasets.official import differences_of
from usaid.denoisers.base import Denoiser
from usaid.denoisers.facts import title_of
from usaid.files import sha256_of_file
from usaid.provenance import provenance_of_run
from usaid.registries import DATASETS
from usaid.scores.files import GENERATED

if TYPE_CHECKING:
    from evaluators.scoring.score_job import ScoreJob
    from usaid.experiment.experiment import Experiment


@dataclass(frozen=True)
class Made:
    """A job, and what it has when it starts: its images, denoiser and judge."""

    job: "ScoreJob"
    dataset: Dataset
    denoiser: Denoiser
    judge: Judge
    device: torch.device

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What says whether two score files hold the same thing: as it was when the journal was opened."""
        job = self.job
        return {
            "weights_sha256": sha256_of_file(job.weights) if job.weights else None,
            "code_hash": job.code_hash,
            "noise_version": noise.VERSION,
            "precision": self.denoiser.precision,
            "metrics": list(self.judge.metrics),
            "judge": {**self.judge.record, "code": code_of_judge(job.card, job.settings)},
        }


_NOT_OF_A_ROW = ("sigmas", "draws", "told_sigmas", "subset", "notes", "benchmarks", "title")
"""Keys of a benchmark's and a denoiser's entry that say which rows there are, or what they are called."""


def fingerprint(made: Made) -> dict[str, Any]:
    """All that rows depend on but the image itself, its noise and what was told: other titles or sigmas keep them."""
    job = made.job
    settings = job.experiment.benchmarks[job.benchmark].of_scores()
    entry = job.entry.as_record()
    return made.identity | {
        "dataset": made.dataset.name,
        "judged_by": {key: value for key, value in settings.items() if key not in _NOT_OF_A_ROW},
        "entry": {key: value for key, value in entry.items() if key not in _NOT_OF_A_ROW},
        "device": made.device.type,
        "torch": str(torch.__version__),
    }


def provenance(made: Made) -> dict[str, Any]:
    """The provenance of a score file, but for its ``seconds`` and ``pixels``, which are known in the end."""
    job = made.job
    of_job = provenance_without_rows(job, made.device) | made.identity
    differences = differences_of(made.dataset) if job.experiment.data_source != "miniature" else []
    part = trained_on_a_part(job.weights) if job.weights else []
    own = [*made.denoiser.deviations, *made.judge.deviations]
    stated = deviations(job.experiment, job.benchmark, made.denoiser.precision)
    return of_job | {
        "title": title_of(job.entry.title, made.denoiser.facts, job.denoiser),
        "inference": dict(made.denoiser.record),
        "dataset": record_of(made.dataset),
        "deviations": [*stated, *differences, *part, *own],
    }


def provenance_of_failure(job: "ScoreJob", reason: str) -> dict[str, Any]:
    """The provenance of a score file without rows that says why it is empty."""
    card = job.card
    return provenance_without_rows(job, torch.device("cpu")) | {
        "failure": " ".join(reason.split()),
        "dataset": {
            "name": card.dataset,
            "split": card.split,
            "n": 0,
            "n_official": DATASETS[card.dataset].splits[card.split],
            "subset": job.subset,
            "ids_sha256": None,
        },
    }


def provenance_without_rows(job: "ScoreJob", device: torch.device) -> dict[str, Any]:
    """What is known of a score file before anything is read."""
    experiment, entry = job.experiment, job.entry
    return provenance_of_run(device, entry.card.packages) | {
        "experiment": experiment.experiment,
        "benchmark": job.benchmark,
        "denoiser": job.denoiser,
        "draws": None if job.draws is None else [*job.draws],
        "title": title_of(entry.title, entry.card.facts, job.denoiser),
        "entry": entry.as_record(),
        "config_sha256": experiment.sha256,
        "code_hash": job.code_hash,
        "noise_version": noise.VERSION,
        "precision": experiment.precision,
        "metrics": [],
        "judge": {},
        "deviations": deviations(experiment, job.benchmark, experiment.precision),
        "weights_sha256": None,
        "seconds": {},
        "pixels": 0,
        "pixels_per_second": None,
        "failure": None,
    }


def deviations(experiment: "Experiment", benchmark: str, precision: str = "float32") -> list[str]:
    """How the experiment differs from the paper's protocol on a benchmark, whatever judge.

    Args:
        experiment: its notes count.
        benchmark: so do its own.
        precision: that the denoiser computes in.
    """
    sentences = [*experiment.notes, *experiment.benchmarks[benchmark].notes]
    if experiment.data_source == "miniature":
        sentences.append(GENERATED)
    if precision != "float32":
        sentences.append(f"denoisers computed in {precision}")
    return sentences


def record_of(dataset: Dataset) -> dict[str, Any]:
    """What a score file records of the images it was made from."""
    return {
        "name": dataset.name,
        "split": dataset.split,
        "n": len(dataset),
        "n_official": dataset.n_official,
        "subset": dataset.subset,
        "view": None if dataset.view is None else dataset.view.record,
        "ids_sha256": hashlib.sha256("\n".join(dataset.ids).encode()).hexdigest(),
    }
