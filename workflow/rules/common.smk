# What the rules share: the experiment, checked once, its jobs, and how a rule asks what a job of it reads.
# Nothing here writes: the workflow is parsed for a dry run, too.

import os
import sys

from evaluators.dag.code import any_of
from evaluators.dag.dag import Dag
from evaluators.dag.images import ARCHIVES
from evaluators.plan.resources import resources_of
from evaluators.run import RunJob, Running
from evaluators.run.processes import retries, told_attempt
from evaluators.scoring.shard import ANY_SHARD
from usaid import __version__
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment, checked_files
from usaid.gpu_lease import cards
from usaid.report.figures import FIGURES

# `--config allow_failures=true` comes as text; only True and False do not.
if config.get("allow_failures") in ("true", "false"):
    config["allow_failures"] = config["allow_failures"] == "true"

try:
    checked_files(workflow.configfiles)
    JOBS = Dag(checked_experiment(config))
except UsaidError as error:
    sys.exit(f"error: {error}")

DATA, RESULTS = JOBS.data_root, JOBS.results

# Whether jobs run on other machines, or this is the process of such a job. Only executors of clusters count jobs
# (`jobs` in profiles/slurm); the executor itself is known when all rules have been read, too late for `retries`.
ON_CLUSTER = workflow.remote_exec or workflow.resource_settings.nodes is not None

if workflow.remote_exec:
    JOBS.take_planned_failures()

# What envs/suite.post-deploy.sh installs.
os.environ |= {"USAID_SUITE": str(workflow.basedir), "USAID_VERSION": __version__}

# Priority of what scores wait for: where all is made, the judges are there when scoring begins, so that the benchmarks
# of the same images share work.
BEFORE_SCORES = 1


# Of jobs that need a GPU, as many at once as this machine has; more would wait for a card, and keep cores from others.
# A cluster counts its cards itself: hence local.
resource_scopes:
    gpu="local",


if (CARDS := len(cards())) and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", CARDS)


wildcard_constraints:
    source=any_of(JOBS.sources),
    benchmark=any_of(JOBS.experiment.benchmarks),
    denoiser=any_of(JOBS.entries),
    table=any_of(JOBS.specs),
    shard=ANY_SHARD,


def get_files(job):
    """The input files of a job, by its wildcards."""
    return unpack(lambda wildcards: job(**dict(wildcards.items())).files)


def get_settings(job):
    """What of the experiment a job depends on, by its wildcards."""
    return lambda wildcards: job(**dict(wildcards.items())).settings


def get_code(job):
    """Hash of the code of a job, by its wildcards."""
    return lambda wildcards: job(**dict(wildcards.items())).code


def get_parts(rule):
    """The score file of a job, by its wildcards: what it depends on, and what it is told."""
    return lambda wildcards: [JOBS.part(rule, **dict(wildcards.items()))]


def get_parts_of(batch):
    """The score files of a job that makes many."""
    return lambda wildcards: JOBS.batch(batch).settings["parts"]


def get_files_of(batch):
    """The input files of a job that makes many score files."""
    return lambda wildcards: JOBS.batch(batch).files["all"]


def get_parts_of_images(*denoisers):
    """The archives of a job, by its wildcards or of all these denoisers: what they depend on, and what it is told."""
    return lambda wildcards: [JOBS.part_of_images(name) for name in denoisers or wildcards]


def get_failures(rule):
    """How often a job has failed so far: one that failed differs from what was recorded of it, and is made again."""
    return lambda wildcards: JOBS.failures_of(rule, wildcards)


def get_labels_of_table(wildcards):
    """What Snakemake's report lists a table by, in the paper's order."""
    spec = JOBS.specs[wildcards.table]
    return {"No.": f"{spec.number:02}" if spec.number else "–", "Table": spec.title}


def get_labels_of_figure(wildcards):
    """What Snakemake's report lists a figure by."""
    return {"Figure": f"Figure {wildcards.figure}", "Shows": FIGURES[wildcards.figure].title}


def get_retries(deaths=1):
    """Processes that may follow a job's first one, of which so many may die before one says why there is no result."""
    # What runs on a cluster does not start another process itself: the submitting one does, with more memory.
    return 0 if workflow.remote_exec else retries(deaths, ON_CLUSTER)


def get_resources(rule):
    """What a job takes as planned, by its wildcards; each process that follows the first has more time and memory."""

    def ask(name):
        return lambda wildcards, attempt: getattr(resources_of(JOBS, rule, dict(wildcards.items()), attempt), name)

    return {
        "attempt": lambda wildcards, attempt: told_attempt(attempt, ON_CLUSTER),
        "runtime": ask("minutes"),
        "mem_mb": ask("memory_mb"),
        "gpu": ask("gpus"),
    }


def get_threads(most):
    """The threads of a job that computes: one where images are small and jobs run side by side instead."""
    return 1 if JOBS.is_generated else most


def jobs_of(snakemakes):
    """Jobs of Snakemake's, as the suite knows them."""
    return [
        RunJob(job.rule.name, dict(job.wildcards_dict), tuple(map(str, job.output)), ", ".join(map(str, job.log)))
        for job in snakemakes
    ]


def start_run():
    """Before the first job: keep the results, say what is known to fail. A job of a cluster does not (--no-hooks)."""
    try:
        run = Running(JOBS, jobs_of(workflow.dag.jobs), jobs_of(workflow.dag.needrun_jobs()), ON_CLUSTER)
    except UsaidError as error:
        sys.exit(f"error: {error}")
    globals()["RUN"] = run


def end_run():
    """After the last job: say what there is and what failed, also by the exit status."""
    if not RUN.end(jobs_of(workflow.dag.jobs)):
        sys.exit(1)
