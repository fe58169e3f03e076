"""What jobs that share their work do to one another: nothing."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from shapes import Shapes

from evaluators.judge import Judge
from evaluators.scoring import batches
from evaluators.scoring.batches import Judging
from evaluators.scoring.conditions import conditions_of
from evaluators.scoring.scorer import Scorer
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.scores.journal import Journal


class Mean(Judge):
    """The means of what the denoiser made and of the image, after something is done to them."""

    metrics = ("counts",)

    def __init__(self, act: Callable[..., object] = lambda denoised, clean: None) -> None:
        self.act = act

    def score(self, seen: Any, denoised: torch.Tensor, clean: torch.Tensor, targets: Sequence[Any]) -> dict[str, Any]:
        self.act(denoised, clean)
        return {"counts": torch.stack((denoised.mean((1, 2, 3)), clean.mean((1, 2, 3))), 1)}


def together(folder: Path, denoiser: Denoiser, *who: tuple[Judge, Sequence[float]]) -> list[Any]:
    """The rows of judges at sigmas of their own, or why there are none."""
    folder.mkdir()
    judgings = [
        Judging(judge, conditions_of(denoiser, sigmas, [0], ["oracle"]), Journal(folder / str(index), {}))
        for index, (judge, sigmas) in enumerate(who)
    ]
    scorer = Scorer("mine", denoiser, Shapes(folder, "all"), judgings, denoiser.device)
    scorer.run()
    for judging in judgings:
        judging.journal.close()
    return [str(j.failure) if j.failure else scorer.rows(j) for j in judgings]


def test_a_judge_that_changes_what_it_is_shown_spoils_nobody_elses_rows(tmp_path):
    def spoil(denoised: torch.Tensor, clean: torch.Tensor) -> None:
        denoised.zero_()
        clean.zero_()

    for sigmas in ([25], [15, 25]):
        denoiser = build_denoiser("noisy")
        who = [(Mean(spoil), [25]), (Mean(), sigmas)]
        (alone,) = together(tmp_path / f"alone{len(sigmas)}", denoiser, who[1])
        assert together(tmp_path / f"both{len(sigmas)}", denoiser, *who)[1] == alone


def test_a_judge_may_use_its_memory_again(tmp_path, monkeypatch):
    monkeypatch.setitem(batches.PIXELS_PER_BATCH, "cpu", 1)
    memory = torch.zeros(1, 2)

    class Frugal(Mean):
        def score(self, *batch: Any) -> dict[str, Any]:
            return {"counts": memory.copy_(super().score(*batch)["counts"])}

        def finish(self, columns: Any, targets: Sequence[Any]) -> Any:
            time.sleep(0.01)  # meanwhile the next batch is judged
            return columns

    (alone,) = together(tmp_path / "alone", build_denoiser("noisy"), (Mean(), [25]))
    assert together(tmp_path / "frugal", build_denoiser("noisy"), (Frugal(), [25])) == [alone]


@pytest.mark.parametrize("value", [torch.nan, None])
def test_a_denoiser_that_fails_at_one_sigma_costs_those_alone_that_have_it(tmp_path, value):
    """Blind, so that the noise levels share batches."""

    class UpTo30(Denoiser):
        facts = build_denoiser("noisy").facts

        def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
            if (noisy - 128 / 255).std() < 30 / 255:
                return noisy
            if value is None:
                raise ValueError("too much")
            return noisy * value

    first, second, third = together(tmp_path / "x", UpTo30(), (Mean(), [15, 100]), (Mean(), [15]), (Mean(), [100, 120]))
    assert [row["sigma"] for row in first] == [15] * len(Shapes(tmp_path, "all"))
    assert first == second
    assert third.startswith("image a: mine: "), "the first image that fails, alone"


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_judge_that_returns_more_or_fewer_values_than_images_fails(tmp_path, length):
    class Wrong(Mean):
        def score(self, seen: Any, denoised: torch.Tensor, *_: Any) -> dict[str, Any]:
            return {"counts": torch.zeros(length, 2)}

    (said,) = together(tmp_path / "x", build_denoiser("noisy"), (Wrong(), [25]))
    assert said.startswith("image a, c, d: ")
    assert "counts" in said


@pytest.mark.parametrize("phase", ["look", "score", "finish"])
def test_a_judge_that_exits_fails_alone(tmp_path, phase):
    def leave(*_: Any) -> None:
        raise SystemExit(0)

    wrong = Mean()
    setattr(wrong, phase, leave)
    said, rows = together(tmp_path / "x", build_denoiser("noisy"), (wrong, [25]), (Mean(), [25]))
    assert said.startswith("image a, c, d: SystemExit")
    assert len(rows) == 5
