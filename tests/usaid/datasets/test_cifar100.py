"""CIFAR-100: rows of a pickle that is read without running anything in it."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kinds.readers import ReaderTests, save_text

from usaid.datasets.base import Sample
from usaid.datasets.cifar100 import CARD, CIFAR100, read_pickle
from usaid.errors import UsaidError


def cifar_rows(n: int = 3, **changes: Any) -> dict[str, Any]:
    data = np.random.default_rng(n).integers(0, 256, (n, 3072), dtype=np.uint8)
    return {"data": data, "fine_labels": [99, 0, 42][:n], "filenames": ["a.png"] * n} | changes


def write_pickle(path: Path, content: Any, protocol: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


class TestCIFAR100(ReaderTests):
    card = CARD
    split = "test"
    ids = ("test_00000", "test_00001", "test_00002")
    shape = (32, 32, 3)

    def write(self, root: Path) -> None:
        write_pickle(root / "cifar-100-python/test", cifar_rows())
        write_pickle(root / "cifar-100-python/meta", {"fine_label_names": [f"thing {n}" for n in range(100)]})

    def check_target(self, sample: Sample) -> None:
        assert type(sample.target) is int
        assert 0 <= sample.target < 100

    def test_its_card_is_of_the_official_release(self) -> None:
        assert CARD.splits == {"train": 50_000, "test": 10_000}

    @pytest.mark.parametrize("protocol", [0, 2, 4, 5])
    def test_pixels_and_labels(self, root: Path, protocol: int) -> None:
        rows = cifar_rows()
        write_pickle(root / "cifar-100-python/test", rows, protocol)
        dataset = CIFAR100(root, "test")
        sample = dataset["test_00002"]
        assert (sample.target, type(sample.target)) == (42, int)
        assert sample.image[5, 7].tolist() == [rows["data"][2][channel * 1024 + 5 * 32 + 7] for channel in range(3)]
        assert (dataset.images.shape, dataset.images.dtype) == ((3, 32, 32, 3), np.uint8)
        assert (dataset.labels.tolist(), dataset.labels.dtype) == ([99, 0, 42], np.int64)
        assert dataset.class_names[99] == "thing 99"

    def test_a_file_as_python_2_wrote_it(self, tmp_path: Path) -> None:
        """The official files hold byte strings and name numpy's modules of 2009."""
        data = bytes(range(256)) * 12
        array = (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01bt\x52"
            b"(I1\n(I1\nI3072\ntcnumpy\ndtype\n(U\x02u1I0\nI1\nt\x52(I3\nU\x01|NNNI-1\nI-1\nI0\ntb"
            b"I00\nT" + len(data).to_bytes(4, "little") + data + b"tb"
        )
        (tmp_path / "cifar-100-python").mkdir()
        (tmp_path / "cifar-100-python/test").write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x0bfine_labels](I42\neu.")
        dataset = CIFAR100(tmp_path, "test")
        assert dataset.labels.tolist() == [42]
        assert dataset.images[0, 0, :3].tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
        assert int(dataset.images[0, 31, 31, 2]) == 255

    def test_arrays_follow_a_subset(self, root: Path) -> None:
        save_text(root / "one.txt", "test_00002\n")
        whole, part = CIFAR100(root, "test"), CIFAR100(root, "test", "one.txt")
        assert part.labels.tolist() == [42]
        assert np.array_equal(part.images[0], whole.images[2])
        assert np.array_equal(part["test_00002"].image, whole["test_00002"].image)
        with pytest.raises(UsaidError, match="test_00000"):
            part["test_00000"]

    @pytest.mark.parametrize("protocol", [0, 2, 4])
    def test_a_malicious_pickle_is_refused_and_not_run(self, root: Path, protocol: int) -> None:
        witness = root / "witness"
        write_pickle(root / "cifar-100-python/test", cifar_rows() | {"batch_label": Malicious(witness)}, protocol)
        with pytest.raises(UsaidError, match=r"test: pickle asks for \w+\.system"):
            self.open(root)
        assert not witness.exists()

    @pytest.mark.parametrize("name", ["getattr", "eval", "__import__"])
    def test_builtins_are_not_importable_by_a_pickle(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "test"
        path.write_bytes(f"cbuiltins\n{name}\n.".encode())
        with pytest.raises(UsaidError, match=f"builtins.{name}"):
            read_pickle(path)

    @pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(cifar_rows())[:2000], pickle.dumps([1])])
    def test_a_damaged_pickle_is_named(self, root: Path, content: bytes) -> None:
        (root / "cifar-100-python/test").write_bytes(content)
        with pytest.raises(UsaidError, match=r"cifar-100-python/test: .*fetch cifar100 again"):
            self.open(root)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (cifar_rows(fine_labels=[0, 100, 1]), "label 100 of row 1"),
            (cifar_rows(fine_labels=[0, 1, -1]), "label -1 of row 2"),
            (cifar_rows(fine_labels=[0, 1]), "3 images with labels of shape"),
            (cifar_rows(fine_labels=[0.5, 1, 2]), "float64"),
            (cifar_rows(data=np.zeros((3, 3000), np.uint8)), "3072"),
            (cifar_rows(data=np.zeros((3, 3072))), "uint8"),
            ({"data": np.zeros((1, 3072), np.uint8)}, "fine_labels"),
            (cifar_rows(data=np.zeros((10_001, 3072), np.uint8), fine_labels=[0] * 10_001), "at most 10000"),
        ],
    )
    def test_wrong_rows_are_named(self, root: Path, content: dict[str, Any], reason: str) -> None:
        write_pickle(root / "cifar-100-python/test", content)
        with pytest.raises(UsaidError, match=reason):
            self.open(root)

    def test_meta_of_another_data_set(self, root: Path) -> None:
        write_pickle(root / "cifar-100-python/meta", {"fine_label_names": ["cat"]})
        with pytest.raises(UsaidError, match="meta: does not list 100"):
            _ = CIFAR100(root, "test").class_names
