"""See that a data set is there, fetching it if nothing of it is, and record what was found."""

import json
from dataclasses import asdict

from usaid.datasets import status
from usaid.download import fetch
from usaid.files import written_atomically
from usaid.jobs import job


def find_or_fetch(dataset: str, data_root: str) -> list[dict]:
    """What there is of each split, after fetching the data set if there is nothing at all."""
    splits = [split for split in status(data_root) if split.name == dataset]
    if not any(split.found for split in splits):
        fetch(dataset, data_root)
        splits = [split for split in status(data_root) if split.name == dataset]
    return [asdict(split) for split in splits]


with job(snakemake.log[0]), written_atomically(snakemake.output[0]) as temporary:
    found = find_or_fetch(snakemake.wildcards.dataset, snakemake.params.data_root)
    temporary.write_text(json.dumps({"splits": found, "subsets": snakemake.params.subsets}, indent=1, default=str))
