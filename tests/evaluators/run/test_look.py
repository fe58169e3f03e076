"""What a run is at: its record, the ledgers and states of its jobs, and what is said of them."""

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluators.dag.dag import Dag
from evaluators.run import RunJob, begin_record, end_record, how_it_ended
from evaluators.run.look import JobSight, Looker, Sight, first_line, in_words, line_of_sight
from evaluators.run.record import (
    NAME,
    RecordedJob,
    RunRecord,
    command_line,
    folder_of,
    is_at_work,
    read_record,
    say_a_word,
    write_record,
)
from evaluators.run.report import content_of_run, seen_run, text_of_run
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment
from usaid.failures import Failure, Ledger
from usaid.job_state import JobReport, JobState

RESULTS = Path("results/small")
NAMES = ("noisy", "clean")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dag(**changes: Any) -> Dag:
    """The jobs of a small experiment."""
    experiment = {
        "experiment": "small",
        "data_root": "data",
        "denoisers": {name: {"method": name} for name in NAMES},
        "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    }
    return Dag(checked_experiment(experiment | changes))


SCORES = [
    RunJob("score", {"benchmark": "kodak_quality", "denoiser": name}, (f"{name}.parquet",), f"{name}.log")
    for name in NAMES
]
TABLE = RunJob("table", {"table": "6"}, ("table_6.md",), "table_6.log")
JOBS = [*SCORES, TABLE, RunJob("all_tables", {}, ())]


def note(name: str, state: Any, failure: Failure | None = None, rule: str = "score") -> None:
    """Write the ledger of a score file, as a job does."""
    ledger = Ledger.at(RESULTS, rule, ["kodak_quality", name])
    with ledger.held():
        ledger.note(state, failure)


def begun(jobs: Any = JOBS, **options: Any) -> RunRecord:
    return begin_record(dag(), jobs, **options)


def hows(record: RunRecord) -> list[str]:
    return [job.how for job in Looker(RESULTS, record).look().jobs]


def at_work(name: str, total: int, done: int, title: str = "kodak") -> JobReport:
    """A report of a score job that runs."""
    report = JobReport(RESULTS / f"jobs/score/kodak_quality/{name}.progress", f"score kodak_quality/{name}", "a.log")
    report._written = -100.0
    report.begin(title, total, "image", done)
    return report


class TestRecord:
    """What was started."""

    def test_it_is_read_as_it_was_written_and_leaves_targets_out(self):
        note("noisy", "made")
        record = begun(seconds={"table 6": 3.0})
        assert read_record(RESULTS) == record
        assert [(job.name, job.place, job.log, job.seconds) for job in record.jobs] == [
            ("score kodak_quality/noisy", "score/kodak_quality/noisy", "noisy.log", None),
            ("score kodak_quality/clean", "score/kodak_quality/clean", "clean.log", None),
            ("table 6", "table/6", "table_6.log", 3.0),
        ]
        assert [*record.jobs[0].parts.values()] > [0] == [*record.jobs[1].parts.values()]
        assert (record.pid, record.host, record.how) == (os.getpid(), socket.gethostname(), "")

    def test_a_job_of_many_score_files_has_their_ledgers(self):
        jobs = dag(score_jobs="data_set")
        whole = RunJob("score_kodak_all", {}, tuple(jobs.outputs_of("score_kodak_all")))
        (job,) = begin_record(jobs, [whole]).jobs
        assert (job.name, job.place) == ("score_kodak_all", "score_kodak_all")
        assert [*job.parts] == [f"score/kodak_quality/{name}" for name in NAMES]

    def test_its_end_is_added(self):
        record = replace(begun(), began=time.time() - 100)
        ended = end_record(RESULTS, record, "failed")
        assert read_record(RESULTS) == ended
        assert ended.how == "failed"
        assert ended.wall_seconds == pytest.approx(100, abs=30)

    def test_states_of_a_killed_run_are_gone_when_the_next_begins(self):
        at_work("noisy", 9, 3)
        assert hows(begun()) == ["waiting"] * 3

    def test_it_lives_as_its_process_does(self):
        record = begun()
        assert is_at_work(RESULTS, record)
        assert not is_at_work(RESULTS, replace(record, born=record.born + 1)), "another process has its number"
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        assert not is_at_work(RESULTS, replace(record, pid=gone.pid))
        assert not is_at_work(RESULTS, replace(record, how="done"))

    def test_of_another_machine_s_only_its_last_word_is_known(self):
        record = replace(begun(), host="elsewhere", pid=1 << 30)
        assert is_at_work(RESULTS, record)
        os.utime(RESULTS / "jobs" / NAME, (0, 0))
        assert not is_at_work(RESULTS, record)
        assert is_at_work(RESULTS, record, newest=time.time() - 5), "a job of it spoke"
        say_a_word(RESULTS)
        assert is_at_work(RESULTS, record)

    @pytest.mark.parametrize(
        "content", [b"", b"{}", b"[]", b"\xff", b'{"jobs": 3}', b'{"jobs": [{"parts": []}]}', b"[" * 99_999]
    )
    def test_a_file_that_is_none_is_named_with_the_cure(self, content):
        (RESULTS / "jobs").mkdir(parents=True)
        (RESULTS / "jobs" / NAME).write_bytes(content)
        with pytest.raises(UsaidError, match=r"^results/small/jobs/run\.json: not the record of a run; delete it"):
            read_record(RESULTS)

    def test_a_half_written_one_is_none(self):
        begun()
        path = RESULTS / "jobs" / NAME
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(UsaidError, match="not the record of a run"):
            read_record(RESULTS)

    @pytest.mark.parametrize(
        "damage",
        [
            *({"began": number} for number in (math.nan, math.inf, 10**400, "now", None)),
            *({"wall_seconds": number} for number in (math.nan, -math.inf, "long", [])),
            *({"pid": 1e308}, {"born": 0.5}, {"how": "well"}, {"how": []}, {"host": 3}, {"command": None}),
            *({"jobs": [job]} for job in ({"name": 3}, {"place": {}}, {"seconds": math.nan}, {"seconds": 10**400})),
            *({"jobs": [{"parts": parts}]} for parts in ({"a\0b": 1}, {"a": math.inf}, {"a": []})),
        ],
    )
    def test_a_record_of_what_cannot_be_is_none(self, damage):
        begun()
        path = RESULTS / "jobs" / NAME
        said = json.loads(path.read_bytes())
        jobs = [said["jobs"][0] | job for job in damage.get("jobs", [])]
        path.write_text(json.dumps(said | damage | ({"jobs": jobs} if jobs else {})))
        with pytest.raises(UsaidError, match="not the record of a run"):
            read_record(RESULTS)

    def test_no_folder_and_no_run_are_told_apart(self):
        with pytest.raises(UsaidError, match=r"^results/small: no such folder; "):
            read_record(RESULTS)
        RESULTS.mkdir(parents=True)
        with pytest.raises(UsaidError, match=r"^results/small: no run has begun here; "):
            read_record(RESULTS)

    def test_what_was_typed_and_where(self, folder, monkeypatch):
        assert command_line(["/x/bin/snakemake", "--cores", "2", "a b"]) == "snakemake --cores 2 'a b'"
        assert command_line(["/x/snakemake/__main__.py", "all"]) == "python -m snakemake all"
        monkeypatch.setenv("PWD", "/typed/here")
        assert folder_of(["snakemake", "--cores", "2"]) == str(folder)
        assert folder_of(["snakemake", "--directory", "elsewhere"]) == "/typed/here"

    def test_how_it_ended(self, folder):
        failed = {"table 6": Failure("table 6", "it broke")}
        died = {"table 6": Failure("table 6", "its process ended without a word")}
        assert how_it_ended(dag(), [TABLE], {}) == how_it_ended(dag(), [TABLE], died) == "stopped"
        assert how_it_ended(dag(), [TABLE], failed) == "failed"
        Path("table_6.md").touch()
        assert how_it_ended(dag(), [TABLE], failed) == "failed"
        assert how_it_ended(dag(), [TABLE], {}) == "done"


class TestLook:
    """What its jobs are at."""

    def test_jobs_go_from_waiting_to_running_to_their_end(self):
        note("noisy", "failed", Failure("score kodak_quality/noisy", "of an earlier run"))
        record = begun()
        assert hows(record) == ["waiting"] * 3, "what an earlier run wrote does not count"
        note("noisy", "running")
        note("clean", "stopped")
        assert hows(record) == ["running", "waiting", "waiting"]
        note("noisy", "made")
        note("clean", "failed", Failure("data kodak", "no mirror gave it"))
        looker = Looker(RESULTS, record)
        sight = looker.look()
        assert [job.how for job in sight.jobs] == ["made", "failed", "waiting"]
        assert sight.failures == {Failure("data kodak", "no mirror gave it"): ["score kodak_quality/clean"]}
        shutil.rmtree(RESULTS / "jobs/score")
        assert looker.look().jobs == sight.jobs, "what has ended is not looked at again"

    def test_a_job_of_many_is_done_when_its_last_result_is(self):
        jobs = dag(score_jobs="data_set")
        whole = RunJob("score_kodak_all", {}, tuple(jobs.outputs_of("score_kodak_all")))
        record = begin_record(jobs, [whole])
        note("noisy", "failed", Failure("score kodak_quality/noisy", "it broke"))
        note("clean", "running")
        (job,) = Looker(RESULTS, record).look().jobs
        assert (job.how, job.fraction) == ("running", 0.5)
        note("clean", "made")
        (job,) = Looker(RESULTS, record).look().jobs
        assert (job.how, job.fraction) == ("failed", 1.0)

    def test_a_job_whose_process_is_gone_waits(self):
        record = begun()
        note("noisy", "running")
        at_work("noisy", 8, 2)
        assert hows(record)[0] == "running"
        path = RESULTS / "jobs/score/kodak_quality/noisy.progress"
        path.write_text(json.dumps({**json.loads(path.read_text()), "pid": (1 << 31) - 1}))
        assert hows(record)[0] == "waiting"

    def test_foreign_and_half_written_files_are_passed_over(self):
        record = begun()
        at_work("noisy", 8, 2)
        for name, content in {"x.progress": b"{", "notes.txt": b"mine", "table/6.json": b'{"sta'}.items():
            path = RESULTS / "jobs" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        assert hows(record) == ["running", "waiting", "waiting"]


def sight(*jobs: JobSight, elapsed: float = 60.0) -> Sight:
    return Sight(jobs, elapsed)


def job(how: Any, fraction: float = 0.0, seconds: float | None = None, **state: Any) -> JobSight:
    recorded = RecordedJob("score kodak/noisy", "score", "a.log", "score/kodak/noisy", {}, seconds)
    return JobSight(recorded, how, fraction, JobState(**STATE | state) if state else None)


STATE = {
    "name": "score kodak/noisy", "title": "kodak", "done": 0, "total": 100, "unit": "image", "rate": None,
    "parts_done": 0, "parts": 1, "since": 0.0, "updated": 0.0, "pid": 1, "host": "there", "log": "a.log",
}  # fmt: skip


class TestInWords:
    """The line, and the time left."""

    def test_the_time_left_weighs_jobs_by_the_plan(self):
        planned = sight(job("made", 1.0, 10.0), job("waiting", 0.0, 30.0))
        assert planned.seconds_left == pytest.approx(180)
        alike = sight(job("made", 1.0), job("waiting"))
        assert alike.seconds_left == pytest.approx(60)
        half = sight(job("made", 1.0, 10.0), job("running", 0.5), job("waiting", 0.0, 30.0))
        assert half.seconds_left == pytest.approx(60 * 40 / 20), "an unplanned job is as long as the usual one"

    def test_it_is_at_least_that_of_the_longest_running_job(self):
        assert sight(job("made", 1.0), job("running", 0.5, done=50, rate=0.1)).seconds_left == pytest.approx(500)

    def test_too_little_says_nothing_and_without_a_plan_it_takes_more(self):
        assert sight(job("made", 1.0), *[job("waiting")] * 9).seconds_left is None
        assert sight(job("made", 1.0, 1.0), *[job("waiting", 0.0, 1.0)] * 9).seconds_left == pytest.approx(540)
        assert sight().seconds_left == 0

    def test_the_line_says_jobs_rates_time_and_what_runs(self):
        seen = sight(
            job("made", 1.0), job("failed", 1.0), job("running", 0.25, done=25, rate=2.0),
            job("running", 0.5, done=50, rate=40.0), job("running", 0.0, unit="step", rate=1.5, total=None),
        )  # fmt: skip
        line = line_of_sight(seen)
        assert line.startswith("2 of 5 jobs (1 failed), 42 images/s, 1.5 steps/s, about 49 s left: ")
        assert line.endswith(": score kodak/noisy 25%, score kodak/noisy 50%, score kodak/noisy")

    @pytest.mark.parametrize("width", [0, 1, 3, 4, 10, 39, 40, 79])
    def test_it_is_cut_to_the_terminal(self, width):
        seen = sight(*[job("running", 0.25, done=25, rate=2.0)] * 9)
        line = line_of_sight(seen, width)
        assert len(line) == width
        assert line.endswith("..."[:width])
        assert line_of_sight(sight(job("waiting")), 40) == "0 of 1 jobs"

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (-1, "0 s"),
            (9.4, "9 s"),
            (99.4, "99 s"),
            (99.6, "2 min"),
            (5400, "90 min"),
            (9000, "2 hours"),
            (9e6, "104 days"),
        ],
    )
    def test_times(self, seconds, words):
        assert in_words(seconds) == words


class TestReport:
    """What ``usaid progress`` says."""

    def test_a_run_at_work(self):
        begun()
        note("noisy", "running")
        at_work("noisy", 1200, 30)
        note("clean", "failed", Failure("data kodak", "no mirror gave it", "data.log"))
        text = text_of_run(seen_run(RESULTS))
        first, second, counts, *rest = text.splitlines()
        assert first.startswith("results/small: running for ")
        assert f" on {socket.gethostname()}: " in second
        assert counts == "0 of 3 jobs made, 1 running, 1 failed, 1 waiting, about 0 s left"
        assert rest == [
            "Running:",
            "  score kodak_quality/noisy: 30 of 1,200 images (log: a.log)",
            "Failed:",
            "  data kodak failed: no mirror gave it (log: data.log)",
            "    so these are not made: score kodak_quality/clean",
        ]

    def test_what_files_say_does_not_steer_the_terminal(self):
        begun()
        at_work("noisy", 1200, 30, title="\x1b[2Jkodak\nDone")
        text = text_of_run(seen_run(RESULTS))
        assert "?[2Jkodak?Done" in text
        assert "\x1b" not in text

    def test_a_killed_one_says_how_to_go_on(self, folder):
        record = replace(begun(), pid=(1 << 31) - 1, command="snakemake --cores 2", folder=str(folder))
        write_record(RESULTS, record)
        note("noisy", "made")
        lines = text_of_run(seen_run(RESULTS)).splitlines()
        assert lines[0].startswith(f"results/small: killed: process {record.pid} on ")
        assert lines[2] == "1 of 3 jobs made, 2 not made"
        assert lines[-1] == f"Go on with: cd {folder} && snakemake --cores 2"

    @pytest.mark.parametrize(
        ("how", "first", "last"),
        [
            ("done", "done after", "3 of 3"),
            ("failed", "ended after", "Mend"),
            ("stopped", "stopped after", "Go on with"),
        ],
    )
    def test_one_that_has_ended(self, how, first, last):
        record = begun()
        for name in NAMES:
            note(name, "made")
        with (table := Ledger.at(RESULTS, "table", ["6"])).held():
            table.note("made")
        end_record(RESULTS, record, how)
        lines = text_of_run(seen_run(RESULTS)).splitlines()
        assert lines[0].startswith(f"results/small: {first}")
        assert lines[-1].startswith(last)

    def test_json_says_the_same(self):
        begun()
        at_work("noisy", 1200, 30)
        content = json.loads(json.dumps(content_of_run(seen_run(RESULTS))))
        assert content["how"] == "running"
        assert content["counts"] == {"made": 0, "running": 1, "failed": 0, "waiting": 2}
        running = content["jobs"][0]
        assert (running["name"], running["how"], running["state"]["done"]) == (SCORES[0].name, "running", 30)


def test_without_an_activated_environment_the_first_line_says_where_the_command_is(folder, monkeypatch):
    record = begin_record(dag(), [RunJob("table", {"table": "6"}, (f"{RESULTS}/tables/table_6.csv",))], {})
    (folder / ".venv/bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(folder / ".venv/bin/python"))
    monkeypatch.setenv("PATH", str(folder))
    assert first_line(RESULTS, record).endswith("with: usaid progress results/small")
    (folder / ".venv/bin/usaid").touch(0o755)
    assert first_line(RESULTS, record).endswith("with: .venv/bin/usaid progress results/small")
    monkeypatch.setenv("PATH", str(folder / ".venv/bin"))
    assert first_line(RESULTS, record).endswith("with: usaid progress results/small")
