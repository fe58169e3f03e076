"""Write the scores of the classes behind the means."""

from pathlib import Path

from usaid.jobs import job
from usaid.report.tables.classes import write_classes

with job(snakemake.log[0]):
    write_classes(snakemake.input.scores, Path(snakemake.output.csv).parent)
