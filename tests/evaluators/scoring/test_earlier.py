"""Whether earlier scores are of the same view of the images; files of earlier versions know the longest side alone."""

from typing import Any

import pytest

from evaluators.scoring.earlier import NotTheSame, check_same_noise, judged_otherwise
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


@pytest.mark.parametrize(
    ("ours", "theirs", "differs"),
    [
        ({}, {}, None),
        ({"void": "background"}, {}, 'their judge\'s void is null, not "background"'),
        ({}, {"void": "background"}, 'their judge\'s void is "background", not null'),
        ({"input_size": [64, 64]}, {}, "their judge's input_size is null, not [64, 64]"),
        ({}, {"input_size": [64, 64]}, "their judge's input_size is [64, 64], not null"),
        ({"input_size": [64, 64]}, {"input_size": [64, 64]}, None),
    ],
)
def test_confusions_of_another_size_or_another_void_are_not_taken(
    ours: dict[str, Any], theirs: dict[str, Any], differs: str | None
) -> None:
    network = {"weights_sha256": "0"}
    found = judged_otherwise(network | ours, network | theirs, ["confusion"])
    assert found == ({} if differs is None else {"confusion": differs})


def test_matches_of_detectors_with_another_input_are_not_taken_but_psnr_is() -> None:
    ours, columns = {"weights_sha256": "0", "input_size": [416, 416], "letterbox": True}, ["matches", "psnr_rgb_float"]
    unknown = judged_otherwise(ours, {"weights_sha256": "0"}, columns)
    assert unknown == {"matches": "their judge's input_size is null, not [416, 416]"}
    stretched = judged_otherwise(ours, ours | {"letterbox": False}, columns)
    assert stretched == {"matches": "their judge's letterbox is false, not true"}
    assert judged_otherwise(ours, dict(ours), columns) == {}
