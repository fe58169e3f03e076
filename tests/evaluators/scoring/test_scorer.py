"""Scoring: images of one shape go together, rows come out in order, and whatever fails names its image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import SHAPES, Shapes

from evaluators.judge import Judge
from evaluators.scoring import batches
from evaluators.scoring.batches import Judging
from evaluators.scoring.conditions import conditions_of
from evaluators.scoring.scorer import Scorer
from usaid.cards import Facts
from usaid.datasets.base import Dataset, Sample
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.errors import UsaidError
from usaid.images import read_rgb
from usaid.scores.journal import Journal


class Recording(Judge):
    """Notes the batches that it sees; its statistic is a list of numbers."""

    metrics = ("counts", "width")

    def __init__(self, fails_on: str = "") -> None:
        self.batches: list[str] = []
        self.fails_on = fails_on

    def look(self, denoised: torch.Tensor) -> int:
        return denoised.shape[3]

    def score(self, seen: int, denoised: torch.Tensor, clean: torch.Tensor, targets: Sequence[Any]) -> dict[str, Any]:
        self.batches.append("".join(targets))
        if self.fails_on in targets:
            raise ValueError("no such\nthing")
        return {"counts": torch.arange(2 * len(targets)).reshape(-1, 2), "width": [seen] * len(targets)}


class Told(Denoiser):
    """Non-blind; works in steps of ten, and adds to its images what it was told."""

    facts = Facts("Told", False, False, False, False, "MIT", "none")

    def __init__(self) -> None:
        self.calls: list[float | None] = []
        self.images = 0

    def hears(self, told_sigma: float) -> float:
        return round(told_sigma, -1)

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        self.calls.append(told_sigma)
        self.images += len(noisy)
        return noisy


def run(
    judge: Judge,
    folder: Path,
    sigmas: Sequence[float] = (25,),
    draws: int = 1,
    denoiser: Denoiser | None = None,
    told_sigmas: Sequence[float | str] = ("oracle",),
    dataset: type[Dataset] = Shapes,
) -> list[dict[str, Any]]:
    denoiser = denoiser or build_denoiser("noisy")
    conditions = conditions_of(denoiser, sigmas, range(draws), told_sigmas)
    journal = Journal(folder / "journal", {})
    judging = Judging(judge, conditions, journal)
    scorer = Scorer("mine", denoiser, dataset(folder, "all"), [judging], denoiser.device)
    try:
        scorer.run()
    finally:
        journal.close()
    assert {"decode", "noise", "denoiser", "scoring"} >= scorer.clock.seconds.keys()
    assert {"network", "metric", "rows"} >= judging.clock.seconds.keys()
    return scorer.rows(judging)


def test_images_of_one_shape_are_denoised_together_and_rows_come_in_order(tmp_path, monkeypatch):
    monkeypatch.setitem(batches.PIXELS_PER_BATCH, "cpu", 2 * 8 * 12)
    judge = Recording()
    rows = run(judge, tmp_path, sigmas=(15, 25), draws=2)
    assert judge.batches == [*["ac"] * 4, *["bb"] * 2, *["dd"] * 2, "eeee"], "an image alone shares with its own noise"
    assert [(row["image_id"], row["sigma"], row["draw"]) for row in rows] == [
        (image_id, sigma, draw) for image_id in "abcde" for sigma in (15.0, 25.0) for draw in (0, 1)
    ]
    assert {(row["image_id"], row["width"]) for row in rows} == {(i, SHAPES[i][1]) for i in SHAPES}
    assert [row["counts"] for row in rows if row["image_id"] in "ac"] == [[0, 1]] * 4 + [[2, 3]] * 4


def test_few_images_wait_for_others_of_their_shape(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "WAITING", 1)
    judge = Recording()
    rows = run(judge, tmp_path)
    assert judge.batches == ["a", "b", "cd", "e"]
    assert [row["image_id"] for row in rows] == [*SHAPES]


def test_a_failing_judge_names_the_image_and_the_others_stay_scored(tmp_path, monkeypatch):
    monkeypatch.setitem(batches.PIXELS_PER_BATCH, "cpu", 1)
    with pytest.raises(UsaidError, match=r"^image c: ValueError: no such thing$"):
        run(Recording(fails_on="c"), tmp_path)
    judge = Recording()
    assert [row["image_id"] for row in run(judge, tmp_path)] == [*SHAPES]
    assert judge.batches == ["c", "d", "e"]  # what was scored before is not scored again


def test_non_blind_methods_are_told_each_level_and_equal_cells_are_computed_once(tmp_path):
    """Settings I and II of Table IV: at sigma 25 both are one experiment."""
    told = Told()
    told.hears = lambda level: level
    rows = run(Recording(), tmp_path, (15, 25, 35), 1, told, ("oracle", 25))
    assert [(row["sigma"], row["told_sigma"]) for row in rows if row["image_id"] == "a"] == [
        (15, 15),
        (15, 25),
        (25, 25),
        (35, 35),
        (35, 25),
    ]
    shapes = 3
    assert sorted(told.calls) == sorted([15, 25, 35] * shapes), "what is told the same goes together"
    assert told.images == 5 * len(SHAPES)


def test_levels_that_come_to_the_same_share_one_computation_and_have_a_row_each(tmp_path):
    told, judge = Told(), Recording()
    rows = run(judge, tmp_path, (35,), 1, told, ("oracle", 38, 12))
    assert [row["told_sigma"] for row in rows if row["image_id"] == "e"] == [35, 38, 12]
    assert told.calls == [35, 12] * 3
    assert len({str(row["counts"]) for row in rows if row["image_id"] == "a" and row["told_sigma"] != 12}) == 1
    judge.batches.clear()
    assert run(judge, tmp_path, (35,), 1, told, ("oracle", 38, 12)) == rows
    assert judge.batches == [], "all of it was in the journal"


def test_blind_methods_ignore_what_they_are_told(tmp_path):
    judge = Recording()
    rows = run(judge, tmp_path, (15, 25), 1, None, ("oracle", 25))
    assert {row["told_sigma"] for row in rows} == {None}
    assert len(rows) == 2 * len(SHAPES)


def test_pixels_that_do_not_decode_fail_the_job_with_the_file(tmp_path):
    class Files(Shapes):
        def read(self, image_id: str) -> Sample:
            return Sample(image_id, read_rgb(self.data_root / f"{image_id}.png"), image_id)

    for image_id in SHAPES:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{image_id}.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:40])
    with pytest.raises(UsaidError, match=r"^.*c\.png: does not decode"):
        run(Recording(), tmp_path, dataset=Files)


# What a denoiser may do


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda noisy: noisy[:, :, 1:], r"^image a: mine: returned shape \(1, 3, 7, 12\)"),
        (lambda noisy: torch.full_like(noisy, torch.nan), "^image a: mine: returned values that are not finite"),
        (lambda noisy: noisy.numpy(), "^image a: mine: returned a NumPy array"),
        (lambda noisy: 1 / 0, "^image a: .*ZeroDivisionError: division by zero"),
    ],
)
def test_a_denoiser_that_breaks_its_contract_is_named_with_the_image(tmp_path, answer, complaint):
    class Wrong(Told):
        def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
            return answer(noisy)

    with pytest.raises(UsaidError, match=complaint):
        run(Recording(), tmp_path, denoiser=Wrong())
