"""Write how sure the tables of a benchmark are."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake):
    from usaid.report.statistics.pages import write_statistics

    write_statistics(
        snakemake.wildcards.benchmark,
        snakemake.input.scores,
        Path(snakemake.output.csv).parent,
        snakemake.input.get("ablation", []),
    )
leave()
