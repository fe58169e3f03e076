"""What a job takes: simple numbers, until the plan has measured ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from evaluators.dag.dag import Dag

_ON_A_DEVICE = ("train_", "score", "keep_")


@dataclass(frozen=True)
class Resources:
    """What a job is given.

    Attributes:
        minutes: of wall time.
        memory_mb: of the process.
        gpus: 0 or 1.
        threads: of the CPU.
    """

    minutes: int
    memory_mb: int
    gpus: int
    threads: int


def resources_of(dag: Dag, rule: str, wildcards: Mapping[str, str]) -> Resources:
    """What a job takes.

    Args:
        dag: of the experiment.
        rule: the job's.
        wildcards: their values.
    """
    computes = rule.startswith(_ON_A_DEVICE)
    gpus = int(computes and dag.experiment.device != "cpu")
    return Resources(120 if computes else 10, 4000 if computes else 2000, gpus, 1)
