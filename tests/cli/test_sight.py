"""``usaid figure``, ``report`` and ``keep-images``: files where they are asked for, and one line on bad input."""

from pathlib import Path

import numpy as np
import pytest
import yaml

import usaid_cli
from usaid.datasets.miniature.writer import write_miniature
from usaid.scores.kept_images import read_kept

ROOT = Path(__file__).parents[2]
TABLE_4 = ROOT / "results/reference/table_4"

EXPERIMENT = {
    "experiment": "tiny",
    "data_root": "data",
    "subsets": {"kodak/all": "one.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {"noisy": {"method": "noisy"}},
    "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    "figures": {"figure_4": {"image": "kodim01", "sigma": 25, "zoom": [0, 0, 16, 16]}},
}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature")
    write_miniature(root)
    (root / "one.txt").write_text("kodim01\n")
    return root


@pytest.fixture
def folder(tmp_path, data_root, monkeypatch) -> Path:
    """A working folder with an experiment that keeps one image."""
    (tmp_path / "data").symlink_to(data_root)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    niqe = tmp_path / "results/tiny/weights/niqe_fitted.npz"
    niqe.parent.mkdir(parents=True)
    np.savez(niqe, mu_pris_param=np.zeros((1, 36)), cov_pris_param=np.eye(36))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["reproduction", "sigma", "differences"])
def test_a_figure_is_drawn_from_results(name, tmp_path, capsys):
    usaid_cli.main(["figure", name, "--results", str(TABLE_4), "--to", str(tmp_path)])
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"figure_{name}.{suffix}" for suffix in ("png", "pdf", "csv")} <= names
    assert capsys.readouterr().out == f"{tmp_path}/figure_{name}.png written\n"


def test_images_are_kept_and_drawn(folder, capsys):
    usaid_cli.main(["keep-images", "tiny.yaml"])
    for name in ("clean", "noisy"):
        (picture,) = read_kept(folder / f"results/tiny/figures/images/{name}.zip").pictures
        assert (picture.image_id, picture.sigma) == ("kodim01", 25)
        assert (folder / f"results/tiny/images/{name}.zip").exists()
    usaid_cli.main(["figure", "4", "--results", "results/tiny", "--experiment", "tiny.yaml"])
    assert (folder / "results/tiny/figures/figure_4.png").exists()
    assert capsys.readouterr().out.splitlines()[-1] == "results/tiny/figures/figure_4.png written"


def test_images_of_one_denoiser(folder):
    usaid_cli.main(["keep-images", "tiny.yaml", "--denoiser", "clean"])
    assert [path.name for path in (folder / "results/tiny/images").glob("*.zip")] == ["clean.zip"]


def test_a_page_is_written(tmp_path, capsys):
    usaid_cli.main(["report", str(TABLE_4), "--to", str(tmp_path / "page.html")])
    assert "<!DOCTYPE html>".lower() in (tmp_path / "page.html").read_text(encoding="utf-8")[:200].lower()
    assert capsys.readouterr().out == f"{tmp_path}/page.html written\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figure", "6", "--results", "x"], "figure '6': must be one of reproduction, differences, sigma, 3, 4, 5"),
        (["figure", "sigma", "--results", "x"], r"x: has no tables/table_\*\.csv, which figure sigma is drawn from"),
        (["figure", "3", "--results", "kept"], "figure 3: needs --experiment, whose key figures.figure_3 names its"),
        (["figure", "3", "--results", "kept", "--experiment", "tiny.yaml"], "tiny.yaml: has no key figures.figure_3;"),
        (["report", "absent", "--to", "page.html"], "absent"),
        (["report", "x" * 300, "--to", "page.html"], "x{300}: no results of an experiment"),
        (["report", str(TABLE_4), "--to", "claims.csv"], "claims.csv: the report is HTML; name a file that ends in"),
        (["keep-images", "none.yaml"], "none.yaml: asks for no images; add the key keep_images or figures"),
        (["keep-images", "tiny.yaml", "--denoiser", "u_said"], "--denoiser u_said: must be one of clean, noisy"),
    ],
)
def test_bad_input_is_one_line(folder, arguments, message):
    (folder / "kept/figures/images").mkdir(parents=True)
    (folder / "kept/figures/images/clean.zip").touch()
    (folder / "none.yaml").write_text(yaml.safe_dump({k: v for k, v in EXPERIMENT.items() if k != "figures"}))
    with pytest.raises(SystemExit, match=rf"^error: {message}"):
        usaid_cli.main(arguments)
