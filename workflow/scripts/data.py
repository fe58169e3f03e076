"""See that a data set, the released checkpoints or NIQE's parameters are there, and record what was found."""

import json

from usaid.datasets import DATASETS, status
from usaid.datasets.fetch import fetch
from usaid.files import written_atomically
from usaid.jobs import job


def find_or_fetch(source: str, data_root: str) -> dict[str, str]:
    """Split or file -> what there is of it; a source of which nothing is there is fetched first."""
    if source not in DATASETS:
        return {path.name: "there" for path in fetch(source, data_root)}
    if not any(split.found for split in status(data_root) if split.name == source):
        fetch(source, data_root)
    splits = [split for split in status(data_root) if split.name == source]
    return {split.split: f"{split.found} of {split.official}" for split in splits}


with job(snakemake.log[0]), written_atomically(snakemake.output[0]) as temporary:
    found = find_or_fetch(snakemake.wildcards.source, snakemake.params.data_root)
    temporary.write_text(json.dumps({"found": found, "subsets": snakemake.params.subsets}, indent=1) + "\n")
