"""Compare denoisers that were trained with several seeds."""

from pathlib import Path

from usaid.jobs import job

with job(snakemake):
    from usaid.report.statistics.seeds import write_seeds

    write_seeds(snakemake.input.scores, Path(snakemake.output.csv).parent)
