"""The jobs of a target, as Snakemake finds them."""

import re
from collections import Counter
from pathlib import Path

import pytest
from snakemake_runs import REPOSITORY, run

from evaluators.dag.dag import Dag
from evaluators.plan.jobs import jobs_of
from usaid.errors import UsaidError
from usaid.experiment.reading import read_experiment

CONFIG = REPOSITORY / "config"
TARGETS = r"all|all_tables|statistics|figures|images|report|table_.*|figure_(?!2_files).+|total"
"""Rules that ask for files and make none."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["smoke", "paper", "released"])
def test_the_same_jobs_as_snakemake(folder, name):
    said = run(folder, "--dry-run", "--quiet", "rules", configs=[str(CONFIG / f"{name}.yaml")])
    stats = dict(re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE))
    theirs = {rule: int(number) for rule, number in stats.items() if not re.fullmatch(TARGETS, rule)}
    assert theirs
    assert Counter(job.rule for job in jobs_of(Dag(read_experiment(CONFIG / f"{name}.yaml")))) == theirs


SHARDED = """
experiment: sharded
data_root: data
denoisers: {noisy: {method: noisy}, clean: {method: clean}}
draws: {draws: 2, denoisers: [noisy]}
benchmarks:
  voc_segmentation: {sigmas: [25], shards: 3, segmenter: {network: fpn, train: {}}}
  voc_quality: {sigmas: [25]}
"""


def test_shards_are_jobs_as_snakemake_has_them(folder):
    (folder / "sharded.yaml").write_text(SHARDED)
    said = run(folder, "all_tables", "--dry-run", "--quiet", "rules", configs=["sharded.yaml"])
    theirs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)}
    theirs = {rule: number for rule, number in theirs.items() if not re.fullmatch(TARGETS, rule)}
    assert (theirs["score_shard"], theirs["merge_shards"], theirs["score"]) == (6, 2, 2)
    assert (theirs["score_draws_shard"], theirs["merge_draws_shards"]) == (3, 1)
    assert Counter(job.rule for job in jobs_of(Dag(read_experiment("sharded.yaml")), ["all_tables"])) == theirs


def test_each_job_is_behind_what_it_waits_for():
    jobs = jobs_of(Dag(read_experiment(CONFIG / "smoke.yaml")))
    makers = {output: place for place, job in enumerate(jobs) for output in job.outputs}
    edges = [(makers[path], place) for place, job in enumerate(jobs) for path in job.inputs if path in makers]
    assert len(edges) > len(jobs)
    assert all(before < after for before, after in edges)


def test_a_table_has_fewer_jobs_than_all():
    dag = Dag(read_experiment(CONFIG / "paper.yaml"))
    of_table, of_all = ({job.key for job in jobs_of(dag, [target])} for target in ("table_6", "all"))
    assert of_table < of_all
    assert ("train_judge", "cifar100_classification") not in of_table


def test_a_target_that_there_is_not():
    with pytest.raises(UsaidError, match="target 'table_66': experiment 'smoke' has none; one of all, all_tables"):
        jobs_of(Dag(read_experiment(CONFIG / "smoke.yaml")), ["table_66"])
