"""Write the page that lists the tables, failed ones with their reasons, all verdicts, and the provenance of scores."""

from usaid.jobs import job, leave

with job(snakemake, takes_failures=True):
    from usaid.report.tables.files import write_index, write_provenance, write_verdicts

    pages = snakemake.input.get("pages", [])
    write_index(snakemake.output.index, snakemake.input.tables, snakemake.config["experiment"], pages)
    write_verdicts(snakemake.output.verdicts, snakemake.input.tables)
    write_provenance(snakemake.output.provenance, snakemake.input.get("scores", []))
leave()
