"""What the committed reference runs say: the order of Figure 2, and which weights made which scores."""

from pathlib import Path

import pandas as pd
import pytest

from evaluators.benchmarks import trained_on_a_part
from usaid.checkpoints import stored_facts
from usaid.figures import ordering
from usaid.files import sha256_of_file
from usaid.scores import read_provenance

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
