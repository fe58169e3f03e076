"""A run of the workflow as it begins and ends, without Snakemake."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from small_dag import dag

from evaluators.dag.dag import Dag
from evaluators.run import RunJob, Running
from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker

FILE = "results/small/tables/table_6.csv"
TABLE = RunJob("table", {"table": "6"}, (FILE,))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recorded(key: str) -> Any:
    return json.loads(Path("results/small/jobs/run.json").read_text())[key]


def ended(jobs: Dag) -> bool:
    """How a run of one table ends that has failed."""
    run = Running(jobs, [TABLE], [TABLE], on_cluster=False)
    write_marker(FILE, Failure("table 6", "no disk"))
    return run.end([TABLE])


def test_it_says_what_will_fail_how_long_it_takes_and_where_to_look(capsys):
    score = RunJob("score", {"benchmark": "kodak_quality", "denoiser": "noisy"}, ("scores.parquet",))
    jobs = dag(subsets={"kodak/all": "one.txt", "voc2012/val": "two.txt"})
    Running(jobs, [TABLE, score], [TABLE], on_cluster=False).end([TABLE])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "warning: subsets.voc2012/val: nothing reads this split"
    assert said[1].startswith("warning: one.txt: list of ids of kodak/all is missing")
    assert said[1].endswith("(will be dashes)")
    assert ", about " in said[2]
    (line,) = said[3:]
    assert re.fullmatch(r"1 job; see it from another terminal with: \S*usaid progress results/small", line)


def test_two_at_once_are_refused_and_one_after_the_other_are_not():
    first = Running(dag(), [], [TABLE], on_cluster=False)
    with pytest.raises(UsaidError, match="is at work on this experiment"):
        Running(dag(), [], [TABLE], on_cluster=False)
    first.end([])
    del first
    assert Running(dag(), [], [], on_cluster=False).end([])


def test_a_failure_is_told_and_not_well_unless_the_experiment_allows_it(capsys):
    assert not ended(dag())
    assert "no disk" in capsys.readouterr().out
    assert recorded("how") == "failed"
    assert ended(dag(allow_failures=True))


def test_only_on_a_cluster_jobs_are_told_of_earlier_failures_by_a_file(folder):
    for on_cluster in (False, True):
        Running(dag(), [], [], on_cluster).end([])
        assert Path("results/small/.failures.json").exists() == on_cluster
