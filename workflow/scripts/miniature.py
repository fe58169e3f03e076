"""Write the generated data sets."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake):
    from usaid.datasets.miniature.writer import write_miniature

    write_miniature(Path(snakemake.output[0]).parent)
leave()
