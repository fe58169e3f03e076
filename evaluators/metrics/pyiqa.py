"""Metrics of the package pyiqa (PolyForm Noncommercial, imported nowhere else) as it computes them by default, offline.

Where pyiqa makes a metric, it and torchvision fetch the weights that they do not find. Here they are given the files
that the user has placed, and fetching raises. That these hold tensors alone is seen to before pyiqa unpickles them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import torch
from torch import Tensor

from evaluators.metrics.psnr_ssim import require_same_shape
from usaid.errors import UsaidError, reason_of


@dataclass(frozen=True)
class MetricOfPyiqa:
    """A metric that pyiqa computes; itself the function of a denoised and its clean image, if it needs no files.

    Attributes:
        name: as ``pyiqa.create_metric`` knows it.
    """

    name: str

    def made(self, files: Sequence[Path], device: torch.device) -> "MadeMetric":
        """The metric, ready to compute.

        Args:
            files: none; or its own parameters, then the weights of torchvision's network, in a folder ``checkpoints``
                beside the first.
            device: where the batches will be.

        Raises:
            UsaidError: pyiqa does not import, or cannot make it of these files.
        """
        return MadeMetric(_model(self.name, files, device))

    def __call__(self, denoised: Tensor, clean: Tensor) -> Tensor:
        """As :meth:`MadeMetric.__call__`."""
        return _without_files(self, denoised.device)(denoised, clean)


@dataclass(frozen=True)
class MadeMetric:
    """A metric of pyiqa that has all it needs.

    Attributes:
        model: a ``pyiqa.InferenceModel``.
    """

    model: Any

    def __call__(self, denoised: Tensor, clean: Tensor) -> Tensor:
        """Score a batch, each image by itself: of several, some of pyiqa's solvers give other last digits.

        Args:
            denoised: float (B, 3, H, W); clamped to [0, 1] here, and not rounded to 8 bit.
            clean: float (B, 3, H, W) in [0, 1]; a metric without reference does not look at it.

        Returns:
            float64 (B,) on the batch's device; NaN where the denoised image holds a value that is not finite.

        Raises:
            UsaidError: the two shapes differ.
        """
        require_same_shape(denoised, clean)
        shown = [denoised.float().clamp(0, 1).nan_to_num()]
        if self.model.metric_mode == "FR":
            shown.append(clean.float())
        values = [self.model(*pair).double().reshape(1) for pair in zip(*(s.split(1) for s in shown), strict=True)]
        is_finite = denoised.isfinite().flatten(1).all(dim=1)
        return torch.cat(values).where(is_finite, torch.nan)


MS_SSIM = MetricOfPyiqa("ms_ssim")
CW_SSIM = MetricOfPyiqa("cw_ssim")
FSIM = MetricOfPyiqa("fsim")
VSI = MetricOfPyiqa("vsi")
GMSD = MetricOfPyiqa("gmsd")
NLPD = MetricOfPyiqa("nlpd")
VIF = MetricOfPyiqa("vif")
MAD = MetricOfPyiqa("mad")
PIQE = MetricOfPyiqa("piqe")
LPIPS = MetricOfPyiqa("lpips")
DISTS = MetricOfPyiqa("dists")
NIQE_MATLAB = MetricOfPyiqa("niqe_matlab")


@cache
def _without_files(metric: MetricOfPyiqa, device: torch.device) -> MadeMetric:
    return metric.made((), device)


def _model(name: str, files: Sequence[Path], device: torch.device) -> Any:
    """A ``pyiqa.InferenceModel``; arguments and errors as of :meth:`MetricOfPyiqa.made`."""
    try:
        import pyiqa
    except ImportError as error:
        raise UsaidError(f"pyiqa does not import ({reason_of(error)}); pip install 'usaid[pyiqa]'") from None
    for path in files:
        _require_tensors(path)
    options: dict[str, Any] = {"device": device, "check_input_range": False}
    if files:
        options["pretrained_model_path"] = str(files[0])
    try:
        with _offline(files[0].parent if files else None), redirect_stdout(StringIO()):
            return pyiqa.create_metric(name, **options)
    except UsaidError:
        raise
    except Exception as error:
        named = " and ".join(["pyiqa", *(path.name for path in files)])
        raise UsaidError(f"pyiqa cannot make {name} ({reason_of(error)[:120]}); try another {named}") from None


def _require_tensors(path: Path) -> None:
    """Refuse a pickled file that holds anything but tensors: pyiqa would run whatever else it holds.

    Raises:
        UsaidError: it does, or is no such file.
    """
    if path.suffix == ".pth":
        try:
            torch.load(path, map_location="meta", weights_only=True)
        except Exception as error:
            raise UsaidError(f"{path.name}: holds no weights ({type(error).__name__}); place the file again") from None


@contextmanager
def _offline(folder: Path | None) -> Iterator[None]:
    """A block in which torchvision finds weights in a folder's ``checkpoints``, and nothing is fetched."""
    before = torch.hub.get_dir()
    if folder is not None:
        torch.hub.set_dir(folder)
    try:
        with patch("torch.hub.urlopen", _refuse):
            yield
    finally:
        torch.hub.set_dir(before)


def _refuse(request: Any, *arguments: Any, **options: Any) -> NoReturn:
    url = str(getattr(request, "full_url", request))
    raise UsaidError(f"pyiqa would fetch {url.rpartition('/')[2]}; place it yourself")
