"""A GPU that is not there: tensors with a device, shapes and no values, and an error where devices mix."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.overrides import TorchFunctionMode

from evaluators.classification import network as classification
from evaluators.detection.darknet import network as darknet
from usaid.datasets.base import Sample
from usaid.denoisers.dncnn import denoiser as dncnn
from usaid.denoisers.mlp import denoiser as mlp

CUDA = torch.device("cuda")


class FakeGenerator(torch.Generator):
    """A random generator that says where it would be: torch cannot make one on a GPU that is not there."""

    def __new__(cls, device: torch.device | str = "cpu") -> "FakeGenerator":
        generator = super().__new__(cls, "cpu")
        generator.place = torch.device(device).type
        return generator


class SeesGenerators(TorchFunctionMode):
    """Refuses a generator that is not where its numbers are drawn, as torch does."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        generator = kwargs.get("generator")
        if isinstance(generator, FakeGenerator):
            drawn_into = args[0].device if args and isinstance(args[0], Tensor) else kwargs.get("device") or "cpu"
            if generator.place != torch.device(drawn_into).type:
                raise RuntimeError(f"Expected a {torch.device(drawn_into).type} device type for generator")
        return function(*args, **kwargs)


def _replace_tensors(self: nn.Module, function: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
    """What ``nn.Module.to`` does: torch's own swaps fake tensors in place, which their weak references forbid."""
    for module in self.modules():
        for key, parameter in module._parameters.items():
            if parameter is not None:
                placed = function(parameter.detach())
                module._parameters[key] = nn.Parameter(placed, requires_grad=parameter.requires_grad)
        for key, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[key] = function(buffer)
    return self


def _outside(function: Callable[..., Any]) -> Callable[..., Any]:
    """What reads or folds real weights before they are moved: torch can neither read nor copy fake ones."""

    def called(*args: Any, **kwargs: Any) -> Any:
        with unset_fake_temporarily():
            return function(*args, **kwargs)

    return called


ON_REAL_WEIGHTS = (
    (classification, "folded"),
    (darknet, "folded"),
    (dncnn, "load_state"),
    (mlp, "load_models"),
)


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """The device, inside the mode that makes it usable. Networks have to be made with real weights before."""
    monkeypatch.setattr(torch, "Generator", FakeGenerator)
    monkeypatch.setattr(nn.Module, "_apply", _replace_tensors)
    for module, name in ON_REAL_WEIGHTS:
        monkeypatch.setattr(module, name, _outside(getattr(module, name)))
    with FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv()), SeesGenerators():
        yield CUDA


@pytest.fixture(scope="session")
def photos() -> list[Sample]:
    """Four images of 64x72 pixels with label maps of three classes."""
    generator = np.random.default_rng(0)
    return [
        Sample(
            f"photo{number}",
            generator.integers(0, 256, (64, 72, 3), dtype=np.uint8),
            generator.integers(0, 3, (64, 72), dtype=np.uint8),
        )
        for number in range(4)
    ]
