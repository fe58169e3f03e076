"""Write the generated data sets."""

from pathlib import Path

from usaid.datasets.miniature.writer import write_miniature
from usaid.jobs import job

with job(snakemake.log[0]):
    write_miniature(Path(snakemake.output[0]).parent)
