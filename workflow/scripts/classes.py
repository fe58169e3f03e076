"""Write the scores of the classes behind the means."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake):
    from usaid.report.tables.classes import write_classes

    write_classes(snakemake.input.scores, Path(snakemake.output.csv).parent)
leave()
