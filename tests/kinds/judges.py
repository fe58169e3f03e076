"""What holds for every judge; the test class of each inherits it and works one case by hand."""

import inspect
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import pytest
import torch
from torch import Tensor

from evaluators.judge import Judge
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.registries import BENCHMARKS, DATASETS, METRICS, load_object

PRECISION = 1e-4
"""How far numbers may move with the size of a batch (float32 networks)."""


class Batch(NamedTuple):
    """Clean images, float32 (B, 3, H, W) in [0, 1], and their B targets."""

    clean: Tensor
    targets: Sequence[Any]


class JudgeTests:
    """Tests of a judge: of the cards that name it, and of what it says of a batch.

    Attributes:
        benchmarks: names of the cards that name this judge.
        best: column -> what every clean image is given in it, where that is a number known beforehand.
    """

    benchmarks: ClassVar[tuple[str, ...]]
    best: ClassVar[Mapping[str, float]] = {}

    def make(self) -> Judge:
        """A small judge on the CPU."""
        raise NotImplementedError

    def batch(self) -> Batch:
        """Two or more images that differ, with targets; large enough for every column to have a number."""
        raise NotImplementedError

    def test_a_case_worked_by_hand(self) -> None:
        """Every judge has its own."""
        pytest.fail(f"{type(self).__name__}: work one case by hand and compare each column")

    def scored(self, denoised: Tensor, judge: Judge | None = None) -> dict[str, list[Any]]:
        """The columns of denoised versions of the batch, as a score file has them."""
        clean, targets = self.batch()
        judge = judge or self.make()
        with torch.inference_mode():
            columns = judge.judged(denoised, clean, targets)
        return {name: as_list(entries) for name, entries in columns.items()}

    def noisy(self) -> Tensor:
        """The batch with noise, which leaves [0, 1]."""
        clean = self.batch().clean
        return clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))

    def test_its_columns_are_those_that_it_names_with_an_entry_for_each_image(self) -> None:
        judge, clean = self.make(), self.batch().clean
        columns = self.scored(self.noisy(), judge)
        assert tuple(columns) == judge.metrics
        assert {name: len(entries) for name, entries in columns.items()} == dict.fromkeys(judge.metrics, len(clean))
        json.dumps(columns)  # journals are JSON lines

    def test_each_image_is_scored_by_itself(self) -> None:
        clean, targets = self.batch()
        judge, noisy = self.make(), self.noisy()
        assert len(clean) > 1
        together = self.scored(noisy, judge)
        for index in range(len(clean)):
            part = slice(index, index + 1)
            with torch.inference_mode():
                alone = judge.judged(noisy[part], clean[part], targets[part])
            for name, entries in together.items():
                assert_close(as_list(alone[name]), entries[part])

    def test_it_says_the_same_again(self) -> None:
        judge, noisy = self.make(), self.noisy()
        assert_close(self.scored(noisy, judge), self.scored(noisy, judge), precision=0)

    def test_what_leaves_the_range_is_clamped(self) -> None:
        noisy = self.noisy()
        assert noisy.min() < 0 or noisy.max() > 1
        assert_close(self.scored(noisy), self.scored(noisy.clamp(0, 1)))

    def test_the_images_stay_as_they_are(self) -> None:
        clean, targets = self.batch()
        judge, noisy = self.make(), self.noisy()
        kept = noisy.clone(), clean.clone()
        with torch.inference_mode():
            judge.judged(noisy, clean, targets)
        assert torch.equal(noisy, kept[0])
        assert torch.equal(clean, kept[1])

    def test_clean_images_have_numbers_and_the_best_ones(self) -> None:
        columns = self.scored(self.batch().clean)
        for name, entries in columns.items():
            assert not any(math.isnan(value) for value in numbers(entries)), name
        for name, value in self.best.items():
            assert columns[name] == pytest.approx([value] * len(columns[name]), abs=1e-9)

    def test_its_record_is_json(self) -> None:
        record = self.make().record
        assert json.loads(json.dumps(record, allow_nan=False)) == record

    def test_its_deviations_are_sentences_for_footnotes(self) -> None:
        for sentence in self.make().deviations:
            assert sentence == " ".join(sentence.split()) != ""
            assert not sentence.endswith(".")

    def test_its_cards_name_what_is_there(self) -> None:
        for card in (BENCHMARKS[name] for name in self.benchmarks):
            assert card.split in DATASETS[card.dataset].splits
            assert [*inspect.signature(load_object(card.judge)).parameters] == [
                *("benchmark", "experiment", "judge_file", "device")
            ]
            assert issubclass(load_object(card.settings), BenchmarkSettings)
            if card.training is not None:
                assert len(inspect.signature(load_object(card.training)).parameters) == 3

    def test_its_columns_hold_the_metrics_of_its_cards(self) -> None:
        columns = set(self.make().metrics)
        for card in (BENCHMARKS[name] for name in self.benchmarks):
            for metric in card.metrics:
                assert any(columns_of(convention) <= columns for convention in METRICS[metric].conventions), metric


def columns_of(convention: Any) -> set[str]:
    """The columns of score files that a metric's convention is made from."""
    return set(load_object(convention.compute).columns) if convention.of_whole_set else {convention.name}


def as_list(entries: Tensor | Sequence[Any]) -> list[Any]:
    """A column's entries as a score file has them."""
    return list(entries.tolist() if isinstance(entries, Tensor) else entries)


def numbers(value: Any) -> list[float]:
    """All numbers in nested lists and dictionaries."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return [number for part in value for number in numbers(part)] if isinstance(value, list | tuple) else [float(value)]


def assert_close(first: Any, second: Any, precision: float = PRECISION) -> None:
    """Nested lists and dictionaries of one form whose numbers are nearly the same."""
    if isinstance(first, Mapping):
        assert first.keys() == second.keys()
        first, second = [*first.values()], [*second.values()]
    if isinstance(first, list | tuple):
        assert len(first) == len(second)
        for part, other in zip(first, second, strict=True):
            assert_close(part, other, precision)
    else:
        assert first == pytest.approx(second, rel=precision, abs=precision, nan_ok=True)
