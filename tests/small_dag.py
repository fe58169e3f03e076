"""The jobs of a small experiment, for tests of runs."""

from typing import Any

from evaluators.dag.dag import Dag
from usaid.experiment.reading import checked_experiment


def dag(**changes: Any) -> Dag:
    """The jobs of a small experiment, some of whose keys are changed."""
    experiment = {
        "experiment": "small",
        "data_root": "data",
        "denoisers": {"noisy": {"method": "noisy"}},
        "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    }
    return Dag(checked_experiment(experiment | changes))
