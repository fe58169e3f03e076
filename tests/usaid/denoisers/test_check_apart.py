"""In a process of its own, the worst that a denoiser can do is a finding."""

import subprocess
import sys
from functools import partial

import denoisers_to_check as zoo
import pytest

from usaid.denoisers.build import build_denoiser
from usaid.denoisers.check.apart import Apart, Ended
from usaid.denoisers.check.checks import CHECKS
from usaid.denoisers.check.finding import Finding
from usaid.denoisers.check.run import check
from usaid.errors import UsaidError


def found(make, **arguments) -> dict[str, Finding]:
    findings = check(make, **arguments)
    assert len({finding.name for finding in findings}) == len(findings)
    return {finding.name: finding for finding in findings}


def test_one_that_ends_its_process_is_checked_to_the_end():
    findings = found(zoo.Exits)
    assert list(findings) == ["made", *CHECKS, "prints"]
    assert findings["batch"].status == "failed"
    assert findings["batch"].what.startswith("ends its process (exit status 7)")
    assert [name for name, finding in findings.items() if finding.status != "ok"] == ["batch"]


def test_a_segmentation_fault_names_its_line():
    findings = found(zoo.Segfaults)
    assert list(findings) == ["made", "facts", "output", "untried", "prints"]
    assert findings["output"].what.startswith("ends its process (segmentation fault) at denoisers_to_check.py, line ")


def test_a_hang_is_stopped_and_names_its_line():
    findings = found(zoo.Hangs, names=["batch", "repeats"], seconds=3)
    assert findings["batch"].what.startswith("takes longer than 3 s and was stopped at denoisers_to_check.py, line ")
    assert findings["repeats"].status == "ok"


def test_a_flood_of_prints_is_counted():
    findings = found(zoo.Floods, names=["facts", "input"])
    prints = findings["prints"]
    assert prints.status == "failed"
    assert prints.values["lines"] > 100_000
    assert prints.what.endswith("first: 'denoising'")
    assert findings["facts"].status == "ok"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("class Mine(:\n", "SyntaxError"),
        ("import sys\nsys.exit('no licence')\n", "no licence"),
        ("import nowhere_to_be_found\n", "nowhere_to_be_found"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("class Mine:\n    pass\n", "Denoiser"),
    ],
)
def test_a_file_that_cannot_be_imported(tmp_path, monkeypatch, source, what):
    """In this process, which takes less time: importing is the same in both."""
    (tmp_path / "my_broken_file.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = check(partial(build_denoiser, "my_broken_file:Mine"), apart=False)
    assert (finding.name, finding.status) == ("made", "failed")
    assert what in finding.what
    assert "my_broken_file" in finding.what


def test_time_that_is_over_leaves_checks_untried():
    """As they would be by a check that is stopped, because time for all of them is over."""
    findings = found(zoo.Good, total=0.5)
    assert list(findings) == ["untried", "prints"]
    assert findings["untried"].status == "warning"
    assert findings["untried"].what.endswith(f": made, {', '.join(CHECKS)}")


def test_what_cannot_be_sent_to_a_process_is_said():
    with pytest.raises(UsaidError, match=r"cannot be sent to a process of its own .*apart=False"):
        check(lambda: zoo.Good())


def test_what_is_not_there_in_a_process_of_its_own_is_said():
    """As what was written at a prompt or in a notebook."""
    program = (
        "from usaid.denoisers.build import build_denoiser\n"
        "from usaid.denoisers.check.run import check\n"
        "def make(): return build_denoiser('noisy')\n"
        "check(make)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "UsaidError: the denoiser cannot be sent to a process of its own (that ends its process (" in done.stderr


def test_a_process_that_has_ended_in_between_is_said_to_have():
    process = Apart(zoo.Good, "cpu")
    process.start()
    process._process.kill()
    process._process.join()
    with pytest.raises(Ended, match="killed"):
        process.ask("made", 5)


def test_a_process_is_no_more_when_its_checks_end():
    process = Apart(zoo.Good, "cpu")
    process.start()
    process.stop()
    assert process._process.exitcode is not None


def test_a_check_that_is_none():
    with pytest.raises(UsaidError, match=r"^check 'speed': must be one of facts, output, "):
        check(zoo.Good, names=["speed"])
