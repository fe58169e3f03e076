"""What is said and done around a run: the lock, what is known to fail before it starts, and what became of it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from small_dag import dag

from evaluators.dag.dag import Dag
from evaluators.run import RunJob, failures, lock, parts_of, problems, summary
from evaluators.scoring.job import write_failure
from evaluators.scoring.score_job import ScoreJob
from usaid.datasets.deepglobe import DeepGlobe
from usaid.errors import UsaidError
from usaid.failures import Failure, Ledger, write_marker


def of(rule: str, **wildcards: str) -> RunJob:
    """A job with one output."""
    return RunJob(rule, wildcards, (f"results/small/{rule}_{'_'.join(wildcards.values())}.md",))


SCORE = of("score", benchmark="kodak_quality", denoiser="noisy")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_merges_shards_has_the_name_of_the_score_file():
    jobs = dag(benchmarks={"kodak_quality": {"sigmas": [25], "shards": 2}})
    merging = RunJob("merge_shards", SCORE.wildcards, SCORE.outputs)
    assert parts_of(jobs, merging) == [SCORE]
    assert parts_of(jobs, replace(merging, rule="merge_draws_shards")) == [replace(SCORE, rule="score_draws")]


def test_score_files_have_names_of_their_own_however_many_a_job_makes():
    jobs, denoisers = dag(score_jobs="data_set"), {"noisy": {"method": "noisy"}, "clean": {"method": "clean"}}
    assert parts_of(jobs, SCORE) == [SCORE]
    jobs = dag(score_jobs="data_set", denoisers=denoisers)
    whole = RunJob("score_kodak_all", {}, tuple(jobs.outputs_of("score_kodak_all")))
    scores = "results/small/scores/kodak_quality"
    assert [(part.name, part.outputs) for part in parts_of(jobs, whole)] == [
        (f"score kodak_quality/{name}", (f"{scores}/{name}.parquet",)) for name in denoisers
    ]


class TestLock:
    """Of one experiment's results, for as long as a process lives."""

    def test_a_second_run_is_told_of_the_first_and_what_to_type(self, folder):
        with lock("results/small"), pytest.raises(UsaidError) as error:
            lock("results/small")
        pid = os.getpid()
        assert str(error.value).startswith(f"results/small: process {pid} on ")
        assert str(error.value).endswith(f": kill {pid}")
        with lock("results/other"):
            lock("results/small").close()

    def test_a_kill_frees_it(self):
        code = "import os; from evaluators.run import lock; file = lock('results/small'); os.kill(os.getpid(), 9)"
        assert subprocess.run([sys.executable, "-c", code]).returncode == -9
        lock("results/small").close()

    def test_it_is_not_handed_on_to_jobs(self):
        code = "import subprocess; from evaluators.run import lock; file = lock('results/small'); "
        code += "print(subprocess.Popen(['sleep', '5'], stdout=-3, stderr=-3).pid)"
        sleeping = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        lock("results/small").close()
        os.kill(sleeping, 9)

    def test_a_damaged_one_still_locks(self):
        with lock("results/small") as file:
            file.truncate(0)
            with pytest.raises(UsaidError, match=r"another process is at work .*: fuser -k results/small/\.lock$"):
                lock("results/small")

    def test_a_place_that_cannot_be_written_is_one_line(self, folder):
        (folder / "results").write_text("a file")
        with pytest.raises(UsaidError, match=r"^results/small/\.lock: cannot be written \("):
            lock("results/small")


class TestProblems:
    """What can be known before any job starts."""

    def test_none_where_all_is_there(self, folder):
        assert problems(dag(), [SCORE, of("data", source="kodak"), of("index")]) == []

    def test_files_that_are_missing(self, folder):
        classifier = {"network": "resnet8", "checkpoint": "mine.pth", "mean": [0.5] * 3, "std": [0.5] * 3}
        jobs = dag(
            denoisers={
                "mine": {"method": "mine:Mine", "weights": "mine.bin"},
                "many": {"method": "mlp", "weights": {"15": "a.mat", "25": "b.mat"}},
                "u_said": {"method": "u_said", "train": {"encoder_weights": "encoder.pth"}},
                "released": {"method": "u_said", "weights": "released/USAID.pth"},
            },
            benchmarks={"cifar100_classification": {"sigmas": [25], "classifier": classifier}},
        )
        benchmark = "cifar100_classification"
        asked = [of("score", benchmark=benchmark, denoiser=name) for name in jobs.entries]
        asked += [of("import_weights", denoiser=name) for name in jobs.imported]
        asked += [of("train_denoiser", denoiser=name) for name in jobs.trained]
        lines = problems(jobs, asked)
        assert [line.partition(":")[0] for line in lines] == [
            f"data/{name}" for name in ("mine.pth", "mine.bin", "a.mat", "b.mat", "encoder.pth")
        ]
        cure = "put it there or correct the key that names it"
        assert lines[0] == f"data/mine.pth: the judge of cifar100_classification is missing; {cure}"
        (folder / "data").mkdir()
        for name in ("mine.pth", "mine.bin", "a.mat", "b.mat", "encoder.pth"):
            (folder / "data" / name).touch()
        assert problems(jobs, asked) == []

    def test_a_list_of_further_draws_has_no_images_that_are_not_scored(self, folder):
        (folder / "some.txt").write_text("kodim01\nkodim02\n")
        (folder / "few.txt").write_text("kodim02\nkodim03\n")
        further = {"draws": 3, "denoisers": ["own"], "subsets": {"kodak_quality": "few.txt"}}
        entries = {"own": {"method": "mine.py:own"}}
        jobs = dag(draws=further, denoisers=entries, subsets={"kodak/all": "some.txt"})
        asked = [of("score_draws", benchmark="kodak_quality", denoiser="own")]
        where = "is not in some.txt, on which kodak_quality is scored"
        assert f"few.txt: image 'kodim03' {where}; take it out of 'draws.subsets.kodak_quality'" in problems(
            jobs, asked
        )
        (folder / "few.txt").write_text("kodim02\n")
        assert not [line for line in problems(jobs, asked) if "few.txt" in line]

    def test_a_list_of_ids_that_is_missing_or_names_what_the_split_lacks(self, folder):
        jobs = dag(subsets={"kodak/all": "some.txt"})
        (missing,) = problems(jobs, [SCORE, SCORE])
        assert missing.startswith("some.txt: list of ids of kodak/all is missing; ")
        (folder / "some.txt").write_text("kodim01\nkodim99\n")
        assert problems(jobs, [SCORE]) == [], "the data are not there yet"
        (folder / "data/kodak").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "data/kodak/kodim01.png")
        (unknown,) = problems(jobs, [SCORE])
        assert "kodim99" in unknown
        (folder / "some.txt").write_text("kodim01\n")
        assert problems(jobs, [SCORE]) == []

    def test_a_package_that_is_missing(self, monkeypatch):
        find = importlib.util.find_spec
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "bm3d" else find(name))
        jobs = dag(denoisers={"cbm3d": {"method": "cbm3d"}})
        line = "cbm3d: package bm3d is not installed; pip install 'usaid[bm3d]'"
        for rule in ("score", "score_draws"):
            assert problems(jobs, [of(rule, benchmark="kodak_quality", denoiser="cbm3d")]) == [line]

    def test_a_gpu_that_is_not_there(self, monkeypatch):
        monkeypatch.setattr("evaluators.run.before.GPU_DRIVERS", ("no/driver",))
        (line,) = problems(dag(device="cuda:1"), [])
        assert line.startswith("device = cuda:1: this machine has no GPU driver; ")
        monkeypatch.setattr("evaluators.run.before.GPU_DRIVERS", ("no/driver", "/"))
        assert problems(dag(device="cuda"), []) == []

    def test_data_that_nothing_fetches(self, folder):
        (line,) = problems(dag(), [of("data", source="deepglobe"), of("data", source="coco")])
        assert line.startswith("data set deepglobe is not there: ")
        (folder / "data" / DeepGlobe.folders["val"]).mkdir(parents=True)
        assert problems(dag(), [of("data", source="deepglobe")]) == []


class TestSummary:
    """One message at the end."""

    JOBS = (
        of("data", source="kodak"), SCORE, of("table", table="6"), of("table", table="4"), of("index"),
        RunJob("all_tables", {}, ()),
    )  # fmt: skip

    @pytest.fixture
    def ended(self, folder) -> Dag:
        """Data failed, which took the scores and a table with it."""
        jobs, root = dag(), Failure("data kodak", "no mirror gave it; put it there", "data.log")
        for job in self.JOBS[:3]:
            ledger = Ledger.at(jobs.results, job.rule, job.wildcards.values())
            with ledger.held():
                ledger.note("failed", root)
        for job in self.JOBS[3:5]:
            Path(job.outputs[0]).write_text("a page")
        return jobs

    def test_names_pages_that_there_are_and_each_root_cause_once(self, ended):
        lines = summary(ended, self.JOBS, failures(ended, self.JOBS)).strip("\n").splitlines()
        assert lines[:-2] == [
            "  table 6: failed",
            "Tables: results/small/index_.md",
            "Failed: 3 of 5 jobs",
            "  data kodak failed: no mirror gave it; put it there (log: data.log)",
            "    so these are not made: score kodak_quality/noisy, table 6",
        ]
        assert lines[-2].startswith("Mend the causes and type the same command again")
        assert lines[-1].startswith("The exit status is 1")

    def test_each_page_is_named_where_none_shows_all(self, ended):
        jobs = self.JOBS[:4]
        lines = summary(ended, jobs, failures(ended, jobs)).strip("\n").splitlines()
        assert lines[:2] == ["  table 4: results/small/table_4.md", "  table 6: failed"]

    def test_without_failures_it_only_names_the_pages(self, folder):
        Path("results/small").mkdir(parents=True)
        Path(self.JOBS[4].outputs[0]).write_text("a page")
        text = summary(dag(), self.JOBS, failures(dag(), self.JOBS))
        assert "Failed" not in text
        assert "table 6" not in text, "it does not exist"
        assert text.endswith("Stopped before all was tried: to go on, type the same command again.")
        assert "results/small/index_.md" in text

    def test_the_report_comes_with_its_size_and_what_to_look_at_first(self, folder):
        page = RunJob("report_page", {}, ("results/small/report/index.html",))
        Path(page.outputs[0]).parent.mkdir(parents=True)
        Path(page.outputs[0]).write_bytes(b" " * 1_940_000)
        _, report, how = summary(dag(), [page], {}).splitlines()
        assert report == "Report: results/small/report/index.html"
        first = "  1.9 MB; open it in a browser, and look first at the verdict at its top"
        assert how == f"{first} and Table VI"
        assert summary(dag(keep_images={}), [page], {}).endswith(f"{first}, Table VI and the images side by side")
        failed = {"table 6": Failure("table 6", "it broke")}
        assert f"{first} and Table IV\n" in summary(dag(), [page], failed)

    def test_an_experiment_may_allow_failures(self, ended):
        text = summary(dag(allow_failures=True), self.JOBS, failures(ended, self.JOBS))
        assert "exit status" not in text

    def test_results_that_came_without_ledgers_count_too(self, ended):
        shutil.rmtree("results/small/jobs")
        failure = Failure("table 4", "out of luck")
        write_marker(self.JOBS[3].outputs[0], failure)
        assert failures(ended, self.JOBS) == {"table 4": failure}

    @pytest.mark.parametrize("rule", ["score", "score_draws"])
    def test_score_files_say_themselves_why_they_have_no_rows(self, rule):
        job = of(rule, benchmark="kodak_quality", denoiser="noisy")
        write_failure(ScoreJob(dag().experiment, "kodak_quality", "noisy", Path(job.outputs[0]), None), "it broke")
        assert failures(dag(), [job]) == {job.name: Failure(f"{rule} kodak_quality/noisy", "it broke")}

    def test_a_job_that_was_killed_has_no_result(self, ended):
        for job in (self.JOBS[1], self.JOBS[3]):
            ledger = Ledger.at(ended.results, job.rule, job.wildcards.values())
            with ledger.held():
                ledger.note("running")
        assert [*failures(ended, self.JOBS)] == ["data kodak", "score kodak_quality/noisy", "table 6"]
        Path(self.JOBS[3].outputs[0]).unlink()
        assert failures(ended, self.JOBS)["table 4"] == Failure("table 4", "its process ended without a word")
