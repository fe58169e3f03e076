"""How the page is cited, and how its tables are made again."""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from usaid import __version__
from usaid.report.page.experiments import Experiment

BIBTEX = f"""@article{{wang2019segmentation,
  title   = {{Segmentation-Aware Image Denoising without Knowing True Segmentation}},
  author  = {{Wang, Sicheng and Wen, Bihan and Wu, Junru and Tao, Dacheng and Wang, Zhangyang}},
  journal = {{arXiv preprint arXiv:1905.08965}},
  year    = {{2019}}
}}

@misc{{usaid_made_again,
  title = {{{{U-SAID}}, made again: a benchmark suite for Segmentation-Aware Image Denoising without Knowing True
           Segmentation}},
  note  = {{Version {__version__}}}
}}
"""
"""The paper and this suite."""

_REFERENCE = {
    "reference/released": ("reference", "config/released.yaml config/reference_released.yaml"),
    "reference/subset": ("subset", "config/subset.yaml"),
    "reference/table_4": ("", "config/reference_table_4.yaml"),
    "reference/metrics": ("", "config/reference_metrics.yaml"),
}
"""The committed runs: the target of make that makes all of one again, and its configuration."""


class Rerun(NamedTuple):
    """A command line and what it makes."""

    makes: str
    command: str


def reruns_of(experiment: Experiment) -> Sequence[Rerun]:
    """How all of an experiment's tables are made again, and each by itself."""
    target, files = _REFERENCE.get(experiment.name, ("", shlex.quote(f"config/{experiment.name}.yaml")))
    data = " --forceall --config data_root=/folder/with/the/data" if experiment.name in _REFERENCE else ""
    made = f"make {target} DATA=/folder/with/the/data" if target else _snakemake("all_tables", files, data)
    tables = zip(experiment.tables, experiment.table_names, strict=True)
    return [
        Rerun("All tables", made),
        *(Rerun(title, _snakemake(f"table_{name}", files, data)) for (title, _), name in tables),
    ]


def _snakemake(target: str, files: str, data: str) -> str:
    return f"snakemake --cores all {target} --configfile {files}{data}"
