# What the rules share: the experiment, checked once, its jobs, and how a rule asks what a job of it reads.
# Nothing here writes: the workflow is parsed for a dry run, too.

import sys

from evaluators.dag.code import any_of
from evaluators.dag.dag import Dag
from evaluators.dag.images import ARCHIVES
from evaluators.plan import line_of
from evaluators.run import RunJob, failures, lock, parts_of, problems, summary
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment, checked_files
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


# Of what scores wait for: where all is made, the judges are there when scoring begins, so that the benchmarks of the same
# images share work.
BEFORE_SCORES = 1


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


def get_attempt(wildcards, attempt):
    """2 where a job's first process died without a word."""
    return attempt


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
    for images in JOBS.experiment.unread_subsets:
        print(f"warning: subsets.{images}: nothing reads this split", file=sys.stderr)
    for line in problems(JOBS, jobs_of_run()):
        print(f"warning: {line} (will be dashes)", file=sys.stderr)
    to_do = [RunJob(job.rule.name, {}, tuple(map(str, job.output))) for job in workflow.dag.needrun_jobs()]
    if line := line_of(JOBS, to_do):
        print(line, flush=True)


def end_run():
    """After the last job: what there is, what failed, and an exit status that says so."""
    jobs = jobs_of_run()
    failed = failures(JOBS, jobs)
    print(summary(JOBS, jobs, failed), flush=True)
    if failed and not JOBS.experiment.allow_failures:
        sys.exit(1)
