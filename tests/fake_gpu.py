"""A GPU that is not there: tensors with a device and shapes but no values, and an error where devices mix."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.overrides import TorchFunctionMode

from evaluators.classification import network as classification
from evaluators.detection import batches as detection_batches
from evaluators.detection.darknet import network as darknet
from evaluators.segmentation import training as segmentation_training
from usaid.denoisers.dncnn import denoiser as dncnn
from usaid.denoisers.drunet import denoiser as drunet
from usaid.denoisers.ffdnet import denoiser as ffdnet
from usaid.denoisers.mlp import denoiser as mlp
from usaid.denoisers.training import segmentation_loss
from usaid.segmentation import convergence

CUDA = torch.device("cuda")


@contextmanager
def fake_gpu() -> Iterator[torch.device]:
    """The device ``cuda``, which can be used inside the block; counts that hang on values become symbols.

    Networks with BatchNorm to fold have to be made :func:`outside`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "Generator", FakeGenerator)
        patch.setattr(torch.random, "fork_rng", lambda devices: nullcontext())
        patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        patch.setattr(nn.Module, "_apply", _replace_tensors)
        for module, name in _ON_REAL_WEIGHTS:
            patch.setattr(module, name, outside(getattr(module, name)))
        with FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv()), _SeesGenerators():
            yield CUDA


def outside(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that makes, reads or folds real weights, on the CPU, also where :func:`fake_gpu` reigns."""

    def called(*args: Any, **kwargs: Any) -> Any:
        with unset_fake_temporarily():
            return function(*args, **kwargs)

    return called


_ON_REAL_WEIGHTS = (
    (classification, "folded"),
    (darknet, "folded"),
    (dncnn, "read_dncnn"),
    (drunet, "read_network"),
    (ffdnet, "read_network"),
    (mlp, "load_models"),
    (segmentation_loss, "build_encoder"),
    (convergence, "build_encoder"),
    (segmentation_training, "build_segmenter"),
    (segmentation_training.Crops, "_draws"),
    (segmentation_training.Crops, "_numbers"),
    (detection_batches, "_loaded"),
    (detection_batches.DetectionBatches, "views"),
    (detection_batches.DetectionBatches, "chosen"),
)
"""What has to have values: networks that are read and folded before they are moved (torch can neither read files into
fake tensors nor copy fake modules), and what the CPU draws for a batch."""


class FakeGenerator(torch.Generator):
    """A random generator that says where it would be: torch makes none on a GPU that is not there."""

    place: str

    def __new__(cls, device: torch.device | str = "cpu") -> "FakeGenerator":
        generator = super().__new__(cls, "cpu")
        generator.place = torch.device(device).type
        return generator


class _SeesGenerators(TorchFunctionMode):
    """Refuses a generator that is not where its numbers are drawn, as torch does."""

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        generator = kwargs.get("generator")
        if isinstance(generator, FakeGenerator):
            drawn_into = args[0].device if args and isinstance(args[0], Tensor) else kwargs.get("device") or "cpu"
            if generator.place != (needed := torch.device(drawn_into).type):
                raise RuntimeError(f"Expected a {needed!r} device type for generator but found {generator.place!r}")
        return function(*args, **kwargs)


def _replace_tensors(self: nn.Module, function: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
    """What ``nn.Module.to`` does with its tensors; torch would swap fake ones in place, and fails."""
    for module in self.modules():
        for key, parameter in module._parameters.items():
            if parameter is not None:
                placed = function(parameter.detach())
                module._parameters[key] = nn.Parameter(placed, requires_grad=parameter.requires_grad)
        for key, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[key] = function(buffer)
    return self
