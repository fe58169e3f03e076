"""What is said of downloads that run side by side."""

import pytest

from usaid import progress as bars
from usaid.datasets.meter import Meter, Stopped


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each report."""
    monkeypatch.setattr(bars, "SECONDS_BETWEEN_LINES", 0.0)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """The numbers of the last line."""
    return capsys.readouterr().err.splitlines()[-1].partition("[")[0].strip()


def test_bytes_of_all_files_are_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Meter("fetch", 3000)
    a, b = progress.of("a", 1000), progress.of("b", 2000)
    a(0, 1000)
    a(500, 1000)
    assert shown(capsys) == "fetch:  17% 500/3.00k"
    b(0, 2000)
    b(2000, 2000)
    a(1000, 1000)
    assert shown(capsys) == "fetch: 100% 3.00k/3.00k"


def test_what_was_there_counts_as_done_and_not_for_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Meter("fetch", 400)  # of a file of 1,000 bytes
    report = progress.of("a", 400)
    report(600, 1000)
    report(700, 1000)
    assert shown(capsys) == "fetch:  70% 700/1.00k"
    assert progress._bar.n - progress._bar.initial == 100


def test_a_new_start_takes_back_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    report = Meter("fetch", 1000).of("a", 1000)
    for position in (0, 800, 0, 100):
        report(position, 1000)
    assert shown(capsys) == "fetch:  10% 100/1.00k"


def test_sizes_that_nobody_knows_before(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Meter("fetch", None)
    known, unknown = progress.of("a", None), progress.of("b", None)
    known(0, 1000)
    known(500, 1000)
    assert shown(capsys) == "fetch:  50% 500/1.00k"
    unknown(0, None)
    unknown(700, None)
    assert shown(capsys) == "fetch: 100% 1.20k/1.20k"


def test_short_downloads_say_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "SECONDS_BETWEEN_LINES", 15.0)
    progress = Meter("fetch", 10)
    progress.of("a", 10)(10, 10)
    progress.close()
    assert capsys.readouterr().err == ""


def test_one_that_is_stopped_ends_its_downloads() -> None:
    progress = Meter("fetch", 10)
    report = progress.of("a", 10)
    report(0, 10)
    progress.stop()
    with pytest.raises(Stopped):
        report(5, 10)


def test_where_there_is_no_stderr_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    progress = Meter("fetch", 10)
    progress.of("a", 10)(5, 10)
    progress.close()
