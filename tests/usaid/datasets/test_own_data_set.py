"""A data set of a user's own: one file with card and reader and one entry point make it a data set like the others."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kinds.readers import ReaderTests, picture, refusal, save

from usaid.cards import DataSet
from usaid.datasets.fetch import fetch, fetchable_names, find_or_fetch
from usaid.datasets.loading import load
from usaid.datasets.sources import source_of
from usaid.datasets.status import format_status, status, status_of
from usaid.experiment.reading import checked_experiment
from usaid.registries import DATASETS

FLOWERS = '''
"""Flowers: photographs of petals."""

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, read_image, read_mask

CARDS = (DataSet("flowers", "Flowers", "my_flowers:Flowers", {"test": 5}, classes=("leaf", "petal")),)


class Flowers(Dataset):
    """Reads ``flowers/*.jpg`` and the masks beside them."""

    card = CARDS[0]
    folders = {"test": "flowers"}

    def find_ids(self):
        return sorted(path.stem for path in self.folder.glob("*.jpg"))

    def files(self, image_id):
        return self.folder / f"{image_id}.jpg", self.folder / f"{image_id}.png"

    def read(self, image_id):
        image_path, mask_path = self.files(image_id)
        image = read_image(image_path)
        return Sample(image_id, image, read_mask(mask_path, image, modes=("L",)))
'''


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file above, in a folder as an installed package would lie there; the registry is read anew."""
    folder = tmp_path_factory.mktemp("site-packages")
    (folder / "my_flowers.py").write_text(FLOWERS, encoding="utf-8")
    package = folder / "my_flowers-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: my-flowers\nVersion: 1.0\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[usaid.datasets]\nflowers = my_flowers\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    vars(DATASETS).pop("all", None)
    yield folder
    vars(DATASETS).pop("all", None)
    sys.modules.pop("my_flowers", None)


def write_flowers(root: Path) -> None:
    for number in (2, 1):
        save(root / f"flowers/{number}.jpg", picture(number))
        save(root / f"flowers/{number}.png", picture(number)[..., 0] % 2)


@pytest.mark.usefixtures("installed")
class TestFlowers(ReaderTests):
    """It passes the tests of every reader."""

    split = "test"
    ids = ("1", "2")

    @property
    def card(self) -> DataSet:  # type: ignore[override]
        return DATASETS["flowers"]

    def write(self, root: Path) -> None:
        write_flowers(root)


@pytest.mark.usefixtures("installed")
def test_it_is_opened_by_name_and_counted(tmp_path: Path) -> None:
    write_flowers(tmp_path)
    assert load("flowers", tmp_path, "test").ids == ("1", "2")
    assert next(iter(DATASETS)) == "voc2012"  # the suite's own come first
    assert [(row.name, row.split, row.found, row.official) for row in status(tmp_path)][-1] == ("flowers", "test", 2, 5)
    assert f"-> nothing fetches it: put it below {tmp_path}, where its reader looks (my_flowers:Flowers)" in (
        format_status(status(tmp_path))
    )
    assert find_or_fetch("flowers", tmp_path) == {"test": "2 of 5"}


@pytest.mark.usefixtures("installed")
def test_an_experiment_can_name_it() -> None:
    experiment = checked_experiment(
        {
            "experiment": "flowers",
            "data_root": "data",
            "subsets": {"flowers/test": "some.txt"},
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {"kodak_quality": {"sigmas": [25]}},
        }
    )
    assert experiment.subset_of("flowers", "test") == "some.txt"


@pytest.mark.usefixtures("installed")
def test_what_nothing_fetches_is_refused_with_its_cure(tmp_path: Path) -> None:
    assert "flowers" not in fetchable_names()
    for action in (fetch, find_or_fetch):
        message = refusal(lambda action=action: action("flowers", tmp_path))  # type: ignore[misc]
        assert message.startswith("flowers: nothing fetches it: put it below")


def test_a_reader_that_cannot_be_imported_costs_its_own_rows_only(installed: Path, tmp_path: Path) -> None:
    broken = FLOWERS.replace("my_flowers:Flowers", "my_flowers:Roses")
    (installed / "my_flowers.py").write_text(broken, encoding="utf-8")
    importlib.invalidate_caches()
    (row,) = status_of(DATASETS["flowers"], tmp_path)
    assert (row.found, row.complete) == (0, False)
    assert row.problem.startswith("my_flowers:Roses cannot be imported")
    assert row.problem in format_status(status(tmp_path))


@pytest.mark.parametrize("place", ["usaid.datasets.sources:roses.yaml", "nowhere_at_all:roses.yaml"])
def test_sources_that_cannot_be_read_are_refused(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    card = DataSet("roses", "Roses", "roses:Roses", {"test": 1}, sources=place)
    monkeypatch.setitem(DATASETS.all, "roses", card)
    message = refusal(lambda: source_of("roses"))
    assert message.startswith(f"{place}: cannot be read (")
    assert message.endswith("it must say where to get roses")
