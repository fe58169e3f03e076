"""An ONNX file as a denoiser, by onnxruntime: the one module that imports it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from usaid.checkpoints import first_line, require_weights
from usaid.denoisers.facts import DerivedFacts
from usaid.denoisers.network_files import FromFile, level_told, shape_of_level
from usaid.errors import UsaidError

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class Onnx(FromFile):
    """A network in an ONNX file, with dynamic axes or of a fixed size.

    It is handed NumPy arrays, so its input is on the CPU, also where onnxruntime computes on a GPU. ``record`` says
    where it computes.
    """

    facts = DerivedFacts("ONNX", deep_learning=True)

    def __init__(self, weights: str | Path, device: torch.device | str = "cpu", precision: str = "float32") -> None:
        """
        Args:
            weights: the file.
            device: where to compute: on a GPU, if this onnxruntime can.
            precision: ``tf32`` lets a GPU round the factors of products; else they are float32.

        Raises:
            UsaidError: onnxruntime is not installed, there is no such file, or it is no network that it can run.
        """
        require_weights(Path(weights))
        self.session = _session(Path(weights), torch.device(device), precision)
        images, *others = self.session.get_inputs()
        shape = [side if isinstance(side, int) and side > 0 else None for side in images.shape]
        super().__init__(weights, self._run, shape, 1 + len(others), "cpu", precision)
        self.record = {"onnxruntime": self.session.get_providers()[0]}

    def _run(self, noisy: Tensor, *told: float | Tensor) -> Tensor:
        """Run the session on a batch, and on the noise level if it has a second input, in whichever shape that has."""
        inputs = self.session.get_inputs()
        images = noisy.numpy().astype(_TYPES[inputs[0].type], copy=False)
        given = {inputs[0].name: images}
        for into, level in zip(inputs[1:], told, strict=True):
            given[into.name] = np.full(shape_of_level(into.shape, len(noisy)), level_told(level), _TYPES[into.type])
        (output,) = self.session.run(None, given)
        return torch.from_numpy(output)


def _session(path: Path, device: torch.device, precision: str) -> Any:
    """A session of onnxruntime with as many threads as torch has.

    Raises:
        UsaidError: the package is missing, or the file is none that it can run.
    """
    try:
        import onnxruntime
    except ImportError as error:
        cure = "pip install 'usaid[onnx]'"
        raise UsaidError(f"method 'onnx' needs the package onnxruntime ({error}): {cure}") from None
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = 3
    providers: list[Any] = [_CPU]
    if device.type == "cuda" and _CUDA in onnxruntime.get_available_providers():
        of_gpu = {"device_id": device.index or 0, "use_tf32": int(precision == "tf32")}
        providers.insert(0, (_CUDA, of_gpu))
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # onnxruntime has many of its own
        raise UsaidError(f"{path}: not readable as ONNX ({first_line(error)}); export it again") from None
    _check(session, path)
    return session


def _check(session: Any, path: Path) -> None:
    outputs = len(session.get_outputs())
    if outputs != 1:
        raise UsaidError(f"{path}: has {outputs} outputs; export the denoised images alone")
    if not session.get_inputs():
        raise UsaidError(f"{path}: has no input; export it with a batch of images")
    for each in session.get_inputs():
        if each.type not in _TYPES:
            raise UsaidError(f"{path}: its input {each.name!r} is a {each.type}; export it for floats")
