"""Write the page that lists the tables, and the provenance of all scores in them."""

from usaid.jobs import job
from usaid.report.tables.files import write_index, write_provenance

with job(snakemake.log[0]):
    pages = snakemake.input.get("pages", [])
    write_index(snakemake.output.index, snakemake.input.tables, snakemake.config["experiment"], pages)
    write_provenance(snakemake.output.provenance, snakemake.input.get("scores", []))
