"""What the columns of a score file have to hold, and what is wrong with one that does not."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from usaid.registries import METRICS

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def numbers_of_images() -> frozenset[str]:
    """The columns that hold a number of each image: the conventions of metrics that are means over images."""
    return frozenset(
        convention.name
        for metric in METRICS.values()
        for convention in metric.conventions
        if not convention.of_whole_set
    )


def is_number(value: Any) -> bool:
    """Whether a value of a row is a number; True and False are none, NaN is one (undefined for the image)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_statistic(value: Any) -> bool:
    """Whether a value of a row is a number, or a list or record of them of whatever depth."""
    if isinstance(value, list | tuple):
        return all(map(is_statistic, value))
    if isinstance(value, dict):
        return all(map(is_statistic, value.values()))
    return is_number(value)


def fault_of_rows(table: "pa.Table", provenance: Mapping[str, Any]) -> str | None:
    """What is wrong with the rows of a score file that did not fail; None: nothing.

    Args:
        table: the rows.
        provenance: theirs; it names the metrics.
    """
    import pyarrow.compute as pc

    for name, is_right in _ABOUT.items():
        if fault := _fault(table, name, is_right, needed=name in ("image_id", "sigma", "draw")):
            return fault
    for name in dict.fromkeys(provenance["metrics"]):
        number = name in numbers_of_images()
        if fault := _fault(table, name, _is_float if number else _is_statistic, needed=number):
            return fault
    if not pc.all(pc.is_finite(table["sigma"]), min_count=0).as_py():
        return "column sigma holds numbers that are not finite"
    return None


def _fault(table: "pa.Table", name: str, is_right: Callable[["pa.DataType"], bool], needed: bool) -> str | None:
    if table.column_names.count(name) > 1:
        return f"column {name} is there twice"
    if name not in table.column_names:
        return f"column {name} is missing" if needed else None
    kind = table.schema.field(name).type
    if not is_right(kind):
        return f"column {name} holds {kind}"
    may_be_undefined = name == "told_sigma" or (name not in _ABOUT and _is_float(kind))
    if table[name].null_count and not may_be_undefined:
        return f"column {name} lacks values"
    return None


def _is_text(kind: "pa.DataType") -> bool:
    return _is(kind, "string", "large_string", "string_view")


def _is_float(kind: "pa.DataType") -> bool:
    return _is(kind, "floating", "integer")


def _is_statistic(kind: "pa.DataType") -> bool:
    """Numbers, or lists and records of them of whatever depth."""
    if _is(kind, "list", "large_list", "fixed_size_list"):
        return _is_statistic(kind.value_type)
    if _is(kind, "struct"):
        return all(_is_statistic(part.type) for part in kind)
    return _is(kind, "floating", "integer", "null")


def _is(kind: "pa.DataType", *names: str) -> bool:
    """Whether a column's type is one of these, as ``pyarrow.types`` calls them."""
    from pyarrow import types

    return any(getattr(types, f"is_{name}")(kind) for name in names)


_ABOUT: Mapping[str, Callable[["pa.DataType"], bool]] = {
    "image_id": _is_text,
    "image_sha256": _is_text,
    "sigma": _is_float,
    "draw": lambda kind: _is(kind, "integer"),
    "told_sigma": lambda kind: _is(kind, "floating", "integer", "null"),
}
"""What a row is about: column -> whether a type is right for it."""
