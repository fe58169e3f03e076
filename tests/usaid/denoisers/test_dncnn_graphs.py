"""Recordings for frequent shapes: after how many calls, how many at most, and what a failure costs."""

import torch

from usaid.denoisers.dncnn import graphs
from usaid.denoisers.dncnn.graphs import CALLS_BEFORE, MOST_RECORDINGS, GraphedForShapes


def doubled(features: torch.Tensor) -> torch.Tensor:
    return 2 * features


class FakeRecorder:
    """Records as CUDA does: the replay reads and writes the same memory each time, and its output is copied."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.shapes, self.replayed = fails, [], 0

    def __call__(self, function, example):
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing\nCompile with ...")
        self.shapes.append(tuple(example.shape))
        source = example.clone()

        def replay(features):
            self.replayed += 1
            return function(source.copy_(features)).clone()

        return replay


def test_a_shape_is_recorded_when_it_came_often():
    recorder = FakeRecorder()
    apply = GraphedForShapes(doubled, recorder)
    for number in range(CALLS_BEFORE + 3):
        features = torch.full((2, 3), float(number))
        assert torch.equal(apply(features), 2 * features)
        assert torch.equal(apply(torch.full((number + 5,), 1.0)), torch.full((number + 5,), 2.0))
    assert recorder.shapes == [(2, 3)]
    assert recorder.replayed == 3


def test_results_are_not_overwritten_by_the_next_call():
    apply = GraphedForShapes(doubled, FakeRecorder())
    results = [apply(torch.tensor([float(number)])) for number in range(8)]
    assert [result.item() for result in results] == [0, 2, 4, 6, 8, 10, 12, 14]


def test_only_so_many_are_kept():
    recorder = FakeRecorder()
    apply = GraphedForShapes(doubled, recorder)
    for side in range(1, MOST_RECORDINGS + 4):
        for _ in range(CALLS_BEFORE + 2):
            assert torch.equal(apply(torch.ones(side)), torch.full((side,), 2.0))
    assert recorder.shapes == [(side,) for side in range(1, MOST_RECORDINGS + 1)]


def test_a_failure_is_said_once_and_costs_nothing_else(capsys):
    apply = GraphedForShapes(doubled, FakeRecorder(fails=True))
    for side in (1, 2):
        for _ in range(CALLS_BEFORE + 2):
            assert torch.equal(apply(torch.ones(side)), torch.full((side,), 2.0))
    said = capsys.readouterr().err.splitlines()
    assert said == ["CUDA graphs are not used: RuntimeError: operation not permitted when stream is capturing"]


def test_without_a_gpu_recording_fails_as_any_other(monkeypatch, capsys):
    monkeypatch.setattr(graphs, "CALLS_BEFORE", 0)
    measures = torch.backends.cudnn.benchmark
    assert torch.equal(GraphedForShapes(doubled)(torch.ones(2)), torch.full((2,), 2.0))
    assert torch.backends.cudnn.benchmark == measures
    assert torch.cuda.is_available() or capsys.readouterr().err.startswith("CUDA graphs are not used: ")
