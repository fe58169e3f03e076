"""Write which of the paper's sentences hold."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake):
    from usaid.report.claims.files import write_claims

    folder = Path(snakemake.output.csv).parent
    write_claims(snakemake.input.get("scores", []), folder, snakemake.input.get("ablation", []))
leave()
