"""Score one denoiser on one benchmark; a failure becomes a score file that says why."""

import sys
import traceback

from evaluators.scoring import score_to_file, write_failure
from usaid.errors import UsaidError
from usaid.jobs import job

with job(snakemake.log[0], snakemake.threads):
    benchmark, denoiser = snakemake.wildcards.benchmark, snakemake.wildcards.denoiser
    weights = snakemake.input.weights[0] if snakemake.input.get("weights") else None
    try:
        score_to_file(snakemake.config, benchmark, denoiser, snakemake.output[0], snakemake.params.judge, weights)
    except Exception as error:
        traceback.print_exc()
        reason = str(error) if isinstance(error, UsaidError) else f"{type(error).__name__}: {error}"
        write_failure(snakemake.config, benchmark, denoiser, snakemake.output[0], reason)
        print(f"error: {benchmark} x {denoiser}: {reason}", file=sys.__stderr__)
