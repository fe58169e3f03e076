"""What is measured, and what a table says of it; no time is asserted."""

import pytest
import torch
import yaml

from evaluators.plan import measure, timing
from evaluators.plan.components import COMPONENTS
from evaluators.plan.kinds import KINDS
from evaluators.plan.made_files import COMPONENTS_OF_FILES
from evaluators.plan.rates import read_rates
from evaluators.plan.timing import median_of
from usaid.errors import UsaidError


def test_every_kind_is_measured_by_exactly_one_component_or_process():
    kinds = [*measure.IMPORTS, *COMPONENTS, *COMPONENTS_OF_FILES]
    assert sorted(kinds) == sorted(KINDS)


@pytest.mark.parametrize("kind", COMPONENTS_OF_FILES)
def test_what_is_made_of_files_runs(kind, monkeypatch):
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    assert COMPONENTS_OF_FILES[kind]() >= 0


@pytest.mark.parametrize("kind", ["image read", "row", "step of a detector", "step of a judge", "call of a segmenter"])
def test_small_components_run(kind):
    assert COMPONENTS[kind]() > 0


def test_the_median_after_a_first_call_that_does_not_count(monkeypatch):
    seconds = iter([0, 5, 5, 6, 6, 13])  # three calls are timed: 5, 1 and 7
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(seconds))
    calls = []
    assert median_of(lambda: calls.append(1), seconds=100, most=3) == 5
    assert len(calls) == 4


def test_a_process_that_fails_says_why():
    with pytest.raises(UsaidError, match="No module named 'not_there'"):
        measure._process("import not_there")


def test_a_table_says_which_rates_are_another_machines(tmp_path, monkeypatch):
    def without_package() -> float:
        try:
            raise ImportError("No module named 'bm3d'")
        except ImportError:
            raise UsaidError("method 'cbm3d' needs the package bm3d") from None

    monkeypatch.setattr(measure, "COMPONENTS", dict.fromkeys(COMPONENTS, lambda: 0.5) | {"blocks": without_package})
    monkeypatch.setattr(measure, "COMPONENTS_OF_FILES", dict.fromkeys(COMPONENTS_OF_FILES, lambda: 0.25))
    monkeypatch.setattr(measure, "_process", lambda code: 0.125)
    said = []
    threads = torch.get_num_threads()
    measure.measure(tmp_path / "rates.yaml", said.append)
    assert torch.get_num_threads() == threads
    assert len(said) == len(KINDS)
    assert "blocks" in next(line for line in said if "not measured here" in line)
    rates = yaml.safe_load((tmp_path / "rates.yaml").read_text())["rates"]
    assert rates["page"]["seconds"] == 0.25
    assert [kind for kind, rate in rates.items() if "not measured here" in rate["from"]] == ["blocks"]
    assert "measured, but for blocks" in read_rates(tmp_path / "rates.yaml", "measured").title


def test_a_component_that_is_broken_is_no_package_that_is_missing(monkeypatch):
    def broken() -> float:
        raise UsaidError("broken")

    monkeypatch.setattr(measure, "COMPONENTS", {**COMPONENTS, "blocks": broken})
    with pytest.raises(UsaidError, match="broken"):
        measure._measured("blocks", 1)
