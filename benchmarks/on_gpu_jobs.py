"""The score jobs that `on_gpu.py` measures: a DnCNN on images like Kodak's and CIFAR's, judged as in the tables."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from on_gpu_sections import Options, data_root, trained_weights

from evaluators.classification.network import cifar_resnet
from evaluators.metrics.niqe import FEATURES, PristineModel, save_pristine_model
from evaluators.scoring.job import score_to_file
from evaluators.scoring.score_job import ScoreJob
from usaid.checkpoints import write_weights
from usaid.datasets.loading import load, load_for
from usaid.experiment.reading import checked_experiment
from usaid.registries import BENCHMARKS
from usaid.scores.files import read_scores

Job = Callable[[], dict[str, Any]]
BENCHMARK_OF = {"kodak_like": ("kodak_quality", "kodak"), "cifar_like": ("cifar100_classification", "cifar-100-python")}


def jobs(options: Options, device: torch.device) -> Iterator[tuple[str, Job, int]]:
    """Name, job, and images that it denoises; its judge has made-up parameters or random weights."""
    for name, (benchmark, folder_name) in BENCHMARK_OF.items():
        with tempfile.TemporaryDirectory() as folder:
            root, _ = data_root(options, folder_name)
            settings, judge_file = _judge(benchmark, Path(folder), small=options.small)
            if options.small:
                settings["subset"] = str(_few(benchmark, root, Path(folder)))
            experiment = checked_experiment(
                {
                    "experiment": "on_gpu",
                    "data_root": str(root),
                    "device": str(device),
                    "niqe": "niqe_fitted",
                    "denoisers": {"cdncnn_b": {"method": "cdncnn_b", "weights": "cdncnn_b.safetensors"}},
                    "benchmarks": {benchmark: settings},
                }
            )
            card = BENCHMARKS[benchmark]
            images = len(load_for(experiment, card.dataset, card.split, benchmark)) * len(settings["sigmas"])
            output = Path(folder, "scores.parquet")
            job = ScoreJob(experiment, benchmark, "cdncnn_b", output, judge_file, trained_weights(options))
            yield name, partial(_run, job), images


def _few(benchmark: str, root: Path, folder: Path) -> Path:
    """A list of the first few ids."""
    card, path = BENCHMARKS[benchmark], folder / "few.txt"
    ids = load(card.dataset, root, card.split).ids[: 2 if card.dataset == "kodak" else 40]
    path.write_text("".join(f"{image_id}\n" for image_id in ids), encoding="utf-8")
    return path


def _judge(benchmark: str, folder: Path, small: bool) -> tuple[dict[str, Any], Path]:
    """A benchmark's settings, and the file that its judge reads."""
    if benchmark == "kodak_quality":
        path = folder / "niqe.npz"
        mean, covariance = torch.zeros(FEATURES).double(), torch.eye(FEATURES).double()
        save_pristine_model(path, PristineModel("niqe_fitted", mean, covariance))
        return {"sigmas": [25] if small else [15, 25, 35]}, path
    depth, path = 8 if small else 110, folder / "resnet.safetensors"
    write_weights(cifar_resnet(depth), path, {})
    grey = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    return {"sigmas": [25], "classifier": {"network": f"resnet{depth}", "checkpoint": path.name, **grey}}, path


def _run(job: ScoreJob) -> dict[str, Any]:
    """Score from the start; seconds by stage."""
    for path in (job.output, Path(f"{job.output}.rows.jsonl")):
        path.unlink(missing_ok=True)
    score_to_file(job)
    seconds: dict[str, Any] = read_scores(job.output).provenance["seconds"]
    return seconds
