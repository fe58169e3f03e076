"""The `usaid` command: quick help, one-line errors, and what scores and tables it writes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

import usaid_cli
from evaluators.dag.dag import Dag
from usaid.datasets.miniature.writer import write_miniature
from usaid.experiment.reading import read_experiment
from usaid.scores.files import read_scores

EXPERIMENT = {
    "experiment": "tiny",
    "data_root": "data",
    "subsets": {"kodak/all": "one.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {"noisy": {"method": "noisy"}, "clean": {"method": "clean"}},
    "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    "draws": {"draws": 3, "denoisers": ["noisy"]},
}

FILES = ("--judge-file", "judge.npz", "--output", "scores.parquet")


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature")
    write_miniature(root)
    (root / "one.txt").write_text("kodim01\n")
    return root


@pytest.fixture
def folder(tmp_path, data_root, monkeypatch) -> Path:
    """A working folder with an experiment."""
    (tmp_path / "data").symlink_to(data_root)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_imports_nothing_of_ours_but_errors():
    code = "import sys, usaid_cli; usaid_cli.build_parser(); print(*sys.modules)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith(("usaid.", "evaluators"))} == {"usaid.errors"}
    assert loaded.isdisjoint({"numpy", "pandas", "torch", "pydantic"})
    assert time.perf_counter() - start < 5, "0.1 s on an idle machine"


def test_scores_and_table(folder):
    from evaluators.metrics.niqe import fit_pristine_model, save_pristine_model
    from usaid.datasets.loading import load
    from usaid.tensors import to_unit_range

    images = load("voc2012", "data", "train")
    save_pristine_model("niqe.npz", fit_pristine_model(to_unit_range(sample.image)[0] for sample in images))
    score = ["score", "tiny.yaml", "--benchmark", "kodak_quality", "--judge-file", "niqe.npz"]
    for denoiser in ("noisy", "clean"):
        usaid_cli.main([*score, "--denoiser", denoiser, "--output", f"{denoiser}.parquet"])
    provenance = read_scores("noisy.parquet").provenance
    of_the_workflow = Dag(read_experiment("tiny.yaml")).score("kodak_quality", "noisy").code
    assert provenance["code_hash"] == of_the_workflow, "the workflow goes on with the journal of the command line"
    usaid_cli.main(["table", "6", "noisy.parquet", "clean.parquet", "--output", "tables"])
    assert "6,25,noisy,psnr,20." in (folder / "tables/table_6.csv").read_text()
    shards = ["2-of-2.parquet", "1-of-2.parquet"]
    for shard in shards:
        part = shard.partition(".")[0].replace("-of-", "/")
        usaid_cli.main([*score, "--denoiser", "noisy", "--shard", part, "--output", shard])
    merge = [
        "merge",
        "tiny.yaml",
        "--benchmark",
        "kodak_quality",
        "--denoiser",
        "noisy",
        "--output",
        "merged.parquet",
        "--shards",
    ]
    usaid_cli.main([*merge, *shards])
    assert read_scores("merged.parquet").rows.equals(read_scores("noisy.parquet").rows)
    with pytest.raises(
        SystemExit, match=r"^error: \.: shards 1-of-2 are not all parts of one whole; give each of them"
    ):
        usaid_cli.main([*merge, shards[1]])
    with pytest.raises(SystemExit, match=r"^error: noisy\.parquet: is no shard of a score file"):
        usaid_cli.main([*merge, shards[0], "noisy.parquet"])
    usaid_cli.main([*score, "--denoiser", "noisy", "--draws", "--output", "draws/noisy.parquet"])
    further = read_scores("draws/noisy.parquet")
    assert further.rows["draw"].tolist() == further.provenance["draws"] == [1, 2]
    assert further.provenance["code_hash"] == of_the_workflow


def test_several_benchmarks_at_once_and_one_that_fails_costs_the_others_nothing(folder):
    quality = {name: {"sigmas": [25]} for name in ("kodak_quality", "voc_quality")}
    (folder / "two.yaml").write_text(yaml.safe_dump(EXPERIMENT | {"benchmarks": quality}))
    np.savez("niqe.npz", mu_pris_param=np.zeros((1, 36)), cov_pris_param=np.eye(36))
    score = ["score", "two.yaml", "--denoiser", "noisy", "--benchmark", *quality, "--output", "kodak.parquet"]
    with pytest.raises(SystemExit, match=r"^error: --output: 1 files for 2 benchmarks; give one for each$"):
        usaid_cli.main(score)
    with pytest.raises(SystemExit, match=r"^error: voc_quality: absent\.npz: "):
        usaid_cli.main([*score, "voc.parquet", "--judge-file", "niqe.npz", "absent.npz"])
    assert len(read_scores("kodak.parquet").rows) == 1
    assert not Path("voc.parquet").exists()


def test_config(capsys):
    usaid_cli.main(["config", "schema"])
    assert "kodak_quality" in json.loads(capsys.readouterr().out)["properties"]["benchmarks"]["properties"]
    usaid_cli.main(["config", "keys"])
    assert "`told_sigmas`" in capsys.readouterr().out


def test_data_status(folder, capsys):
    usaid_cli.main(["data", "status"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:4] == ["kodak", "all", "6", "24"] for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "tiny.yaml", "--benchmark", "kodak", "--denoiser", "noisy", *FILES],
         "^error: 'kodak' is not among the experiment's benchmarks: kodak_quality$"),
        (["score", "tiny.yaml", "--benchmark", "kodak_quality", "--denoiser", "x", *FILES],
         "^error: 'x' is not among the experiment's denoisers: noisy, clean$"),
        (["score", "tiny.yaml", "--benchmark", "kodak_quality", "--denoiser", "clean", "--draws", *FILES],
         "^error: experiment 'tiny': no further draws of clean on kodak_quality; its key 'draws' says which it has$"),
        (["score", "tiny.yaml", "--benchmark", "kodak_quality", "--denoiser", "clean", "--shard", "3/2", *FILES],
         "^error: shard '3/2': must be i/n with i from 1 to n, as 2/4$"),
        (["merge", "tiny.yaml", "--benchmark", "kodak_quality", "--denoiser", "x", "--output", "s", "--shards", "a"],
         "^error: 'x' is not among the experiment's denoisers: noisy, clean$"),
        (["train-judge", "tiny.yaml", "--benchmark", "voc_quality"], "^error: 'voc_quality' is not among"),
        (["train-judge", "tiny.yaml", "--benchmark", "kodak_quality"], "^error: benchmarks.kodak_quality: has no"),
        (["train-judge", "absent.yaml", "--benchmark", "kodak_quality"], "^error: absent.yaml: neither a file"),
        (["data", "fetch", "imagenet"], "^error: imagenet: nothing of this name can be fetched"),
        (["table", "11", "--output", "tables"], "^error: table 11: the paper has tables 1 to 10; others: "),
        (["denoise", "in.png", "out.png", "--method", "bm3d"], "^error: 'bm3d': is no method .noisy, clean, "),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(folder, arguments, message):
    with pytest.raises(SystemExit, match=message) as error:
        usaid_cli.main(arguments)
    assert "\n" not in str(error.value)
