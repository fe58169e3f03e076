"""CIFAR-100: 32x32 images of 100 classes, 50,000 for training and 10,000 for testing (Tables VIII, X)."""

import codecs
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, require_file
from usaid.errors import UsaidError

N_CLASSES = 100

CARD = DataSet(
    "cifar100",
    "CIFAR-100",
    reader="usaid.datasets.cifar100:CIFAR100",
    splits={"train": 50_000, "test": 10_000},
    sources="usaid.datasets.sources:cifar100.yaml",
)
CARDS = (CARD,)


class CIFAR100(Dataset):
    """Reads ``cifar-100-python/{train,test,meta}`` into memory.

    An id is the split and the row in its file, e.g. ``"test_00042"``; a file may hold fewer rows than the official
    one. ``Sample.target`` is the fine label, an int of 0-99.

    Attributes:
        images: uint8 (N, 32, 32, 3), RGB, row i is the image of ``ids[i]``.
        labels: int64 (N,), fine labels 0-99 in the same order.

    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009, cifar-100-python.tar.gz.
    """

    card = CARD
    folders: ClassVar[dict[str, str]] = dict.fromkeys(("train", "test"), "cifar-100-python")
    images: np.ndarray
    labels: np.ndarray

    def __init__(self, data_root: str | Path, split: str, subset: str | Path | None = None) -> None:
        super().__init__(data_root, split, subset)
        if subset is not None:
            rows = [int(image_id.removeprefix(f"{split}_")) for image_id in self.ids]
            self.images, self.labels = self.images[rows], self.labels[rows]
        self._positions = {image_id: position for position, image_id in enumerate(self.ids)}

    def find_ids(self) -> Sequence[str]:
        self.images, self.labels = read_rows(self.folder / self.split, self.n_official)
        return [f"{self.split}_{row:05d}" for row in range(len(self.labels))]

    def read(self, image_id: str) -> Sample:
        if image_id not in self._positions:
            raise UsaidError(f"{self.folder / self.split}: no image {image_id!r}; ids read like {self.ids[0]!r}")
        position = self._positions[image_id]
        return Sample(image_id, self.images[position], int(self.labels[position]))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the 100 fine classes, in label order, from the file ``meta``.

        Raises:
            UsaidError: the file is missing or is not CIFAR-100's.
        """
        path = self.folder / "meta"
        names = read_entry(read_pickle(path), "fine_label_names", path)
        if not isinstance(names, list) or len(names) != N_CLASSES:
            raise UsaidError(f"{path}: does not list {N_CLASSES} fine_label_names; fetch cifar100 again")
        return tuple(names)


def read_rows(path: Path, n_most: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and fine labels of one CIFAR-100 file.

    Returns:
        uint8 (N, 32, 32, 3) and int64 (N,), with N at most ``n_most``.

    Raises:
        UsaidError: missing, damaged or dangerous file, images and labels that do not match, label out of range.
    """
    content = read_pickle(path)
    data = read_entry(content, "data", path)
    labels = np.asarray(read_entry(content, "fine_labels", path))
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3 * 32 * 32:
        raise UsaidError(f"{path}: 'data' is not a uint8 array of rows of 3072 values; fetch cifar100 again")
    if labels.dtype.kind not in "iu" or labels.shape != (len(data),) or len(data) > n_most:
        raise UsaidError(
            f"{path}: {len(data)} images with labels of shape {labels.shape} and type {labels.dtype}; "
            f"expected one integer each and at most {n_most}; fetch cifar100 again"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= N_CLASSES))
    if wrong.size:
        raise UsaidError(f"{path}: label {labels[wrong[0]]} of row {wrong[0]} is not 0-99; fetch cifar100 again")
    images = np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, labels.astype(np.int64)


def read_entry(content: dict[str, Any], key: str, path: Path) -> Any:
    """The value of a key of a file's content; a UsaidError where it is missing."""
    if key not in content:
        raise UsaidError(f"{path}: holds no {key!r}; this is not a CIFAR-100 file, fetch cifar100 again")
    return content[key]


def read_pickle(path: Path) -> dict[str, Any]:
    """Unpickle a file that may hold only containers, strings, numbers and numpy arrays.

    Raises:
        UsaidError: missing or damaged file, or one that names anything else to be imported.
    """
    require_file(path, "`usaid data fetch cifar100` brings it")
    try:
        with open(path, "rb") as file:
            # The official files were pickled by Python 2: their keys are byte strings, read as text.
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except UsaidError as error:
        raise UsaidError(f"{path}: {error}; do not use this file, fetch cifar100 again") from None
    except Exception as error:  # damaged bytes are damaged instructions: they can raise anything
        raise UsaidError(f"{path}: does not unpickle ({error}); fetch cifar100 again") from None
    if not isinstance(content, dict):
        raise UsaidError(f"{path}: holds a {type(content).__name__}, not a dictionary; fetch cifar100 again")
    return content


# numpy's functions that rebuild an array, in protocols up to 4 and from 5, wherever this numpy keeps them.
_RECONSTRUCT: Any = np.zeros(1).__reduce_ex__(2)[0]
_FROM_BUFFER: Any = np.zeros(1).__reduce_ex__(5)[0]

_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that imports nothing: it hands out the few functions that rebuild arrays."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UsaidError(f"pickle asks for {module}.{name}, which no CIFAR-100 file needs")
        return _ALLOWED[module, name]
