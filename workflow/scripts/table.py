"""Make one of the paper's tables from score files."""

from pathlib import Path

from usaid.jobs import job
from usaid.report.tables.files import write_table

with job(snakemake.log[0]):
    write_table(
        snakemake.wildcards.table,
        snakemake.input.get("scores", []),
        Path(snakemake.output.csv).parent,
        snakemake.params.settings.get("own_methods"),
    )
