"""A detection benchmark's entry: which images noise is added to, and what of it a training depends on."""

from typing import Any

import pytest
from pydantic import ValidationError

from evaluators.dag.dag import Dag
from evaluators.detection.cost import cost
from evaluators.detection.settings import DetectionSettings
from evaluators.plan.extents import extent_of
from usaid.datasets.views import Letterboxed
from usaid.experiment.reading import checked_experiment

TRAINED = {"network": "darknet:miniature", "train": {}}
GIVEN = {"network": "darknet:yolov3,weights/yolov3.weights"}


def settings(detector: dict[str, Any] | None = None, **keys: Any) -> DetectionSettings:
    return DetectionSettings.model_validate({"sigmas": [25], "detector": detector or GIVEN} | keys)


def dag_of(**keys: Any) -> Dag:
    entry = {"sigmas": [25], "detector": TRAINED} | keys
    config = {"experiment": "x", "denoisers": {"noisy": {"method": "noisy"}}, "benchmarks": {"coco_detection": entry}}
    return Dag(checked_experiment(config | {"data_root": "data"}))


def test_noise_is_added_to_stored_images_unless_the_network_input_is_asked_for() -> None:
    assert settings().view is None
    assert settings(noise_on="network_input").view == Letterboxed(416, "pytorch_yolov3_2019")
    own = settings(noise_on="network_input", letterbox_size=320, letterbox_resampling="darknet")
    assert own.view == Letterboxed(320, "darknet")
    assert own.training_view is None


@pytest.mark.parametrize("side", [0, 31, 100, 100_000, 416.5])
def test_sides_that_no_network_takes_are_refused(side: float) -> None:
    with pytest.raises(ValidationError):
        settings(noise_on="network_input", letterbox_size=side)
    with pytest.raises(ValidationError):
        settings({**GIVEN, "input_size": side})


@pytest.mark.parametrize("detector", [TRAINED, {"network": "yolov3u"}])
def test_only_the_input_of_a_network_of_given_weights_can_be_set(detector: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="'input_size' belongs to 'darknet:<cfg>,<weights>'; drop it"):
        settings({**detector, "input_size": 416})


def test_noise_on_other_images_scores_anew_but_trains_no_detector_anew() -> None:
    stored, boxed = dag_of(), dag_of(noise_on="network_input")
    assert stored.train_judge("coco_detection") == boxed.train_judge("coco_detection")
    assert stored.score("coco_detection", "noisy").settings != boxed.score("coco_detection", "noisy").settings


def test_a_plan_counts_the_pixels_of_letterboxed_images() -> None:
    boxed = dag_of(noise_on="network_input", letterbox_size=320)
    assert extent_of(boxed, "coco/val", "coco_detection").pixels == 320**2
    assert extent_of(boxed, "coco/train", "coco_detection") == extent_of(dag_of(), "coco/train", "coco_detection")


def test_a_smaller_input_costs_less() -> None:
    whole, small = (cost(settings({**GIVEN, "input_size": size}), 0).image["detector"] for size in (608, 304 + 16))
    assert whole == cost(settings(), 0).image["detector"]
    assert small == pytest.approx(whole * (320 / 608) ** 2)


@pytest.mark.parametrize("key", [{"letterbox_size": 608}, {"letterbox_resampling": "darknet"}])
def test_how_images_are_letterboxed_is_no_key_of_stored_ones(key: dict[str, Any]) -> None:
    (name,) = key
    with pytest.raises(ValidationError, match=f"'{name}' needs 'noise_on: network_input'; give it, or drop '{name}'"):
        settings(**key)
