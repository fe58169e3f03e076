"""From score files, as a job of the workflow is told of them, to score jobs; and the companions of one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.dag.dag import Dag
from evaluators.scoring.score_job import ScoreJob
from usaid.experiment.experiment import Experiment
from usaid.failures import Ledger, first_failure


def score_job(experiment: Experiment, told: Mapping[str, Any]) -> ScoreJob:
    """What is scored.

    Args:
        experiment: says how.
        told: :meth:`evaluators.dag.scores.Scores.part`.
    """
    benchmark, denoiser = told["wildcards"]
    settings = told["settings"]
    return ScoreJob(
        experiment,
        benchmark,
        denoiser,
        output=Path(told["output"]),
        judge_file=_path(settings["judge_file"]),
        weights=_path(settings["weights"]),
        code_hash=told["code"],
        draws=range(*settings["draws"]) if "draws" in settings else None,
    )


def companions_of(experiment: Experiment, told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The score files of other benchmarks that could be made now, of the images and the denoiser that one is of.

    Args:
        experiment: that has them.
        told: of the one, as :func:`score_job` has it; so are the others.
    """
    dag, (benchmark, denoiser) = Dag(experiment), told["wildcards"]
    for other in dag.siblings(told["rule"], benchmark, denoiser):
        part = dag.part(told["rule"], other, denoiser)
        read = [part["settings"][key] for key in ("judge_file", "weights")]
        needed = [*part["inputs"], *(file for file in read if file is not None)]
        is_ready = all(Path(file).exists() for file in needed) and first_failure(needed) is None
        if is_ready and Ledger.at(dag.results, told["rule"], (other, denoiser)).state not in _UNSAFE:
            yield part


_UNSAFE = ("running", "shared", "failed")
"""What the ledger says of one that may have killed its process, and would kill another that takes it along."""


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
