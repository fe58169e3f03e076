# What the rules share: the experiment, checked once, its jobs, and how a rule asks what a job of it reads.

import sys

from evaluators.dag import Dag, any_of
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment

# A failed score file is no result: it is forgotten when a run starts, so that the job is tried again.
try:
    JOBS = Dag(checked_experiment(config))
    if workflow.is_main_process:
        JOBS.forget_failures()
except UsaidError as error:
    sys.exit(f"error: {error}")

DATA, RESULTS = JOBS.data_root, JOBS.results


wildcard_constraints:
    source=any_of(JOBS.sources),
    benchmark=any_of(JOBS.experiment.benchmarks),
    denoiser=any_of(JOBS.entries),
    table=any_of(JOBS.specs),


def get_files(job):
    """The input files of a job, by its wildcards."""
    return unpack(lambda wildcards: job(**dict(wildcards.items())).files)


def get_settings(job):
    """What of the experiment a job depends on, by its wildcards."""
    return lambda wildcards: job(**dict(wildcards.items())).settings


def get_code(job):
    """Hash of the code of a job, by its wildcards."""
    return lambda wildcards: job(**dict(wildcards.items())).code


def get_threads(most):
    """The threads of a job that computes: one where images are small and jobs run side by side instead."""
    return 1 if JOBS.is_generated else most
