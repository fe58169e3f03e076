"""Write the page that shows an experiment, and others beside it."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake, takes_failures=True):
    from usaid.report.page.write import write_report

    output = Path(snakemake.output[0])
    write_report([output.parents[1], *map(Path, snakemake.params.settings["beside"])], output)
leave()
