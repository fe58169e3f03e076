"""What of each data set is on disk, and the cure for what is missing."""

from pathlib import Path
from typing import ClassVar

import pytest

from usaid.datasets import status as module
from usaid.datasets.status import format_status, split_status, status
from usaid.registries import DATASETS


def test_where_nothing_is_there_every_split_has_a_cure(tmp_path: Path) -> None:
    rows = status(tmp_path / "nowhere")
    assert [(row.name, row.split) for row in rows] == [
        (card.name, split) for card in DATASETS.values() for split in card.splits
    ]
    assert all(row.found == 0 and not row.complete and row.cure and not row.problem for row in rows)
    report = format_status(rows)
    assert f"usaid data fetch kodak --data-root {tmp_path / 'nowhere'}" in report
    assert f"unpack it at {tmp_path / 'nowhere'}/deepglobe/land-train" in report
    assert "usaid data fetch deepglobe" not in report


def test_a_cure_for_several_splits_is_given_once(tmp_path: Path) -> None:
    lines = format_status(status(tmp_path)).splitlines()
    assert sum("usaid data fetch voc2012" in line for line in lines) == 1
    assert sum(line.startswith("voc2012") for line in lines) == 2


def test_a_folder_that_cannot_be_read_is_a_problem_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader:
        folders: ClassVar = {"all": "kodak"}

        def __init__(self, *_: object) -> None:
            raise PermissionError(13, "Permission denied")

    (tmp_path / "kodak").mkdir()
    monkeypatch.setattr(module, "load_object", lambda _: Reader)
    row = split_status(DATASETS["kodak"], tmp_path, "all")
    assert row.problem == f"{tmp_path / 'kodak'}: cannot be read (Permission denied); look at its permissions"
    assert (row.found, row.complete) == (0, False)
