"""Files of a results folder as the page takes them: their content, or why there is none."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.files import text_of_file

View = TypeVar("View")


@dataclass(frozen=True)
class Missing:
    """Why a part of the page is not there: one sentence, without its final stop."""

    why: str


def part(path: Path, needed: str, view: Callable[[Path], View]) -> View | Missing:
    """What a file holds; or that it is not there, or failed.

    Args:
        path: a file of a results folder.
        needed: the workflow's target that makes it.
        view: reads it; what it cannot take apart is no file of this version.

    Raises:
        UsaidError: the file is there, and is not what it should be; names it.
    """
    if failure := failure_in(path):
        return Missing(f"{path.name} failed: {failure.reason}")
    if not path.is_file():
        return Missing(f"there is no {path.name} in this experiment's results; the target {needed} makes it")
    try:
        return view(path)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, csv.Error) as error:
        raise UsaidError(f"{path}: not a file of this version ({error!r}); delete it and rerun {needed}") from None


def rows_of(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The lines of a CSV file.

    Raises:
        KeyError: it lacks one of some columns.
    """
    reader = csv.DictReader(io.StringIO(text_of_file(path), newline=""), restval="")
    if lacking := sorted({*columns} - {*(reader.fieldnames or ())}):
        raise KeyError(f"no column {lacking[0]}")
    return [*reader]


def json_of(path: Path) -> Mapping[str, Any]:
    """The object that a JSON file holds.

    Raises:
        ValueError: it is no JSON, or something else.
    """
    content = json.loads(text_of_file(path))
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content
