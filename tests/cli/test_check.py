"""`usaid check` at the shell: what it prints, and its exit status."""

import json
import sys

import pytest

import usaid_cli
from usaid.denoisers.check import run
from usaid.denoisers.check.checks import CHECKS


def check(*arguments) -> int:
    """Exit status."""
    try:
        usaid_cli.main(["check", *arguments, "--device", "cpu"])
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.fixture
def in_this_process(monkeypatch):
    """Importing torch once more takes seconds."""
    findings = run.findings
    monkeypatch.setattr(run, "findings", lambda make, device, seconds: findings(make, device, apart=False))


def test_a_line_for_every_check_and_exit_status_0(capfd):
    assert check("denoisers_to_check:Good", "--strict") == 0
    printed = capfd.readouterr()
    *lines, last = printed.out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in ("made", *CHECKS, "prints")]
    assert last == f"denoisers_to_check:Good: {len(lines)} findings, 0 failed, 0 warnings"
    assert printed.err == ""


def test_a_failure_is_one_line_with_its_cure_and_exit_status_1(in_this_process, capsys):
    assert check("denoisers_to_check:PredictsNoise") == 1
    lines = capsys.readouterr().out.splitlines()
    (failed,) = (line for line in lines if line.startswith("FAILED"))
    assert failed.startswith("FAILED  noise     it predicts the noise: ")
    assert failed.endswith("; cure: --predicts noise, in an experiment adapt: {predicts: noise}")
    assert lines[-1].endswith(" 1 failed, 0 warnings")


def test_warnings_fail_only_if_strict(in_this_process, capsys):
    assert check("denoisers_to_check:InPlace") == 0
    assert "\nwarning input     it changes its input" in capsys.readouterr().out
    assert check("denoisers_to_check:InPlace", "--strict") == 1


def test_options_are_the_classs_arguments(in_this_process, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "class Own:\n    def __init__(self, x):\n        self.x = x\n"
        "\n    def __call__(self, y):\n        return y.mean() * self.x\n"
    )
    assert check("mine.py:Own", "--options", "x=2") == 1
    assert "returned shape ()" in capsys.readouterr().out


def test_json_for_scripts(in_this_process, capsys):
    assert check("denoisers_to_check:Nothing", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["denoiser"], found["failed"], found["warning"]) == ("denoisers_to_check:Nothing", 1, 1)
    assert [finding["name"] for finding in found["findings"]] == ["made", "facts", "output", "untried"]
    assert found["findings"][2] == {
        "name": "output",
        "status": "failed",
        "what": "returned None",
        "cure": "end it with `return` and the denoised batch",
        "values": {},
    }


def test_a_file_that_cannot_be_imported_is_a_finding(in_this_process, capsys):
    assert check("no_such_module:Mine") == 1
    assert capsys.readouterr().out.startswith("FAILED  made      method 'no_such_module:Mine': ")
    assert "no_such_module" not in sys.modules
