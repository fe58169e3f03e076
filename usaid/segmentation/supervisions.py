"""The three runs of the paper's Figure 2 (section III-C), and the record of each: what needs no torch."""

import json
from pathlib import Path
from typing import Any, Literal, get_args

from usaid.errors import UsaidError

Supervision = Literal["ground_truth", "quarters", "pixels"]
SUPERVISIONS: tuple[Supervision, ...] = get_args(Supervision)
"""What the module is held against: the label maps, the same with their four quarters permuted, or all their pixels.

In the order in which the paper's losses rise.
"""


def record_beside(curve: Path) -> Path:
    """Where the settings and the provenance of a learning curve lie once it is whole."""
    return curve.with_suffix(".json")


def read_record(curve: Path) -> dict[str, Any]:
    """The record of a learning curve: settings, hashes, number of images and provenance, as one mapping.

    Raises:
        UsaidError: there is none, so the run has not ended.
    """
    path = record_beside(curve)
    if not path.is_file():
        raise UsaidError(f"{path}: missing, so {curve.name} may be unfinished; train it again")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    training = record.pop("training", {})  # older records have these keys beside the others
    return record | training
