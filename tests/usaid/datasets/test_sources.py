"""Where data sets and weights come from: a file each, and none too many."""

from importlib import resources

import pytest
from kinds.readers import check_source

from usaid.datasets.sources import WEIGHTS, files_of, source_names, source_of
from usaid.registries import DATASETS

HASH_DIGITS = {"resnet101": 8}
"""Of those whose publisher tells only the first digits of a hash."""


def test_every_data_set_and_all_weights_have_a_source() -> None:
    assert source_names() == (*DATASETS.own, *WEIGHTS)
    files = {path.name for path in resources.files("usaid.datasets.sources").iterdir() if path.name.endswith(".yaml")}
    assert files == {f"{name}.yaml" for name in source_names()}


@pytest.mark.parametrize("name", WEIGHTS)
def test_sources_of_weights_are_well_formed(name: str) -> None:
    check_source(source_of(name), HASH_DIGITS.get(name, 64))
    assert files_of(name)


def test_files_of_weights_are_known_before_they_are_fetched() -> None:
    assert files_of("released") == ("released/DnCNN.pth", "released/SSAID.pth", "released/USAID.pth")
