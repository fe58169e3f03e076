"""Compare denoisers that were trained with several seeds."""

from pathlib import Path

from usaid.jobs import job
from usaid.report.statistics.seeds import write_seeds

with job(snakemake.log[0]):
    write_seeds(snakemake.input.scores, Path(snakemake.output.csv).parent)
