# What the rules share: the experiment, checked once, its jobs, and how a rule asks what a job of it reads.
# Nothing here writes: the workflow is parsed for a dry run, too.

import sys

from evaluators.dag.code import any_of
from evaluators.dag.dag import Dag
from evaluators.dag.images import ARCHIVES
from evaluators.plan.resources import resources_of
from evaluators.run import RunJob, failures, lock, parts_of, problems, summary
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

CARDS = len(cards())

DATA, RESULTS = JOBS.data_root, JOBS.results


# Of what scores wait for: where all is made, the judges are there when scoring begins, so that the benchmarks of the same
# images share work.
BEFORE_SCORES = 1

# Of jobs that need a GPU, as many at once as this machine has; more would wait for a card, and keep cores from others. A
# cluster counts its cards itself: hence local.
resource_scopes:
    gpu="local",


if CARDS and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", CARDS)

if workflow.remote_exec:
    JOBS.take_planned_failures()


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


def is_on_cluster():
    """Whether jobs run on other machines, or this is the process of such a job; known once the workflow is parsed."""
    return workflow.remote_exec or not workflow.local_exec


def get_retries(deaths=0):
    """Processes that follow a job's first one: up to two that are given more, and one that says why there is no result.

    What runs on a cluster does not start another one itself: the submitting process does, with more memory.

    Args:
        deaths: as many processes may be killed by what the job does, each by something else.
    """
    return 0 if workflow.remote_exec else 3 + deaths


def get_attempt(wildcards, attempt):
    """2 where a job's first process died without a word; on a cluster, 2 where its second one did, too.

    A cluster ends what takes more than it asked for. That says nothing of the job, which is given more and goes on.
    """
    return max(1, attempt - 1) if is_on_cluster() else attempt


def get_resources(rule):
    """What a job of a rule takes, as planned: minutes, memory and cards. Where the first processes died: more of it."""

    def planned(wildcards):
        return resources_of(JOBS, rule, dict(wildcards.items()))

    def as_often(attempt):
        return 2 ** min(attempt - 1, 2)

    return {
        "attempt": get_attempt,
        "runtime": lambda wildcards, attempt: planned(wildcards).minutes * as_often(attempt),
        "mem_mb": lambda wildcards, attempt: planned(wildcards).memory_mb * as_often(attempt),
        "gpu": lambda wildcards: planned(wildcards).gpus,
    }


def get_threads(most):
    """The threads of a job that computes: one where images are small and jobs run side by side instead."""
    return 1 if JOBS.is_generated else most


def jobs_of_run():
    """What was asked for, and what it needs: score files, however many a job makes."""
    jobs = [RunJob(job.rule.name, dict(job.wildcards_dict), tuple(map(str, job.output))) for job in workflow.dag.jobs]
    return [part for job in jobs for part in parts_of(JOBS, job)]


def start_run():
    """Before the first job: no other run at work on the same results, and what is known to fail."""
    try:
        globals()["LOCK"] = lock(RESULTS)
    except UsaidError as error:
        sys.exit(f"error: {error}")
    if is_on_cluster():
        JOBS.keep_planned_failures()
    for images in JOBS.experiment.unread_subsets:
        print(f"warning: subsets.{images}: nothing reads this split", file=sys.stderr)
    for line in problems(JOBS, jobs_of_run()):
        print(f"warning: {line} (will be dashes)", file=sys.stderr)


def end_run():
    """After the last job: what there is, what failed, and an exit status that says so."""
    jobs = jobs_of_run()
    failed = failures(JOBS, jobs)
    print(summary(JOBS, jobs, failed), flush=True)
    if failed and not JOBS.experiment.allow_failures:
        sys.exit(1)
