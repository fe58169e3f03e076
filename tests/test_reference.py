"""What the committed reference runs say: the order of Figure 2, and which weights made which scores."""

from pathlib import Path

import pandas as pd
import pytest

from evaluators.benchmarks import trained_on_a_part
from usaid.checkpoints import stored_facts
from usaid.report.figures.figure_2 import ordering
from usaid.files import sha256_of_file
from usaid.scores.files import read_provenance, read_scores

SUBSET = Path(__file__).parents[1] / "results/reference/subset"


def test_network_learns_true_maps_faster_than_quarters_and_those_faster_than_pixels():
    found = ordering(pd.read_csv(SUBSET / "figures/figure_2.csv"))
    assert found.last_tenth["ground_truth"] < found.last_tenth["quarters"] < found.last_tenth["pixels"]
    assert found.all_steps["ground_truth"] < found.all_steps["quarters"] < found.all_steps["pixels"]


@pytest.mark.parametrize(
    "scores", sorted(SUBSET.glob("scores/*/*.parquet")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_scores_were_made_from_the_committed_weights(scores):
    provenance = read_provenance(scores)
    assert provenance["failure"] is None
    weights = SUBSET / f"weights/{scores.stem}.safetensors"
    if provenance["entry"]["method"] == "noisy":
        assert not weights.exists()
        return
    assert provenance["weights_sha256"] == sha256_of_file(weights)
    facts = stored_facts(weights)
    for key in ("recipe", "seed", "steps", "batch"):
        assert facts[key] == provenance["entry"]["train"][key], key


def test_a_table_can_tell_how_many_images_a_denoiser_was_trained_on():
    weights = SUBSET / "weights/u_said.safetensors"
    assert trained_on_a_part(weights) == ["trained on 311 of the 1,464 images of voc2012/train"]


# Table IV: the non-blind methods on all of Kodak

TABLE_4 = Path(__file__).parents[1] / "results/reference/released/tables/table_4.csv"


def ours(setting: str, sigma: int, method: str, metric: str = "psnr") -> tuple[float, float]:
    """Our value and the paper's in a cell of the committed Table IV."""
    table = pd.read_csv(TABLE_4)
    (row,) = table[
        (table.group == f"{setting}/{sigma}") & (table.method == method) & (table.metric == metric)
    ].itertuples()
    assert row.n == 24
    return row.ours, row.paper


def test_mc_wnnm_lands_where_the_paper_has_it():
    found, paper = ours("oracle_sigma", 25, "mc_wnnm")
    assert paper == 31.35
    assert abs(found - paper) < 0.3


@pytest.mark.parametrize("sigma", [15, 25, 35])
@pytest.mark.parametrize("setting", ["median_sigma", "oracle_sigma"])
def test_cbm3d_lands_where_the_paper_has_it(setting, sigma):
    found, paper = ours(setting, sigma, "cbm3d")
    assert abs(found - paper) < 0.3


@pytest.mark.parametrize("method", ["mlp", "mc_wnnm", "cbm3d"])
def test_the_true_sigma_is_worth_more_than_the_median(method):
    assert ours("oracle_sigma", 25, method) == ours("median_sigma", 25, method)
    if method != "mlp":  # which has one model only
        for sigma in (15, 35):
            assert ours("oracle_sigma", sigma, method)[0] > ours("median_sigma", sigma, method)[0]


@pytest.mark.parametrize("method", ["mlp", "mc_wnnm", "cbm3d"])
def test_every_told_level_has_its_rows_and_equal_cells_one(method):
    scores = read_scores(TABLE_4.parents[1] / f"scores/kodak_quality/{method}.parquet")
    told = scores.rows.groupby(["sigma", "told_sigma"]).size()
    assert dict(told) == {(15, 15): 24, (15, 25): 24, (25, 25): 24, (35, 25): 24, (35, 35): 24}
