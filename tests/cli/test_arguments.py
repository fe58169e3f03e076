"""Every command that takes an experiment takes the suite's by name, in any folder."""

import pytest

import usaid_cli


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_an_experiment_is_planned_by_its_name(capsys):
    usaid_cli.main(["plan", "smoke", "--device", "2cores"])
    assert capsys.readouterr().out.startswith("smoke: 65 jobs, ")


def test_a_name_and_a_file_of_ones_own_are_one_experiment(tmp_path, capsys):
    (tmp_path / "own.yaml").write_text("experiment: own\nbenchmarks: {coco_detection: null}\n")
    usaid_cli.main(["config", "check", "released", "own.yaml"])
    assert capsys.readouterr().out == "own: valid; 8 denoisers, 8 benchmarks; results go to results/own/\n"


def test_what_an_experiment_lacks_is_fetched_by_the_name_that_was_typed(capsys):
    with pytest.raises(SystemExit) as ended:
        usaid_cli.main(["data", "status", "--experiment", "released"])
    assert ended.value.code == 1
    assert "usaid data fetch --experiment released\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["config", "check"],
        ["data", "status", "--experiment"],
        ["data", "fetch", "--experiment"],
        ["evaluate", "noisy", "--benchmark", "kodak_quality", "--experiment"],
        ["train-judge", "--benchmark", "voc_segmentation"],
        ["score", "--output", "x.parquet", "--benchmark", "kodak_quality", "--denoiser", "noisy"],
    ],
)
def test_a_name_that_nobody_has_is_told_those_known(arguments):
    with pytest.raises(
        SystemExit, match=r"^error: relesed: neither a file nor an experiment of the suite, which are .*"
    ):
        usaid_cli.main([*arguments, "relesed"])


def test_an_unknown_option_shows_the_usage_of_its_command(capsys):
    with pytest.raises(SystemExit) as ended:
        usaid_cli.main(["data", "fetch", "kodak", "--dataroot", "x"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: usaid data fetch ")
    assert said.endswith("usaid data fetch: error: unrecognized arguments: --dataroot x\n")
