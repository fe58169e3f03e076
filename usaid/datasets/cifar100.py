"""CIFAR-100: 32x32 images of 100 classes, 50,000 for training and 10,000 for testing (Tables VIII, X)."""

import io
import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, require_file
from usaid.errors import UsaidError

N_CLASSES = 100

_MOST_BYTES = 1 << 29  # the larger one of the official files has 155 MB

CARD = DataSet(
    "cifar100",
    "CIFAR-100",
    reader="usaid.datasets.cifar100:CIFAR100",
    splits={"train": 50_000, "test": 10_000},
    sources="usaid.datasets.sources:cifar100.yaml",
    pixels=32 * 32,  # all of its images have this size
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
        if not isinstance(names, list) or len(names) != N_CLASSES or not all(isinstance(name, str) for name in names):
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
    labels = read_entry(content, "fine_labels", path)
    if isinstance(labels, list) and all(type(label) is int and abs(label) < 1 << 31 for label in labels):
        labels = np.array(labels, np.int64)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3 * 32 * 32:
        raise UsaidError(f"{path}: 'data' is not a uint8 array of rows of 3072 values; fetch cifar100 again")
    if not isinstance(labels, np.ndarray):
        raise UsaidError(f"{path}: 'fine_labels' is no list of integers; fetch cifar100 again")
    if labels.shape != (len(data),) or len(data) > n_most:
        raise UsaidError(
            f"{path}: {len(data)} images with labels of shape {labels.shape}; "
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
    """Unpickle a file that may hold only containers, strings, numbers and arrays of integers.

    Raises:
        UsaidError: missing or damaged file, or one that holds or asks for anything else.
    """
    require_file(path, "`usaid data fetch cifar100` brings it")
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise UsaidError(f"has {size:,} bytes, more than any CIFAR-100 file")
        # The official files were pickled by Python 2: their keys are byte strings, read as text.
        content = _ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        if isinstance(content, dict):
            content = {key: value.array() if isinstance(value, _Array) else value for key, value in content.items()}
    except OSError as error:
        raise UsaidError(f"{path}: cannot be read ({error.strerror}); make it a readable file") from None
    except UsaidError as error:
        raise UsaidError(f"{path}: {error}; do not use this file, fetch cifar100 again") from None
    except Exception as error:  # damaged bytes are damaged instructions: they can raise anything
        reason = f"{type(error).__name__}: {error}"
        raise UsaidError(f"{path}: does not unpickle ({reason:.100}); fetch cifar100 again") from None
    if not isinstance(content, dict):
        raise UsaidError(f"{path}: holds a {type(content).__name__}, not a dictionary; fetch cifar100 again")
    return content


# ------------------------------------------------------------------------------------------------ unpickling
# A pickle is a program. numpy's own functions, which rebuild arrays, believe what it tells them: a crafted state of a
# dtype ends the process. So none of them is called. What a pickle may name are stand-ins that check and note what they
# are given; an array is made of that at the end, of integers alone, and of as many as the file holds bytes for.


class _DType:
    """What a pickle says of a type of integers."""

    def __init__(self, kind: Any) -> None:
        if not isinstance(kind, str) or kind not in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"):
            raise UsaidError(f"pickle has an array of type {kind!r:.40}, where CIFAR-100's files have integers")
        self.kind, self.order = kind, "|"

    def set(self, state: Any) -> None:
        """Take its byte order from the state that numpy gives a type of plain integers."""
        plain = isinstance(state, tuple) and len(state) == 8 and state[2:] == (None, None, None, -1, -1, 0)
        if not plain or state[0] not in (3, 4) or state[1] not in ("|", "<", ">", "="):
            raise UsaidError("pickle has a type with fields or metadata, where CIFAR-100's files have integers")
        self.order = state[1]


class _Array:
    """What a pickle says of an array of integers."""

    def __init__(self, shape: Any = (0,), kind: Any = None, content: Any = b"", fortran: Any = False) -> None:
        self.shape, self.kind, self.content, self.fortran = shape, kind, content, fortran

    def set(self, state: Any) -> None:
        """Take shape, type, order and values from numpy's state of an array."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise UsaidError("pickle has an array in an unknown form")
        _, self.shape, self.kind, self.fortran, self.content = state

    def array(self) -> np.ndarray:
        """The array; its shape and the number of its bytes have to agree."""
        content = self.content.encode("latin1") if isinstance(self.content, str) else self.content
        sides = isinstance(self.shape, tuple) and 0 < len(self.shape) <= 4
        if not sides or not all(type(side) is int and 0 <= side <= len(content) for side in self.shape):
            raise UsaidError(f"pickle has an array of the impossible shape {self.shape!r:.40}")
        if not isinstance(self.kind, _DType) or not isinstance(content, bytes | bytearray):
            raise UsaidError("pickle has an array without type or values")
        if math.prod(self.shape) * int(self.kind.kind[1]) != len(content):
            raise UsaidError(f"pickle has an array of shape {self.shape} of {len(content):,} bytes")
        values = np.frombuffer(content, np.dtype(self.kind.order + self.kind.kind))
        return values.reshape(self.shape, order="F" if self.fortran else "C")


class _StandIn:
    """Is called in place of what a pickle names; nothing of it can be changed by the pickle."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)


def _encoded(text: Any, encoding: Any) -> bytes:
    """Bytes, as Python 3 writes them for Python 2: text of their numbers."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UsaidError("pickle asks for an encoding that no CIFAR-100 file needs")
    return text.encode("latin1")


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> _Array:
    return _Array(shape, kind, content, order == "F")


_MODULES = ("numpy.core", "numpy._core")
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    **{(f"{module}.multiarray", "_reconstruct"): lambda *_: _Array() for module in _MODULES},
    **{(f"{module}.numeric", "_frombuffer"): _from_buffer for module in _MODULES},
    ("numpy", "dtype"): lambda kind, *_: _DType(kind),
    ("_codecs", "encode"): _encoded,
}
_NAMED_ONLY = ("numpy", "ndarray")
"""Handed to ``_reconstruct``, and never called."""

_INSTRUCTIONS = (
    "PROTO FRAME STOP MARK EMPTY_DICT DICT SETITEM SETITEMS EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 "
    "TUPLE2 TUPLE3 NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING "
    "SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 PUT "
    "BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD"
)
"""Of pickle's, those that containers, strings, numbers and arrays are written with."""


class _ArrayUnpickler(pickle._Unpickler):
    """An unpickler that imports nothing: it hands out stand-ins for the few functions that rebuild arrays.

    It is the one written in Python: that in C makes room for as many remembered objects as a pickle of a few bytes
    asks for, and may be ended by a tuple in a tuple in a tuple ... that is the key of a dictionary.
    """

    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    dispatch: ClassVar[dict[int, Any]] = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in _INSTRUCTIONS.split()
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == _NAMED_ONLY:
            return None
        if (module, name) not in _ALLOWED:
            raise UsaidError(f"pickle asks for {module:.60}.{name:.60}, which no CIFAR-100 file needs")
        return _StandIn(_ALLOWED[module, name])

    def _build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, _DType | _Array):
            raise UsaidError(f"pickle gives a state to a {type(target).__name__}, which no CIFAR-100 file does")
        target.set(state)

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def _set_items(self) -> None:
        self._put(self.pop_mark())

    def _make_dictionary(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._put(items)

    def _put(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict) or not all(isinstance(key, str) for key in items[::2]):
            raise UsaidError("pickle has a dictionary whose keys are no text")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    dispatch[pickle.BUILD[0]] = _build
    dispatch[pickle.SETITEM[0]] = _set_item
    dispatch[pickle.SETITEMS[0]] = _set_items
    dispatch[pickle.DICT[0]] = _make_dictionary
