"""See that a data set, the released checkpoints or NIQE's parameters are there, and record what was found."""

import json

from usaid.datasets.fetch import find_or_fetch
from usaid.files import written_atomically
from usaid.jobs import job

with job(snakemake.log[0]), written_atomically(snakemake.output[0]) as temporary:
    found = find_or_fetch(snakemake.wildcards.source, snakemake.params.data_root)
    temporary.write_text(json.dumps({"found": found}, indent=1) + "\n", encoding="utf-8")
