"""What holds for the reader of every data set; the test class of each inherits it and writes a few images."""

import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample
from usaid.datasets.loading import load
from usaid.datasets.sources import source_of
from usaid.datasets.status import cure_for, split_status
from usaid.datasets.views import Shrunk
from usaid.errors import UsaidError
from usaid.registries import DATASETS, load_object

HEIGHT, WIDTH = 6, 8
"""Of the images that the tests write."""


class ReaderTests:
    """Tests of a reader, of its card, and of what it says to files that are not right.

    Attributes:
        card: of the data set.
        split: the split of which :meth:`write` writes images.
        ids: of that split, in official order, as the reader should give them.
        not_on_disk: those of them whose image is not written: a list names them.
        shape: of the images.
        void: values of label maps that are of no class.
    """

    card: ClassVar[DataSet]
    split: ClassVar[str]
    ids: ClassVar[tuple[str, ...]]
    not_on_disk: ClassVar[tuple[str, ...]] = ()
    shape: ClassVar[tuple[int, int, int]] = (HEIGHT, WIDTH, 3)
    void: ClassVar[tuple[int, ...]] = ()

    def write(self, root: Path) -> None:
        """Write two or more images of ``split``, with their targets, below ``root`` in the official layout."""
        raise NotImplementedError

    def check_target(self, sample: Sample) -> None:
        """Type and range of a target; unless overridden, a label map of the card's classes."""
        assert isinstance(sample.target, np.ndarray)
        assert sample.target.dtype == np.uint8
        assert sample.target.shape == sample.image.shape[:2]
        assert set(np.unique(sample.target).tolist()) <= {*range(len(self.card.classes)), *self.void}

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """A data root that holds what :meth:`write` writes."""
        self.write(tmp_path)
        return tmp_path

    def open(self, root: Path, subset: str | None = None) -> Dataset:
        """The split, or those of its images that a list names."""
        dataset: Dataset = load_object(self.card.reader)(root, self.split, subset)
        return dataset

    # What its card says

    def test_its_card_is_registered_and_names_it(self) -> None:
        reader = load_object(self.card.reader)
        assert DATASETS[self.card.name] == self.card
        assert issubclass(reader, Dataset)
        assert reader.card is self.card

    def test_its_card_names_all_splits(self) -> None:
        assert set(load_object(self.card.reader).folders) == set(self.card.splits)
        assert all(count > 0 for count in self.card.splits.values())
        assert len(set(self.card.classes)) == len(self.card.classes)
        assert set(self.card.left_out) <= set(self.card.classes)

    def test_its_sources_are_well_formed_and_its_package_data_is_there(self) -> None:
        if self.card.sources is not None:
            check_source(source_of(self.card.name))
        for place in self.card.package_data:
            package, _, file = place.partition(":")
            assert resources.files(package).joinpath(file).is_file()

    def test_every_split_has_a_cure(self, tmp_path: Path) -> None:
        for split in self.card.splits:
            cure = cure_for(self.card.name, tmp_path, split)
            assert cure == " ".join(cure.split())
            assert len(cure.split()) > 3
            assert str(tmp_path) in cure
            assert "DATA_ROOT" not in cure

    # What it reads

    def test_its_ids_are_in_official_order(self, root: Path) -> None:
        dataset = self.open(root)
        assert dataset.ids == self.ids
        assert len(dataset) == len(self.ids)
        assert dataset.ids_on_disk() == [image_id for image_id in self.ids if image_id not in self.not_on_disk]

    def test_it_counts_the_official_split(self, root: Path) -> None:
        dataset = self.open(root)
        assert (dataset.name, dataset.n_official) == (self.card.name, self.card.splits[self.split])
        row = split_status(self.card, root, self.split)
        assert (row.found, row.official, row.problem) == (len(dataset.ids_on_disk()), dataset.n_official, "")

    def test_its_samples_are_images_with_targets(self, root: Path) -> None:
        dataset = self.open(root)
        assert len(dataset.ids_on_disk()) > 1
        for image_id in dataset.ids_on_disk():
            sample = dataset[image_id]
            assert sample.id == image_id
            assert isinstance(sample.image, np.ndarray)
            assert (sample.image.dtype, sample.image.shape) == (np.uint8, self.shape)
            self.check_target(sample)

    def test_its_images_differ(self, root: Path) -> None:
        first, second, *_ = (self.open(root)[image_id] for image_id in self.open(root).ids_on_disk())
        assert not np.array_equal(first.image, second.image)

    def test_going_through_it_gives_what_its_ids_give_again_and_again(self, root: Path) -> None:
        save_text(root / "on_disk.txt", "\n".join(self.open(root).ids_on_disk()))
        dataset, again = self.open(root, "on_disk.txt"), self.open(root, "on_disk.txt")
        assert [sample.id for sample in dataset] == list(dataset.ids)
        for sample, same in zip(dataset, again, strict=True):
            assert_same(sample, dataset[sample.id])
            assert_same(sample, same)

    def test_large_images_with_label_maps_are_made_smaller(self, root: Path) -> None:
        dataset = load(self.card.name, root, self.split, view=Shrunk(max(self.shape) // 2))
        image_id = dataset.ids_on_disk()[0]
        if not self.card.classes:
            with pytest.raises(UsaidError, match="only images with label maps can be resized"):
                dataset[image_id]
            return
        sample = dataset[image_id]
        assert max(sample.image.shape) == max(self.shape) // 2
        self.check_target(sample)

    # Which of its images

    def test_a_list_chooses_images_in_the_order_of_the_split(self, root: Path) -> None:
        save_text(root / "lists/two.txt", f"{self.ids[-1]}\n\n{self.ids[0]}\n")
        dataset = self.open(root, "lists/two.txt")
        assert dataset.ids == (self.ids[0], self.ids[-1])
        assert dataset.n_official == self.card.splits[self.split]

    def test_an_id_that_the_split_lacks_is_refused(self, root: Path) -> None:
        save_text(root / "wrong.txt", f"{self.ids[0]}\nnowhere_1\n")
        assert "wrong.txt: id 'nowhere_1' is not in split" in refusal(lambda: self.open(root, "wrong.txt"))

    def test_a_list_that_is_empty_missing_or_no_text_is_refused(self, root: Path) -> None:
        save_text(root / "empty.txt", "\n\n")
        (root / "binary.txt").write_bytes(b"\xff\xfe\x00")
        assert "empty.txt: list of ids is empty" in refusal(lambda: self.open(root, "empty.txt"))
        assert "missing.txt: list of ids is missing" in refusal(lambda: self.open(root, "missing.txt"))
        assert "binary.txt: list of ids cannot be read" in refusal(lambda: self.open(root, "binary.txt"))

    def test_an_unknown_split_is_refused(self, root: Path) -> None:
        message = refusal(lambda: load_object(self.card.reader)(root, "nowhere"))
        assert message.startswith(f"{self.card.name}: no split 'nowhere'; one of {', '.join(self.card.splits)}")

    def test_nothing_on_disk_is_refused(self, tmp_path: Path) -> None:
        assert str(tmp_path) in refusal(lambda: self.open(tmp_path))
        assert split_status(self.card, tmp_path, self.split).found == 0

    # Files that are not right

    def first_files(self, root: Path) -> tuple[Dataset, str, tuple[Path, ...]]:
        """The split, an id of it that is on disk, and this id's files: its image, then its target."""
        dataset = self.open(root)
        image_id = dataset.ids_on_disk()[0]
        return dataset, image_id, dataset.files(image_id)

    def test_a_file_that_is_missing_is_named(self, root: Path) -> None:
        dataset, image_id, paths = self.first_files(root)
        for path in reversed(paths):
            path.unlink()
            assert image_id not in dataset.ids_on_disk()
            message = refusal(lambda: dataset[image_id])
            assert message.startswith(f"{path}: missing; ")
            assert "usaid data status" in message

    def test_an_image_that_ends_too_early_is_named(self, root: Path) -> None:
        dataset, image_id, paths = self.first_files(root)
        for path in paths[:1]:
            path.write_bytes(path.read_bytes()[:60])
            assert image_id in dataset.ids_on_disk()  # nothing is decoded
            assert refusal(lambda: dataset[image_id]).startswith(f"{path}: does not decode")

    def test_a_label_map_that_is_no_image_or_of_another_size_is_named(self, root: Path) -> None:
        if not self.card.classes:
            return
        dataset, image_id, (_, path) = self.first_files(root)
        with Image.open(path) as labels:
            labels.resize((WIDTH, HEIGHT - 1), Image.Resampling.NEAREST).save(path)
        message = refusal(lambda: dataset[image_id])
        assert message.startswith(f"{path}: mask is {WIDTH}x{HEIGHT - 1} pixels, its image {WIDTH}x{HEIGHT}; ")
        path.write_bytes(path.read_bytes()[:40])
        assert refusal(lambda: dataset[image_id]).startswith(f"{path}: does not decode")


def refusal(action: Callable[[], object]) -> str:
    """The message, of one line, with which something is refused."""
    with pytest.raises(UsaidError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    return message


def assert_same(sample: Sample, other: Sample) -> None:
    """That two samples have the same id, pixels and target."""
    assert sample.id == other.id
    assert np.array_equal(sample.image, other.image)
    if isinstance(sample.target, np.ndarray):
        assert np.array_equal(sample.target, other.target)
    else:
        assert sample.target == other.target


def check_source(source: Mapping[str, Any], hash_digits: int = 64) -> None:
    """That a file of sources has the keys and values that ``usaid/datasets/sources/__init__.py`` explains."""
    assert len(source.keys() & {"archives", "files", "by_hand"}) == 1
    assert ("splits" in source) == ("other_splits" in source)
    assert source.keys() <= {"licence", "citation", "archives", "files", "by_hand", "splits", "other_splits"}
    assert source["licence"], "where none is given, it says so"
    assert source["citation"]
    for key, place in (("archives", "unpack_to"), ("files", "place_at")):
        for entry in source.get(key, ()):
            assert set(entry) - {"about", "splits", "only", "at_most", "unpacked_at_most"} == {
                "urls",
                "sha256",
                "size",
                place,
            }
            assert "only" not in entry or key == "archives"
            assert entry["urls"]
            assert all(url.startswith(("http://", "https://")) for url in entry["urls"])
            assert entry["sha256"] is None or len(bytes.fromhex(entry["sha256"])) == hash_digits / 2
            assert entry["size"] is None or entry["size"] > 0
            assert entry["size"] is None or "about" not in entry
            assert not Path(entry[place]).is_absolute()


def picture(seed: int = 0) -> np.ndarray:
    """Noise to tell images apart by: uint8 (HEIGHT, WIDTH, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, palette: bool = False) -> None:
    """Write an image as its file's suffix says; its folder is made. With a palette, ``pixels`` are indices of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette([value for index in range(256) for value in (index, 255 - index, index // 2)])
    image.save(path)


def save_text(path: Path, text: str) -> None:
    """Write a text file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def save_json(path: Path, content: Any) -> None:
    """Write a JSON file; its folder is made."""
    save_text(path, json.dumps(content))
