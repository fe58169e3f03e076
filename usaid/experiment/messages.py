"""One line for whatever is wrong with settings: the key, the value, and what is allowed."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

_ALLOWED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "literal_error": lambda limits: f"one of {limits['expected'].replace(' or ', ', ').replace(chr(39), '')}",
    "int_type": lambda limits: "of type integer",
    "int_from_float": lambda limits: "of type integer",
    "int_parsing": lambda limits: "of type integer",
    "float_type": lambda limits: "of type number",
    "float_parsing": lambda limits: "of type number",
    "string_type": lambda limits: "of type string",
    "bool_type": lambda limits: "of type boolean",
    "bool_parsing": lambda limits: "of type boolean",
    "tuple_type": lambda limits: "of type array",
    "list_type": lambda limits: "of type array",
    "dict_type": lambda limits: "of type object",
    "model_type": lambda limits: "of type object",
    "model_attributes_type": lambda limits: "of type object",
    "greater_than": lambda limits: f"> {limits['gt']:g}",
    "greater_than_equal": lambda limits: f">= {limits['ge']:g}",
    "less_than": lambda limits: f"< {limits['lt']:g}",
    "less_than_equal": lambda limits: f"<= {limits['le']:g}",
    "multiple_of": lambda limits: f"a multiple of {limits['multiple_of']:g}",
    "finite_number": lambda limits: "a finite number",
    "too_short": lambda limits: _longer(limits["field_type"], limits["min_length"]),
    "too_long": lambda limits: f"a list of at most {limits['max_length']}",
    "string_too_short": lambda limits: "not empty",
    "string_too_long": lambda limits: f"of at most {limits['max_length']} characters",
    "string_pattern_mismatch": lambda limits: f"like {limits['pattern']}",
    "must_be": lambda limits: str(limits["allowed"]),
}
"""Kind of error -> what a value must be."""


def _longer(what: str, length: int) -> str:
    return "not empty" if what == "Dictionary" else f"a list of at least {length}"


LONGEST_VALUE = 80
"""Characters of a value that a message shows."""


def one_line(error: ValidationError, keys: Any) -> str:
    """Key, value and what is allowed, for the innermost of the errors that pydantic found.

    Args:
        error: what was raised.
        keys: the settings that were checked.
    """
    errors = error.errors(include_url=False)
    innermost = max(errors, key=lambda details: len(details["loc"]))
    kind, limits, value = innermost["type"], innermost.get("ctx", {}), innermost["input"]
    key = ".".join(_parts(innermost["loc"], keys))
    if kind == "unknown_key":
        nearest = f" (nearest: {limits['nearest']!r})" if limits["nearest"] else ""
        return f"unknown key {joined(key, limits['key'])!r}{nearest}; allowed: {limits['allowed']}"
    if kind == "missing" and isinstance(innermost["loc"][-1], int):  # of a list with a fixed length
        places = (details["loc"] for details in errors)
        length = 1 + max(int(place[-1]) for place in places if place[:-1] == innermost["loc"][:-1])
        return f"{key.rpartition('.')[0]} = {shown(value)}: must be {_longer('Tuple', length)}"
    if kind == "missing":
        return f"key {key!r} is missing"
    if kind == "refused":
        return f"{key}: {limits['message']}" if key else str(limits["message"])
    allowed = _ALLOWED[kind](limits) if kind in _ALLOWED else innermost["msg"].removeprefix("Input should be ")
    hint = _how_to_write(value, kind) if kind in ("float_type", "int_type", "string_type") else ""
    return f"{key or '(top level)'} = {shown(value)}: must be {allowed}{hint}"


def shown(value: Any) -> str:
    """A value as JSON, cut short if it is long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def joined(key: str, name: str) -> str:
    """The full name of a key in the settings that ``key`` names."""
    return f"{key}.{name}" if key else name


_NOT_GIVEN: Any = object()


def _parts(loc: Sequence[str | int], keys: Any) -> list[str]:
    """The keys and indices on the way to an error; pydantic puts names of types among them, where several are possible.

    A key that is not there may still be one: it is missing, or it comes from a recipe's file.
    """
    parts: list[str] = []
    for part in loc:
        if isinstance(keys, Mapping):
            if part not in keys and not re.fullmatch("[a-z_][a-z0-9_]*", str(part)):
                continue
            keys = keys.get(part, _NOT_GIVEN)
        elif isinstance(keys, list | tuple):
            if not isinstance(part, int):
                continue
            keys = keys[part] if part < len(keys) else _NOT_GIVEN
        elif keys is not _NOT_GIVEN:
            continue
        parts.append(str(part))
    return parts


def _how_to_write(value: Any, kind: str) -> str:
    """What to say of a value whose type is YAML's choice: ``2e1`` and what is in quotes is text, ``12:30`` a number."""
    if kind == "string_type":
        return "; put it in quotes" if isinstance(value, int | float) else ""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    if not _is_text(value):
        return "; write it without quotes"
    if kind == "int_type" and number == int(number):
        return f"; YAML takes it for text: write {int(number)}"
    mantissa, exponent = f"{number:.15e}".split("e")
    ways = (repr(number), f"{float(mantissa)!r}e{int(exponent):+d}")
    return f"; YAML takes it for text: write {' or '.join(way for way in ways if not _is_text(way))}"


def _is_text(written: str) -> bool:
    return isinstance(yaml.safe_load(written), str)
