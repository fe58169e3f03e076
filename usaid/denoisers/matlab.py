"""Variables of MATLAB files as plain Python, read without running code: the one module that imports h5py.

Both packages that read them are imported late: denoisers import this module, and few of their files are MATLAB's.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from usaid.checkpoints import first_line, require_weights
from usaid.errors import UsaidError

_MOST_VALUES = 1 << 26
"""Of an array; HDF5 can say that an array is larger than its file."""

_MOST_NESTED = 16
"""Cells in cells; in HDF5 they may hold each other."""


def is_matlab(path: Path) -> bool:
    """Whether a file begins as MATLAB (5 to 7.3) writes it, or as plain HDF5."""
    with open(path, "rb") as file:
        return file.read(8).startswith((b"MATLAB 5", b"MATLAB 7", b"\x89HDF"))


def read_matlab(path: Path, variable: str, fields: Collection[str]) -> Any:
    """A variable of a MATLAB file.

    Args:
        path: of version 5 to 7.2, or 7.3, which is HDF5 and needs the package h5py.
        variable: its name.
        fields: those of its structs, at any depth, that are read.

    Returns:
        Scalar structs as dictionaries, cells as lists, texts as ``str``, numbers as arrays with MATLAB's order of
        dimensions; anything else as None.

    Raises:
        UsaidError: missing, damaged or too large, without the variable, or h5py is not installed.
    """
    require_weights(path)
    with open(path, "rb") as file:
        is_version_5 = file.read(8) == b"MATLAB 5"
    read = _read_version_5 if is_version_5 else _read_hdf5
    try:
        return read(path, variable, fields)
    except UsaidError:
        raise
    except Exception as error:  # a damaged file raises anything; their common base is Exception
        raise UsaidError(f"{path}: not a readable MATLAB file ({first_line(error)}); fetch it again") from None


def _lacks(path: Path, variable: str, names: Collection[str]) -> UsaidError:
    there = ", ".join(sorted(name for name in names if not name.startswith(("#", "__")))[:5]) or "nothing"
    return UsaidError(
        f"{path}: is a MATLAB file without the variable {variable!r} (it has {there}); give the file of it"
    )


# ------------------------------------------------------------------------------------------------ version 5 to 7.2


def _read_version_5(path: Path, variable: str, fields: Collection[str]) -> Any:
    from scipy.io import loadmat

    content = loadmat(path, appendmat=False)
    if variable not in content:
        raise _lacks(path, variable, content.keys())
    return _plain(content[variable], fields)


def _plain(value: Any, fields: Collection[str]) -> Any:
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.names is not None:
        if value.size != 1:
            return None
        return {name: _plain(value.flat[0][name], fields) for name in value.dtype.names if name in fields}
    if value.dtype == object:
        return [_plain(cell, fields) for cell in value.ravel(order="F")]
    if value.dtype.kind == "U":
        return "".join(value.flat)
    return value


# ------------------------------------------------------------------------------------------------ version 7.3


def _read_hdf5(path: Path, variable: str, fields: Collection[str]) -> Any:
    try:
        import h5py
    except ImportError:
        cure = "pip install 'usaid[matlab]', or save it by MATLAB with -v7"
        raise UsaidError(f"{path}: is a MATLAB 7.3 file, which needs the package h5py; {cure}") from None
    with h5py.File(path, "r") as file:
        if variable not in file:
            raise _lacks(path, variable, file.keys())
        return _of_hdf5(file, file[variable], fields, 0)


def _of_hdf5(file: Any, item: Any, fields: Collection[str], depth: int) -> Any:
    """A group is a struct, a data set of references a cell; dimensions are in the reverse of MATLAB's order."""
    if depth > _MOST_NESTED:
        raise ValueError("cells in cells without end")
    if not hasattr(item, "dtype"):
        return {name: _of_hdf5(file, item[name], fields, depth + 1) for name in item if name in fields}
    if item.size is None or item.size > _MOST_VALUES:
        raise ValueError(f"{item.name} claims more values than can be")
    if item.attrs.get("MATLAB_empty", 0):
        return np.zeros((0, 0))
    kind = item.attrs.get("MATLAB_class", b"")
    if kind == b"cell":
        return [_of_hdf5(file, file[reference], fields, depth + 1) for reference in item[()].ravel()]
    if item.dtype.kind not in "fiu":
        return None
    values = item[()].T
    return "".join(map(chr, values.ravel(order="F"))) if kind == b"char" else values
