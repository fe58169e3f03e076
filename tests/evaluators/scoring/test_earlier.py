"""Whether earlier scores are of the same view of the images; files of earlier versions know the longest side alone."""

from typing import Any

import pytest

from evaluators.scoring.earlier import NotTheSame, check_same_noise
from usaid import noise
from usaid.datasets.views import Letterboxed, Shrunk

IMAGES = {"name": "isic2018", "split": "val"}


def check(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    provenance = {"failure": None, "benchmark": "b", "noise_version": noise.VERSION, "dataset": IMAGES | theirs}
    check_same_noise(provenance, "b", IMAGES | ours)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"longest_side": None}, {"view": None}),
        ({}, {"view": None}),
        ({"longest_side": 512}, {"view": Shrunk(512).record}),
        ({"view": Letterboxed(416).record}, {"view": Letterboxed(416).record}),
    ],
)
def test_the_same_view_is_known_again(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    check(theirs, ours)


@pytest.mark.parametrize(
    ("theirs", "ours", "said"),
    [
        ({"longest_side": 256}, {"view": Shrunk(512).record}, '"longest_side": 256'),
        ({"view": None}, {"view": Letterboxed(416).record}, "their data set's view is none, not"),
        ({"longest_side": None}, {"view": Shrunk(512).record}, "their data set's view is none, not"),
        ({"view": Letterboxed(416, "darknet").record}, {"view": Letterboxed(416).record}, "darknet"),
    ],
)
def test_another_view_is_not(theirs: dict[str, Any], ours: dict[str, Any], said: str) -> None:
    with pytest.raises(NotTheSame, match=said):
        check(theirs, ours)
