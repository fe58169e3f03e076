"""Rates of machines: tables that come with the suite, the user's own, damaged ones."""

import pytest
import yaml

from evaluators.plan.kinds import KINDS
from evaluators.plan.rates import known_devices, own_table, rates_of, read_rates, scaled_to_this_machine
from usaid.errors import UsaidError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def table(**changes) -> dict:
    rates = {kind: {"seconds": 1.0, "threads": 2 if of.scales else 1} for kind, of in KINDS.items()}
    return {"machine": "a machine", "cores": 2, "rates": rates} | changes


@pytest.mark.parametrize("device", known_devices())
def test_shipped_tables_have_all_kinds_with_a_source(device):
    rates = rates_of(device)
    assert {*rates.on_cpu} == {*KINDS}
    assert {*rates.on_gpu} <= {
        kind for kind, of in KINDS.items() if of.on_device or "step" in kind or kind.startswith("call")
    }
    assert all(rate.source for rate in (*rates.on_cpu.values(), *rates.on_gpu.values()))


def test_what_nobody_measured_says_so():
    assert "estimated, never measured" in rates_of("h100").title
    assert "estimated" not in rates_of("2cores").title


def test_a_device_without_rates_names_those_that_have_some():
    with pytest.raises(UsaidError, match="device 'abacus': has no rates; one of 2cores, h100, measured"):
        rates_of("abacus")


def test_measured_before_anything_was():
    with pytest.raises(UsaidError, match=r"rates\.yaml: no rates were measured on this machine; usaid plan --measure"):
        rates_of("measured")


def test_threads_share_what_scales():
    rates = rates_of("2cores")
    assert rates.seconds({"training": 1}, threads=1) == 2 * rates.seconds({"training": 1}, threads=2)
    assert rates.seconds({"training": 1}, threads=8) == rates.seconds({"training": 1}, threads=2)  # it has two cores
    assert rates.seconds({"process": 3}, threads=1) == rates.seconds({"process": 3}, threads=2)


def test_a_gpu_does_what_it_has_a_rate_for():
    rates = rates_of("h100")
    assert rates.seconds({"training": 1}, on_gpu=True) == rates.on_gpu["training"].seconds
    assert rates.seconds({"process": 1}, on_gpu=True) == rates.on_cpu["process"].seconds
    assert rates.seconds({"blocks": 1}, 2, on_gpu=True) == rates.on_cpu["blocks"].seconds


def test_unknown_work_is_named():
    rates = rates_of("2cores")
    assert rates.seconds({"knitting": 1}) == 0
    assert rates.unknown([{"knitting": 1, "process": 1}]) == ["knitting"]


def test_own_rates_come_first(cache):
    own_table().parent.mkdir(parents=True)
    own_table().write_text(yaml.safe_dump(table()))
    assert rates_of().device == "measured"
    assert rates_of().seconds({"process": 2}) == 2


def test_without_own_rates_those_of_2cores_are_scaled():
    assert scaled_to_this_machine(rates_of("2cores")).scaled == pytest.approx(rates_of().scaled, rel=5)
    assert min(rates_of().scaled) > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("machine: [", "rates cannot be read"),
        ("- 1", "rates cannot be read"),
        (yaml.safe_dump(table(rates={"process": {"seconds": "fast"}})), "could not convert"),
        (yaml.safe_dump(table(rates={"process": {"seconds": -1}})), "seconds must be a number >= 0"),
        (yaml.safe_dump({"machine": "m", "rates": {}}), "rates cannot be read \\(it lacks 'cores'\\)"),
        ("", "it must be keys with values"),
        (yaml.safe_dump(table(rates=[1])), "rates must be keys with values"),
        (yaml.safe_dump(table(rates={"process": 3})), "a rate must be keys with values"),
        (yaml.safe_dump(table(cores=0)), "0 cores"),
        (yaml.safe_dump(table(gpus=-2)), "-2 GPUs"),
        (yaml.safe_dump(table(cores=float("inf"))), "cannot convert float infinity"),
        (yaml.safe_dump(table(based_on="measured")), "based on itself"),
        (yaml.safe_dump(table(calibration=5)), "not subscriptable"),
        (yaml.safe_dump(table(rates={"process": {"seconds": 1}})), "'process with pandas' are missing"),
    ],
)
def test_a_damaged_table(tmp_path, text, reason):
    (path := tmp_path / "rates.yaml").write_text(text)
    with pytest.raises(UsaidError, match=reason) as error:
        read_rates(path, "measured")
    assert str(path) in str(error.value)
    assert "usaid plan --measure" in str(error.value)
    assert "\n" not in str(error.value)
