"""Fetch the released checkpoints or NIQE's parameters."""

from usaid.download import fetch
from usaid.jobs import job

with job(snakemake.log[0]):
    fetch(snakemake.params.name, snakemake.params.data_root)
