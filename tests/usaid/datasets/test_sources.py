"""Where data sets and weights come from: a file each, and none too many."""

from importlib import resources
from typing import Any

import pytest
from kinds.readers import check_source

from usaid.datasets.sources import WEIGHTS, _what_is_wrong, files_of, source_names, source_of
from usaid.registries import DATASETS

HASH_DIGITS = {"resnet101": 8}
"""Of those whose publisher tells only the first digits of a hash."""


def test_every_data_set_and_all_weights_have_a_source() -> None:
    assert source_names() == (*(name for name, card in DATASETS.own.items() if card.sources is not None), *WEIGHTS)
    files = {path.name for path in resources.files("usaid.datasets.sources").iterdir() if path.name.endswith(".yaml")}
    assert files == {f"{name}.yaml" for name in source_names()}


@pytest.mark.parametrize("name", WEIGHTS)
def test_sources_of_weights_are_well_formed(name: str) -> None:
    check_source(source_of(name), HASH_DIGITS.get(name, 64))
    assert files_of(name)


def test_files_of_weights_are_known_before_they_are_fetched() -> None:
    assert files_of("released") == ("released/DnCNN.pth", "released/SSAID.pth", "released/USAID.pth")


ENTRY = {"urls": ["https://a.org/x.zip"], "sha256": None, "size": None, "place_at": "a/x.zip"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"urls": []}, "urls must be a list"),
        ({"urls": "https://a.org/x.zip"}, "urls must be a list"),
        ({"urls": ["file:///etc/passwd"]}, "urls must be a list of http"),
        ({"urls": [None]}, "urls must be a list"),
        ({"sha256": 12345678}, "sha256 must be hexadecimal digits in quotes"),
        ({"sha256": ""}, "sha256 must be"),
        ({"sha256": "a" * 65}, "sha256 must be"),
        ({"sha256": "a" * 64 + "\n"}, "sha256 must be"),
        ({"size": 0}, "size must be a number of bytes"),
        ({"size": "5 MB"}, "size must be a number of bytes"),
        ({"size": True}, "size must be a number of bytes"),
        ({"at_most": -1}, "at_most must be"),
        ({"unpacked_at_most": float("inf")}, "unpacked_at_most must be"),
        ({"place_at": "/etc/passwd"}, "place_at must be a path below the data root"),
        ({"place_at": "a/../../b"}, "place_at must be a path below"),
        ({"place_at": None}, "place_at must be a path below"),
    ],
)
def test_an_entry_that_is_wrong_is_said_so(change: dict[str, Any], reason: str) -> None:
    assert _what_is_wrong(ENTRY, "place_at") == ""
    assert _what_is_wrong(ENTRY | change, "place_at").startswith(reason)


@pytest.mark.parametrize("entry", [None, [], "x", {}, {key: ENTRY[key] for key in ENTRY if key != "size"}])
def test_an_entry_that_lacks_keys_is_said_so(entry: Any) -> None:
    assert _what_is_wrong(entry, "place_at") == "an entry needs the keys urls, sha256, size and place_at"
