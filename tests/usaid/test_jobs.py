"""What every job of the workflow does: log, threads, and a failure that is said in place of its results."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from usaid import jobs
from usaid.errors import UsaidError
from usaid.failures import Failure, Ledger, failure_in, write_marker
from usaid.jobs import Part, Parts, job, job_of_parts


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of(attempt: int = 1, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = ("made.txt",)) -> Any:
    """What Snakemake tells a script."""
    return SimpleNamespace(
        rule="score", wildcards=["kodak", "noisy"], input=inputs, output=outputs, log=["job.log"], threads=1,
        resources={"attempt": attempt}, config={"experiment": "tiny"},
    )  # fmt: skip


def ledger() -> Ledger:
    return Ledger.at("results/tiny", "score", ["kodak", "noisy"])


def make(attempt: int = 1, **files: tuple[str, ...]) -> None:
    """A job that does what it should."""
    with job(of(attempt, **files)):
        print("at work")
        Path("made.txt").write_text("whole")


def fail(error: Exception) -> None:
    with job(of()):
        raise error


def test_output_goes_to_the_log_and_the_ledger_says_made():
    make()
    assert Path("job.log").read_text() == "at work\n"
    assert Path("results/tiny/jobs/score/kodak/noisy.json").is_file()
    assert (ledger().state, ledger().failures, ledger().as_failure()) == ("made", 0, None)


def test_a_failure_is_a_line_a_traceback_in_the_log_and_a_marker_in_place_of_each_output(capfd):
    with job(of(outputs=("a.csv", "b/c.png"))):
        Path("a.csv").write_text("half")
        raise UsaidError("bad.png: does not decode")
    assert capfd.readouterr().err == "error: score kodak/noisy: bad.png: does not decode\n"
    assert "Traceback" in Path("job.log").read_text()
    expected = Failure("score kodak/noisy", "bad.png: does not decode", "job.log")
    assert failure_in("a.csv") == failure_in("b/c.png") == ledger().as_failure() == expected


def test_of_an_error_that_is_not_ours_the_type_is_said():
    fail(ZeroDivisionError("division\nby zero"))
    failure = failure_in("made.txt")
    assert failure is not None
    assert failure.reason == "ZeroDivisionError: division by zero"


def test_failures_are_counted_and_results_are_not():
    counts = []
    for run in (lambda: fail(ValueError()), lambda: fail(ValueError()), make, make, lambda: fail(ValueError())):
        run()
        counts.append(ledger().failures)
    assert counts == [1, 2, 2, 2, 3]


def test_an_output_that_was_not_written_is_a_failure():
    with job(of(outputs=("made.txt", "forgotten.txt"))):
        Path("made.txt").write_text("whole")
    assert "forgotten.txt" in str(failure_in("made.txt"))


def test_a_marker_among_the_inputs_fails_with_the_root_cause_before_the_block(capfd):
    root = Failure("data kodak", "no mirror gave it", "data.log")
    write_marker("input.json", root)
    with pytest.raises(SystemExit) as end:
        make(inputs=("absent.txt", "input.json"))
    assert end.value.code == 0
    assert failure_in("made.txt") == ledger().as_failure() == root
    assert Path("job.log").read_text() == f"error: score kodak/noisy: not made, since {root}\n", "no traceback"
    assert capfd.readouterr().err == "", "it was said by the job that failed"


def test_a_job_may_take_failures():
    write_marker("input.json", Failure("table 6", "out of luck"))
    with job(of(inputs=("input.json",)), takes_failures=True):
        Path("made.txt").write_text("whole")
    assert ledger().state == "made"


def test_an_interrupt_is_no_failure():
    with pytest.raises(KeyboardInterrupt), job(of()):
        raise KeyboardInterrupt
    assert (ledger().state, ledger().failures) == ("stopped", 0)
    assert not Path("made.txt").exists()
    make(attempt=2)
    assert ledger().state == "made"


def test_a_request_to_end_is_no_failure():
    with pytest.raises(SystemExit), job(of()):
        os.kill(os.getpid(), signal.SIGTERM)
    assert ledger().state == "stopped"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


DIES = """
    import os, signal, sys
    from types import SimpleNamespace
    from usaid.jobs import job
    snakemake = SimpleNamespace(rule="score", wildcards=["kodak", "noisy"], input=[], output=["made.txt"],
        log=["job.log"], threads=1, resources={}, config={"experiment": "tiny"})
    with job(snakemake):
        print("about to die")
        HOW
"""


@pytest.mark.parametrize("how", ["os._exit(9)", "os.kill(os.getpid(), signal.SIGSEGV)", "os.kill(os.getpid(), 9)"])
def test_the_second_attempt_after_a_death_without_a_word_fails_for_that(how):
    code = textwrap.dedent(DIES.replace("HOW", how))
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode != 0
    assert ledger().state == "running"
    Path("job.log").unlink()  # as Snakemake does
    with pytest.raises(SystemExit):
        make(attempt=2)
    failure = failure_in("made.txt")
    assert failure is not None
    assert failure.reason == "the process died without a word: killed, or out of memory; see job.log"
    log = Path("job.log").read_text()
    assert log.startswith("about to die"), "the log of the first attempt is kept"
    assert ("Segmentation fault" in log) == ("SEGV" in how)
    assert [path.name for path in Path("results/tiny/jobs/score/kodak").iterdir()] == ["noisy.json"]
    make(attempt=1)
    assert Path("made.txt").read_text() == "whole"


def test_a_process_that_others_may_have_killed_is_followed_by_one_that_is_alone():
    code = """
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from test_jobs import job_of_parts, of, part
        with job_of_parts(of(attempt=int(sys.argv[2])), [part("noisy")]) as parts:
            parts.begin(parts.waiting, is_shared=sys.argv[2] == "1")
            os._exit(9)
        """
    program = [sys.executable, "-c", textwrap.dedent(code), str(Path(__file__).parent)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for attempt, left in (("1", "shared"), ("2", "running")):
        assert subprocess.run([*program, attempt], env=environment).returncode == 9
        assert state("noisy") == (left, 0)
    with job_of_parts(of(attempt=3), [part("noisy")]) as parts:
        assert parts.waiting == []
    assert "died without a word" in str(failure_in("noisy.parquet"))


def test_a_job_waits_for_one_that_still_writes_the_same_files():
    code = textwrap.dedent(DIES.replace("HOW", "import time; open('made.txt', 'w').write('older'); time.sleep(1)"))
    with subprocess.Popen([sys.executable, "-c", code]) as older:
        while not Path("made.txt").exists():
            assert older.poll() is None
        make()
        assert older.wait() == 0
    assert Path("made.txt").read_text() == "whole"


def test_a_ledger_that_is_damaged_has_the_job_made_again():
    for content in (b"\x00" * 40, b"{", b"[]", b'{"failures": 1}', b"\xff\xfe"):
        ledger().path.parent.mkdir(parents=True, exist_ok=True)
        ledger().path.write_bytes(content)
        assert ledger().failures == -1
        make()
        assert ledger().failures == -1, "a result leaves the number as it was recorded"
    fail(ValueError())
    assert ledger().failures == 0


def test_what_follows_the_content_of_a_ledger_does_not_count():
    fail(UsaidError("a long reason " * 20))
    before = ledger()
    with open(before.path, "ab") as file:
        file.write(b"the end of a longer text")
    assert ledger() == before


@pytest.mark.parametrize("content", [b"", b"step,loss\n1,2\n", b"\x89PNG\r\n", b"usaid: this job failed; what stands"])
def test_results_are_no_markers(content, folder):
    (folder / "result").write_bytes(content)
    assert failure_in("result") is None
    assert failure_in("absent") is None
    assert failure_in(folder) is None


def test_a_marker_that_is_damaged_is_no_result(folder):
    write_marker("result", Failure("table 6", "out of luck"))
    (folder / "result").write_bytes((folder / "result").read_bytes()[:-20])
    assert failure_in("result") == Failure("a job", "result does not say why; delete it and rerun")


def test_torch_is_imported_only_for_jobs_that_use_it():
    code = """
        import sys
        from types import SimpleNamespace
        from usaid.jobs import job
        snakemake = SimpleNamespace(rule="table", wildcards=["6"], input=[], output=[], log=["a.log"], threads=1,
            resources={}, config={"experiment": "tiny"})
        with job(snakemake):
            assert "torch" not in sys.modules
        with job(snakemake, uses_torch=True):
            assert sys.modules["torch"].get_num_threads() == 1
        """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    assert Ledger.at("results/tiny", "table", ["6"]).state == "made", Path("a.log").read_text()


# ------------------------------------------------------------------------------------------------ jobs of several parts


NAMES = ("noisy", "u_said", "mlp")


@pytest.mark.parametrize(("gpu", "seen"), [(1, "GPU-1"), (0, "all")])
def test_a_job_that_asks_for_a_gpu_has_it_while_it_is_at_work(gpu, seen, monkeypatch):
    @contextmanager
    def card_alone(device: str) -> Iterator[None]:
        monkeypatch.setenv("SEEN", f"GPU-{device[-1]}")
        yield
        monkeypatch.setenv("SEEN", "all")

    monkeypatch.setattr(jobs, "card_alone", card_alone)
    monkeypatch.setenv("SEEN", "all")
    asking = of()
    asking.resources["gpu"], asking.config["device"] = gpu, "cuda:1"
    with job(asking, uses_torch=True):
        Path("made.txt").write_text(os.environ["SEEN"])
    assert (Path("made.txt").read_text(), os.environ["SEEN"]) == (seen, "all")


def part(name: str, failures: int | None = 0, inputs: tuple[str, ...] = ()) -> Part:
    return Part("score", ("kodak", name), inputs, (f"{name}.parquet",), failures)


def state(name: str) -> tuple[str, int]:
    """What the ledger of a part says."""
    of_part = Ledger.at("results/tiny", "score", ["kodak", name])
    return of_part.state, of_part.failures


def batch(attempt: int = 1, parts: Sequence[Part] = tuple(map(part, NAMES)), **options: Any) -> Any:
    """A job that makes several score files."""
    asked = SimpleNamespace(
        rule="score_kodak_all", wildcards=[], input=[], output=[], log=["job.log"], threads=1,
        resources={"attempt": attempt}, config={"experiment": "tiny"},
    )  # fmt: skip
    return job_of_parts(asked, parts, **options)


def make_all(parts: Parts, but: Sequence[str] = ()) -> list[str]:
    """Make what waits; the names of what was made."""
    made = [each for each in parts.waiting if each.wildcards[1] not in but]
    for each in made:
        parts.begin([each])
        Path(each.outputs[0]).write_text("whole")
        parts.end(each)
    return [each.wildcards[1] for each in made]


class TestParts:
    """Of a job that makes several results: each has a ledger and failures of its own."""

    def test_each_is_made_and_has_its_section_in_the_log(self):
        with batch() as parts:
            make_all(parts)
        assert {name: state(name) for name in NAMES} == dict.fromkeys(NAMES, ("made", 0))
        assert Path("job.log").read_text().splitlines() == [f"---- score kodak/{name}" for name in NAMES]

    def test_a_failure_costs_its_own(self, capfd):
        with batch() as parts:
            parts.begin([part("mlp")])
            parts.end(part("mlp"), "by zero")
            make_all(parts)
        assert failure_in("mlp.parquet") == Failure("score kodak/mlp", "by zero", "job.log")
        assert (state("mlp"), state("noisy")) == (("failed", 1), ("made", 0))
        assert capfd.readouterr().err == "error: score kodak/mlp: by zero\n"

    def test_a_marker_among_the_inputs_of_one_costs_that_one(self):
        root = Failure("train_denoiser mlp", "diverged")
        write_marker("mlp.safetensors", root)
        with batch(parts=[part("noisy"), part("mlp", inputs=("mlp.safetensors",))]) as parts:
            assert make_all(parts) == ["noisy"]
        assert failure_in("mlp.parquet") == root

    def test_failures_may_be_said_in_a_way_of_their_own_and_else_get_markers(self):
        said = []
        with batch(write_failure=lambda which, failure: said.append((which.name, failure.reason))) as parts:
            parts.end(part("noisy"), "out of luck")
            make_all(parts)
        assert said == [("score kodak/noisy", "out of luck")]
        assert not Path("noisy.parquet").exists()

        def broken(which: Part, failure: Failure) -> None:
            raise ImportError("pandas")

        with batch(write_failure=broken) as parts:
            parts.end(part("noisy"), "out of luck")
            make_all(parts)
        assert failure_in("noisy.parquet") == Failure("score kodak/noisy", "out of luck", "job.log")

    def test_what_the_block_does_not_make_fails(self):
        with batch() as parts:
            make_all(parts, but=["mlp"])
        assert state("mlp") == ("failed", 1)
        with batch() as parts:
            make_all(parts, but=["mlp", "u_said"])
            raise UsaidError("out of luck")
        assert Path("job.log").read_text().count("Traceback") == 1
        assert [str(failure_in(f"{name}.parquet")) for name in NAMES[1:]] == [
            f"score kodak/{name} failed: out of luck" for name in NAMES[1:]
        ]

    def test_an_interrupt_stops_those_that_are_worked_on(self):
        def interrupted() -> None:
            with batch() as parts:
                make_all(parts, but=["u_said", "mlp"])
                parts.begin([part("u_said")])
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert [state(name) for name in NAMES] == [("made", 0), ("stopped", 0), ("new", 0)]

    def die(self, name: str = "", attempt: int = 1) -> None:
        """What a process leaves that dies while it makes a part, or none."""
        code = f"""
            import os
            from test_jobs import batch, make_all, part
            with batch({attempt}) as parts:
                if {name!r}:
                    parts.begin([part({name!r})])
                os._exit(9)
            """
        here = str(Path(__file__).parent)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([here, *sys.path])}
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment)
        assert done.returncode == 9

    def test_a_death_costs_those_that_were_worked_on_once_a_run(self):
        self.die("mlp")
        self.die("noisy", attempt=2)
        with batch(attempt=3) as parts:
            assert make_all(parts) == ["u_said"]
        for name in ("mlp", "noisy"):
            assert state(name) == ("failed", 1)
            assert "died without a word" in str(failure_in(f"{name}.parquet"))
        with batch(parts=[part(name, failures=state(name)[1]) for name in NAMES]) as parts:
            assert make_all(parts) == [*NAMES], "the next run tries again"

    def test_a_kill_in_an_earlier_run_is_no_death_in_this_one(self):
        self.die("mlp")
        self.die("noisy", attempt=1)
        with batch(attempt=2) as parts:
            assert make_all(parts) == ["u_said", "mlp"]

    def test_a_process_that_dies_before_it_begins_is_tried_again_once(self):
        self.die()
        self.die(attempt=2)
        with batch(attempt=3) as parts:
            assert make_all(parts) == []
        assert {state(name) for name in NAMES} == {("failed", 1)}


def test_a_ledger_that_is_held_is_not_waited_for_by_who_only_may_have_it():
    with ledger().held(), ledger().held_if_free() as is_free:
        assert not is_free
    with ledger().held_if_free() as is_free:
        assert is_free
    assert ledger().state == "new", "nothing is written"


def test_the_ledger_says_where_the_time_went():
    with job(of()):
        import this  # noqa: F401 - whatever was not imported yet

        Path("made.txt").write_text("whole")
    assert set(ledger().seconds) == {"start", "imports", "work"}
    assert all(seconds >= 0 for seconds in ledger().seconds.values())
    content = ledger().path.read_text().replace('"seconds"', '"of_an_older_version"')
    ledger().path.write_text(content)
    assert (ledger().state, ledger().seconds) == ("made", {})


def test_a_job_leaves_at_once_with_all_that_it_printed():
    code = """
        import atexit
        from usaid.jobs import leave

        atexit.register(print, "taken apart")
        print("at work")
        leave()
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, encoding="utf-8")
    assert (ended.returncode, ended.stdout) == (0, "at work\n")


def test_a_part_that_lacks_something_keeps_what_there_is_and_counts_as_a_failure(capfd):
    part = Part("score", ("kodak", "noisy"), (), ("made.txt",))
    with job_of_parts(of(), [part]) as parts:
        Path("made.txt").write_text("half")
        parts.end(part, "sigma 15: image a: boom")
    assert Path("made.txt").read_text() == "half"
    assert capfd.readouterr().err == "error: score kodak/noisy: sigma 15: image a: boom\n"
    assert (ledger().state, ledger().failures) == ("partial", 1)
    assert ledger().as_failure() == Failure("score kodak/noisy", "sigma 15: image a: boom", "job.log")


def test_it_is_made_again_by_the_next_process_of_the_run():
    """Snakemake has deleted it; what was computed is in a journal."""
    test_part = Part("score", ("kodak", "noisy"), (), ("made.txt",), failures=0)
    with job_of_parts(of(), [test_part]) as parts:
        Path("made.txt").write_text("half")
        parts.end(test_part, "boom")
    with job_of_parts(of(attempt=2), [test_part]) as parts:
        assert parts.waiting == [test_part]
        Path("made.txt").write_text("whole")
        parts.end(test_part)
    assert ledger().state == "made"


def test_what_never_ends_fails_with_its_reason_and_the_next_process_makes_the_others():
    program = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from test_jobs import Part, job_of_parts, of
        parts_of_it = [Part("score", ("kodak", name), (), (f"{name}.txt",), 0) for name in ("slow", "fine")]
        with job_of_parts(of(), parts_of_it) as parts:
            parts.begin([parts_of_it[0]])
            print("at work")
            parts.give_up("slow: not done")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), str(Path(__file__).parent)])
    assert done.returncode == 1
    said = failure_in("slow.txt")
    assert said is not None
    assert said.reason == "slow: not done"
    assert not Path("fine.txt").exists()
    parts_of_it = [Part("score", ("kodak", name), (), (f"{name}.txt",), 0) for name in ("slow", "fine")]
    with job_of_parts(of(attempt=2), parts_of_it) as parts:
        assert parts.waiting == [parts_of_it[1]]
        Path("fine.txt").write_text("whole")
        parts.end(parts_of_it[1])
    assert failure_in("slow.txt") == said
