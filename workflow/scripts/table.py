"""Make one of the paper's tables from score files."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake):
    from usaid.report.tables.files import write_table

    write_table(
        snakemake.wildcards.table,
        snakemake.input.get("scores", []),
        Path(snakemake.output.csv).parent,
        snakemake.params.settings.get("own_methods"),
        snakemake.params.settings.get("titles"),
    )
leave()
