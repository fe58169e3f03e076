"""CUDA graphs for inputs of shapes that come often: one launch in place of one for each layer."""

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

CALLS_BEFORE = 3
"""A shape that comes more often than this is recorded."""

MOST_RECORDINGS = 8
"""Of shapes that are kept; they share the memory of the largest."""


class GraphedForShapes:
    """A function of one tensor that replays what it recorded for shapes that came often, and runs for all others.

    If a recording fails, it says so once and records no more. Not for several threads at once.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        recorded: "Callable[[Callable[[Tensor], Tensor], Tensor], Callable[[Tensor], Tensor]] | None" = None,
    ) -> None:
        """Begin without recordings.

        Args:
            function: launches the same work for the same shape, looks at no value, keeps nothing of its input.
            recorded: makes a replay from the function and an input (default: :class:`CudaRecorder`).
        """
        self.function, self.recorded = function, recorded or CudaRecorder()
        self.replays: dict[torch.Size, Callable[[Tensor], Tensor]] = {}
        self.calls: Counter[torch.Size] = Counter()
        self.records = True

    def __call__(self, features: Tensor) -> Tensor:
        """Apply the function."""
        replay = self.replays.get(features.shape)
        if replay is None and self._comes_often(features.shape):
            replay = self._record(features)
        return self.function(features) if replay is None else replay(features)

    def _comes_often(self, shape: torch.Size) -> bool:
        if not self.records or len(self.replays) == MOST_RECORDINGS:
            return False
        self.calls[shape] += 1
        return self.calls[shape] > CALLS_BEFORE

    def _record(self, features: Tensor) -> Callable[[Tensor], Tensor] | None:
        try:
            self.replays[features.shape] = self.recorded(self.function, features)
        except Exception as error:  # whatever a driver raises; the function itself works
            self.records = False
            reason = str(error).partition("\n")[0]
            print(f"CUDA graphs are not used: {type(error).__name__}: {reason}", file=sys.stderr, flush=True)
        return self.replays.get(features.shape)


class CudaRecorder:
    """Records a function as a CUDA graph. All graphs of a recorder share memory: each output is copied at once."""

    def __init__(self) -> None:
        self.pool: Any = None

    def __call__(self, function: Callable[[Tensor], Tensor], example: Tensor) -> Callable[[Tensor], Tensor]:
        """Record ``function`` for inputs like ``example``.

        cuDNN measures its algorithms in the run before the recording: here the shape is known to repeat.
        """
        source = example.clone()
        stream, here = torch.cuda.Stream(example.device), torch.cuda.current_stream(example.device)
        stream.wait_stream(here)
        measures = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True
        try:
            with torch.cuda.stream(stream):
                function(source)
            here.wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool, stream=stream, capture_error_mode="thread_local"):
                target = function(source)
        finally:
            torch.backends.cudnn.benchmark = measures
        self.pool = graph.pool()

        def replay(features: Tensor) -> Tensor:
            source.copy_(features)
            graph.replay()
            return target.clone()

        return replay
