"""Whether a K stands out: of the other K, and of seeds."""

import sys
from pathlib import Path

import pytest
from scipy import stats
from score_files import made_scores

from usaid.scores.files import write_scores

REPOSITORY = Path(__file__).resolve().parents[2]
CLASSES = (10, 15, 20, 21, 22, 25, 40)


@pytest.fixture
def table_2_seeds(monkeypatch: pytest.MonkeyPatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    import table_2_seeds

    yield table_2_seeds
    sys.modules.pop("table_2_seeds", None)


def keep(folder: Path, name: str, psnr: float, ids: list[str]) -> None:
    """Write a score file whose images have a PSNR each around a mean, in the order of the ids."""
    path = folder / f"scores/voc_quality/{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    values = [psnr + index - (len(ids) - 1) / 2 for index in range(len(ids))]
    columns = {"psnr_rgb_float": [values], "niqe_live": [[3.0] * len(ids)]}
    write_scores(path, made_scores(name, columns, ids=ids, benchmark="voc_quality"))


def test_height_is_that_of_a_t_test_of_one_value_against_the_mean_of_others(table_2_seeds):
    others = [1.0, 1.2, 0.9, 1.1, 1.05, 0.95]
    one = table_2_seeds.against(1.5, others, others)
    assert one.height == pytest.approx(1.5 - 6.2 / 6)
    assert one.p == pytest.approx(stats.ttest_ind([1.5], others).pvalue)
    assert table_2_seeds.against(2.0, [1.0, 1.0], [1.0, 1.0]).p == 0
    assert table_2_seeds.against(1.0, [1.0, 1.0], [1.0, 1.0]).p == 1


def test_print_has_its_peak_of_psnr_at_21_and_none_of_niqe(table_2_seeds):
    paper = table_2_seeds.printed()
    assert sorted(paper) == [*CLASSES]
    psnr, niqe = ([paper[k][metric] for k in CLASSES if k != 21] for metric in ("psnr", "niqe"))
    assert table_2_seeds.against(paper[21]["psnr"], psnr, psnr).p < 0.05
    assert table_2_seeds.against(paper[21]["niqe"], niqe, niqe).p > 0.5


def test_page_compares_the_same_images(table_2_seeds, tmp_path, monkeypatch, capsys):
    table, seeds = tmp_path / "table", tmp_path / "subset"
    for k in CLASSES:
        keep(table, "u_said" if k == 21 else f"u_said_k{k}", 29.0 if k != 21 else 29.7, ["a", "b", "c"])
    for index, name in enumerate(("u_said", "u_said_1", "u_said_2")):
        keep(seeds, name, 29 + index / 10, ["a", "b", "c", "d"])  # with an image that the table lacks
    keep(seeds, "u_said_detached", 0, ["a", "b", "c"])
    monkeypatch.setattr(sys, "argv", ["table_2_seeds.py", "--table", str(table), "--seeds", str(seeds)])
    table_2_seeds.main()
    text = (table / "seeds.md").read_text()
    assert "n = 3 images" in text
    assert "| 21 | 3.000 | 3.8975 | 29.700 | 31.13 |" in text
    assert "| PSNR, ours | +0.700 | 3 seeds at K = 21 | 0.100 | 0.023 |" in text

    (table / "scores/voc_quality/u_said_k40.parquet").unlink()
    with pytest.raises(SystemExit, match="Table II needs"):
        table_2_seeds.main()
