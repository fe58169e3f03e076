"""A segmentation benchmark's entry: what size images have where noise is added to them, and where they are judged."""

from typing import Any

import pytest

from evaluators.dag.dag import Dag
from evaluators.plan.extents import extent_of
from evaluators.segmentation.cost import cost
from evaluators.segmentation.settings import SegmentationSettings
from usaid.datasets.views import Resized, Shrunk
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment, checked_settings

SIZE = {"input_size": [500, 400]}
STORED = {**SIZE, "noise_on": "stored"}


def settings(**keys: Any) -> SegmentationSettings:
    entry = {"sigmas": [25], "segmenter": {"checkpoint": "net.safetensors"}} | keys
    return checked_settings(SegmentationSettings, entry, "settings")


def dag_of(**keys: Any) -> Dag:
    entry = {"sigmas": [25], "segmenter": {"network": "fpn", "train": {}}} | keys
    config = {"experiment": "x", "denoisers": {"noisy": {"method": "noisy"}}, "benchmarks": {"voc_segmentation": entry}}
    return Dag(checked_experiment(config | {"data_root": "data"}))


def test_an_input_size_is_a_view_of_scored_images_alone() -> None:
    own = settings(**SIZE)
    assert own == settings(**SIZE, noise_on="network_input")
    assert own.view == Resized(500, 400)
    assert own.training_view is None
    assert own.segmenter_size is None
    assert settings(longest_side=64).view == Shrunk(64)
    assert settings().view is None
    assert settings().segmenter_size is None
    with pytest.raises(UsaidError, match=r"^settings: give 'longest_side' or 'input_size', not both$"):
        settings(**SIZE, longest_side=64)


def test_noise_on_stored_images_leaves_the_size_to_the_segmenter() -> None:
    own = settings(**STORED)
    assert own.view is None
    assert own.training_view is None
    assert own.segmenter_size == (500, 400)


@pytest.mark.parametrize("size", [{}, {"input_size": None}, {"longest_side": 64}])
def test_noise_on_stored_images_needs_a_size_of_the_segmenter(size: dict[str, Any]) -> None:
    message = r"^settings: 'noise_on: stored' needs 'input_size'; give it, or drop 'noise_on'$"
    with pytest.raises(UsaidError, match=message):
        settings(**size, noise_on="stored")
    with pytest.raises(UsaidError, match=r"^settings: .*noise_on"):
        settings(**SIZE, noise_on="elsewhere")


def test_noise_on_other_images_scores_anew_but_trains_no_segmenter_anew() -> None:
    assert {"input_size", "noise_on", "void"} == SegmentationSettings.of_scoring
    stored, resized, plain = dag_of(**STORED), dag_of(**SIZE), dag_of()
    trainings = [dag.train_judge("voc_segmentation") for dag in (stored, resized, plain)]
    assert trainings[0] == trainings[1] == trainings[2]
    assert stored.score("voc_segmentation", "noisy").settings != resized.score("voc_segmentation", "noisy").settings


def test_a_plan_counts_stored_pixels_of_the_denoiser_and_resized_ones_of_the_segmenter() -> None:
    pixels = extent_of(dag_of(**STORED), "voc2012/val", "voc_segmentation").pixels
    assert pixels == extent_of(dag_of(), "voc2012/val", "voc_segmentation").pixels
    assert extent_of(dag_of(**SIZE), "voc2012/val", "voc_segmentation").pixels == 500 * 400
    stored, resized = cost(settings(**STORED), 0), cost(settings(**SIZE), 0)
    assert "segmenter" not in stored.pixel
    assert stored.image["segmenter"] == pytest.approx(500 * 400 * resized.pixel["segmenter"])
    assert stored.image["call of a segmenter"] == resized.image["call of a segmenter"]
