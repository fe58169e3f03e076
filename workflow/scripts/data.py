"""See that a data set, the released checkpoints or NIQE's parameters are there, and record what was found."""

import json

from usaid.jobs import job, leave

with job(snakemake):
    from usaid.datasets.fetch import find_or_fetch
    from usaid.files import written_atomically

    there = find_or_fetch(snakemake.wildcards.source, snakemake.params.data_root)
    with written_atomically(snakemake.output[0]) as temporary:
        temporary.write_text(json.dumps({"found": there}, indent=1) + "\n", encoding="utf-8")
leave()
