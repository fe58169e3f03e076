"""How the command line ends: always in one line, whatever happens."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import usaid_cli
from usaid.errors import UsaidError

ROOT = Path(__file__).parents[2]
SECRET = "a line that only the traceback has"


@pytest.fixture
def ended(monkeypatch, tmp_path, capsys):
    """Ends a command by an exception and gives what is seen: exit status or line."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def end(error: BaseException) -> object:
        def fail(options: object) -> None:
            local = SECRET
            raise error from RuntimeError(local)

        monkeypatch.setattr("usaid_cli.data._status", fail)
        with pytest.raises(SystemExit) as ending:
            usaid_cli.main(["data", "status"])
        return ending.value.code

    return end


def test_what_nobody_foresaw_is_one_line_and_its_traceback_is_in_a_file(ended, tmp_path):
    line = str(ended(ZeroDivisionError("first\nsecond \x1b[1mbold")))
    assert re.match(r"error: ZeroDivisionError: first second bold \(the traceback is in /.*\.txt\)$", line)
    (file,) = tmp_path.glob("usaid-traceback-*.txt")
    assert f"{file}" in line
    assert SECRET in file.read_text(encoding="utf-8")


def test_a_long_text_is_cut_short(ended):
    assert len(ended(MemoryError("x" * 10_000))) < 700


def test_no_room_for_the_traceback_is_no_second_error(ended, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert ended(KeyError("x")) == (
        "error: KeyError: 'x' (the traceback could not be written (No such file or directory))"
    )


def test_what_was_foreseen_needs_no_traceback(ended, tmp_path):
    assert ended(UsaidError("x.yaml: wrong")) == "error: x.yaml: wrong"
    assert not any(tmp_path.iterdir())


def test_ctrl_c_is_130(ended, capsys):
    assert ended(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


def command(*arguments: str, **options: object) -> "subprocess.Popen[str]":
    code = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import usaid_cli; usaid_cli.main()"]
    return subprocess.Popen([*code, *arguments], stderr=subprocess.PIPE, text=True, **options)


def test_ctrl_c_of_a_process_leaves_no_traceback(tmp_path):
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # also below a shell's `&`
    process = command("data", "miniature", str(tmp_path / "new"), stdout=subprocess.DEVNULL, **heard)
    deadline = time.monotonic() + 60
    while not (tmp_path / "new").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1] == "interrupted\n"
    assert process.returncode == 130


def test_who_stops_reading_is_told_nothing():
    reading, writing = os.pipe()
    os.close(reading)
    process = command("config", "keys", stdout=writing)
    os.close(writing)
    assert process.communicate()[1] == ""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_finds_no_room():
    with open("/dev/full", "w") as full:
        process = command("config", "keys", stdout=full)
    assert process.communicate()[1] == "error: standard output: cannot be written (No space left on device)\n"
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--denoiser", "mlp", "--experiment", "../../x"], r"--experiment '../../x': must be like \^"),
        (["train", "--denoiser", "mlp", "--experiment", "x\n"], r"--experiment 'x\\n': must be like"),
        (["train", "--denoiser", "mlp", "--experiment", ""], "--experiment '': must be like"),
        (["train", "--denoiser", "mlp", "--set", "steps"], "--set 'steps': must be KEY=VALUE"),
        (["train", "--denoiser", "mlp", "--set", "a=[1"], "--set a: not YAML"),
        (["train", "--denoiser", "mlp", "--set", "learning_rate=.inf"], "learning_rate = inf: must be a finite number"),
        (["train", "--denoiser", ":x"], "--denoiser: ':x': must be one of"),
        (["train", "--denoiser", "a b:c"], "--denoiser: 'a b:c': must be one of"),
        (["table", "3", "--output", "file"], "file/table_3.csv: cannot be written"),
        (["config", "check", "bad.yaml"], "bad.yaml: line 2: key 'a' stands there and in line 1; drop one"),
    ],
)
def test_bad_requests_are_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "bad.yaml").write_text("a: 1\na: 2\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=f"^error: .*{message}") as error:
        usaid_cli.main(arguments)
    assert "\n" not in str(error.value)
    assert "traceback" not in str(error.value)


def test_config_check_says_what_is_read_by_nothing(tmp_path, capsys):
    smoke = ROOT / "config/smoke.yaml"
    (tmp_path / "more.yaml").write_text("subsets: {kodak/all: a.txt, isic2018/val: b.txt}\n"
                                        "benchmarks: {isic_segmentation: null}\n", encoding="utf-8")  # fmt: skip
    usaid_cli.main(["config", "check", str(smoke), str(tmp_path / "more.yaml")])
    assert capsys.readouterr().out.splitlines() == [
        "subsets.isic2018/val: nothing reads this split, so the list changes nothing",
        "smoke: valid; 10 denoisers, 7 benchmarks; results go to results/smoke/",
    ]
