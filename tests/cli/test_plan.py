"""``usaid plan``: what a run costs, from the command line."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from snakemake_runs import REPOSITORY

from evaluators.dag.dag import Dag
from evaluators.dag.needs import needs_of
from evaluators.plan import forecast_of
from evaluators.plan.jobs import jobs_of
from evaluators.plan.plan import is_done, plan_of
from evaluators.plan.rates import rates_of
from evaluators.run import RunJob
from usaid.experiment.reading import read_experiment
from usaid.failures import Failure, Ledger, write_marker
from usaid_cli import main

SMOKE, PAPER = (REPOSITORY / "config" / f"{name}.yaml" for name in ("smoke", "paper"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def plan(*arguments: str | Path) -> None:
    main(["plan", *map(str, arguments)])


def error_of(capsys, *arguments: str | Path) -> str:
    with pytest.raises(SystemExit) as ended:
        plan(*arguments)
    assert capsys.readouterr().out == ""
    return str(ended.value)


def test_an_experiment_with_nothing_at_hand_has_a_plan_and_a_list_of_what_is_missing(capsys):
    plan(PAPER, "--device", "h100", "--gpus", "4", "16")
    said = capsys.readouterr().out
    assert "estimated, never measured" in said.splitlines()[0]
    assert "deepglobe/train: 0 of 454 images" in said
    assert "register at deepglobe.org" in said
    assert "usaid data fetch kodak --data-root data" in said
    assert [line.split()[0] for line in said.splitlines() if line.startswith("  ") and "GPU" in line] == [
        "1",
        "4",
        "16",
    ]


def test_a_table_misses_only_what_it_reads(capsys):
    plan(PAPER.with_name("released.yaml"), "--device", "2cores", "--target", "table_6")
    lines = capsys.readouterr().out.splitlines()
    missing = [
        line.split(":")[0].strip() for line in lines[lines.index("") :] if line.startswith("  ") and ": " in line
    ]
    names = ("DnCNN.pth", "SSAID.pth", "USAID.pth")
    assert missing == ["kodak/all", *(f"released/{name}" for name in names), "niqe/niqe_live_pris_params.npz"]
    assert "24 MB to download" in lines[0]


def test_json_says_the_same(capsys):
    plan(SMOKE, "--device", "2cores", "--target", "all_tables", "--json")
    record = json.loads(capsys.readouterr().out)
    assert record["jobs"] == sum(row["jobs"] for row in record["rules"])
    assert record["seconds"] == pytest.approx(sum(row["seconds"] for row in record["rules"]))
    assert record["wall_seconds"]["0"] < record["seconds"]
    assert record["missing"] == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([SMOKE, "--device", "abacus"], "device 'abacus': has no rates; one of 2cores, h100, measured"),
        ([SMOKE, "--target", "table_99"], "target 'table_99'"),
        ([SMOKE, "--device", "2cores", "--gpus", "4"], "--gpus: the rates of 2cores are of no GPU"),
        ([SMOKE, "--device", "h100", "--gpus", "0"], "--gpus 0: must be at least 1"),
        ([SMOKE, "--output", "rates.yaml"], "--output: says where --measure writes; add --measure"),
        ([], "no experiment to plan"),
        (["absent.yaml"], "absent.yaml"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, reason):
    said = error_of(capsys, *arguments)
    assert reason in said
    assert "\n" not in said


def test_experiments_of_the_suite_have_names(capsys):
    plan("released", "--device", "2cores", "--json")
    assert json.loads(capsys.readouterr().out)["experiment"] == "released"
    main(["data", "status", "--experiment", "smoke"])
    assert "that it reads are there" in capsys.readouterr().out


def test_commands_that_are_printed_can_be_typed(capsys):
    with pytest.raises(SystemExit):
        main(["data", "status", "--experiment", "released", "--data-root", "my dätä"])
    said = capsys.readouterr().out
    assert "usaid data fetch kodak --data-root 'my dätä'" in said
    assert "usaid data fetch --experiment released --data-root 'my dätä'" in said


def test_no_torch_is_imported():
    code = "import sys; from usaid_cli import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "plan", str(PAPER), "--device", "h100"]
    assert subprocess.run(command, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True).returncode == 0


PAGE = (REPOSITORY / "docs/plan.md").read_text(encoding="utf-8")


def test_the_page_shows_what_is_printed(folder, capsys, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    for name in ("config", "examples"):
        (folder / name).symlink_to(REPOSITORY / name)
    plan("config/smoke.yaml", "--device", "2cores")
    (shown,) = re.findall(r"```text\n(smoke: .*?)\n```", PAGE, re.DOTALL)
    printed = [line for line in capsys.readouterr().out.strip().splitlines() if not line.startswith("Note: ")]
    assert shape(line for line in shown.splitlines() if not line.startswith("Note: ")) == shape(printed)


def test_the_page_has_a_row_of_each_number_of_gpus(capsys):
    (numbers,) = re.findall(r"usaid plan paper --device h100 --target all_tables --gpus ([\d ]+)", PAGE)
    assert re.findall(r"^\| (\d+) \| [\d.]+ h \|$", PAGE, re.MULTILINE) == numbers.split()
    assert "| GPUs | wall time (estimated, never measured) |" in PAGE


def shape(lines: Iterable[str]) -> list[list[str]]:
    """Words without numbers and units; of the machine nothing."""
    words = (re.sub(r"\(.*?\)|\b[\d.]+ (s|min|h|GB|MB)\b|[\d.]+", "#", line.partition("Rates: ")[0]) for line in lines)
    return [line.split() for line in words]


def test_more_gpus_take_no_longer_and_the_longest_chain_stays():
    walls = plan_of(Dag(read_experiment(PAPER)), rates_of("h100"), gpus=(1, 4, 16, 64)).walls
    assert walls[1] > walls[4] > walls[16] >= walls[64] > 0


def test_what_is_done_is_there_and_has_not_failed(folder):
    dag = Dag(read_experiment(SMOKE))
    (job,) = (job for job in jobs_of(dag) if job.key == ("table", "3"))
    assert not is_done(dag, job)
    for output in job.outputs:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text("made")
    assert is_done(dag, job)
    write_marker(job.outputs[0], Failure("table 3", "no"))
    assert not is_done(dag, job)


def test_shards_are_done_where_they_or_what_is_merged_of_them_are_there(folder):
    (folder / "sharded.yaml").write_text(
        "experiment: sharded\ndata_root: data\ndenoisers: {noisy: {method: noisy}}\n"
        "benchmarks: {kodak_quality: {sigmas: [25], shards: 2}}\n"
    )
    dag = Dag(read_experiment("sharded.yaml"))
    jobs = [job for job in jobs_of(dag) if job.rule in ("score_shard", "merge_shards")]
    hows = {job.outputs[0]: (lambda job=job: is_done(dag, job)) for job in jobs}
    first, _, merged = map(Path, hows)
    assert [how() for how in hows.values()] == [False, False, False]
    first.parent.mkdir(parents=True)
    first.touch()
    assert [how() for how in hows.values()] == [True, False, False]
    merged.touch()
    first.unlink()
    assert [how() for how in hows.values()] == [True, True, True], "shards may be deleted then"
    with (ledger := Ledger.at(dag.results, "score", ["kodak_quality", "noisy"])).held():
        ledger.note("failed", Failure("score kodak_quality/noisy", "no network"))
    assert [how() for how in hows.values()] == [False, False, False], "the merge's failure is in the score's ledger"


def test_the_line_of_a_run_is_of_the_jobs_that_run():
    dag = Dag(read_experiment(SMOKE))
    of_run = [RunJob(job.rule, job.wildcards, job.outputs) for job in jobs_of(dag, ["table_3"])]
    line = forecast_of(dag, [*of_run, RunJob("all", {}, ())]).line
    assert line.startswith(f"{len(of_run)} jobs, about ")
    assert "on this machine" in line
    assert "\n" not in line
    assert forecast_of(dag, []).line == ""


def test_the_line_of_a_run_says_that_the_machine_is_busy(monkeypatch):
    dag = Dag(read_experiment(SMOKE))
    of_run = [RunJob(job.rule, job.wildcards, job.outputs) for job in jobs_of(dag, ["table_3"])]
    monkeypatch.setattr("evaluators.plan.rates.cores_here", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (9.0, 9.0, 9.0))
    assert forecast_of(dag, of_run).line.endswith("; this machine is busy (load 9.0 on 2 cores): longer")
    monkeypatch.setattr("os.getloadavg", lambda: (0.1, 0.1, 0.1))
    assert "busy" not in forecast_of(dag, of_run).line


def test_a_damaged_table_stops_no_run(folder):
    (folder / "cache/usaid").mkdir(parents=True)
    (folder / "cache/usaid/rates.yaml").write_text("[")
    dag = Dag(read_experiment(SMOKE))
    jobs = [RunJob(job.rule, job.wildcards, job.outputs) for job in jobs_of(dag, ["table_3"])]
    assert "no estimate of their time" in forecast_of(dag, jobs).line


def test_a_table_is_planned_with_its_own_data_only(folder):
    dag = Dag(read_experiment(PAPER.with_name("released.yaml")))
    plan = plan_of(dag, rates_of("2cores"), ["table_6"])
    assert [need.name for need in plan.missing] == [
        "kodak/all",
        *(f"released/{name}.pth" for name in ("DnCNN", "SSAID", "USAID")),
        "niqe/niqe_live_pris_params.npz",
    ]
    assert plan.download < 25e6
    of_run = [RunJob(job.rule, job.wildcards, job.outputs) for job in jobs_of(dag, ["table_6"])]
    assert "24 MB to download" in forecast_of(dag, of_run).line
    assert plan_of(dag, rates_of("2cores")).needs == needs_of(dag), "all targets together need all"


def test_the_users_own_files_count_for_every_target(folder):
    (folder / "own.yaml").write_text(
        "experiment: own\ndata_root: data\ndenoisers: {u_said: {method: u_said, weights: mine.pth}}\n"
        "benchmarks: {kodak_quality: {sigmas: [25]}}\n"
    )
    plan = plan_of(Dag(read_experiment("own.yaml")), rates_of("2cores"), ["table_3"])
    assert [need.name for need in plan.missing] == ["mine.pth"]
