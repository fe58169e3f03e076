"""Write the page that lists the tables, failed ones with their reasons, and the provenance of all scores in them."""

from usaid.jobs import job

with job(snakemake, takes_failures=True):
    from usaid.report.tables.files import write_index, write_provenance

    pages = snakemake.input.get("pages", [])
    write_index(snakemake.output.index, snakemake.input.tables, snakemake.config["experiment"], pages)
    write_provenance(snakemake.output.provenance, snakemake.input.get("scores", []))
