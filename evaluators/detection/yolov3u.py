"""The detector ``yolov3u``, which comes with the ultralytics package (AGPL-3, imported nowhere else), kept offline."""

import os
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
import yaml
from PIL import Image
from torch import Tensor, nn

from evaluators.detection.detector import Detections
from usaid.checkpoints import check_kind, first_line, read_pickled, require_finite, require_weights
from usaid.errors import UsaidError

_SIDE, _STRIDE, _GREY = 640, 32, 114 / 255
_LEAST_SCORE, _MOST_OVERLAP, _MOST_CANDIDATES, _MOST_DETECTIONS = 0.001, 0.7, 30_000, 300


class Yolov3u:
    """YOLOv3u with the settings of ultralytics' validation: longer side 640, score above 0.001, NMS at IoU 0.7.

    It is not the paper's YOLOv3: an anchor-free head on the same backbone, trained anew, with other numbers
    (docs.ultralytics.com/models/yolov3).

    Attributes:
        classes: number of kinds of objects it knows.
        has_objectness: False: each class has a score of its own, and nothing else.
        input_size: of its longer side; the canvas around it is larger (:func:`letterbox`).
    """

    has_objectness = False
    input_size = (_SIDE, _SIDE)

    def __init__(self, network: nn.Module, classes: int, device: torch.device) -> None:
        """Put a network on ``device``.

        Args:
            network: ultralytics' detection model, in evaluation mode: (B, 3, H, W) in [0, 1], sides multiples of 32,
                -> (B, 4 + classes, N), centre x, y, width, height in pixels and a score for each class.
            classes: of its output.
            device: where to compute.
        """
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.classes = classes

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Detections]:
        """Find the objects in a batch.

        Args:
            images: float (B, 3, H, W), RGB, clamped to [0, 1] here.
        """
        boxed = letterbox(images.clamp(0, 1))
        predictions, *_ = self.network(boxed.images.contiguous(memory_format=torch.channels_last))
        return [_best(prediction, boxed) for prediction in predictions.mT]


class Letterboxed(NamedTuple):
    """Images as the network wants them, and where in them the images are.

    Attributes:
        images: float (B, 3, H', W'), grey around the resized images.
        offset: x, y of the upper left corner of the resized images.
        inner: their width, height.
        original: width, height of the images before.
    """

    images: Tensor
    offset: tuple[int, int]
    inner: tuple[int, int]
    original: tuple[int, int]


def letterbox(images: Tensor) -> Letterboxed:
    """Resize images to a longer side of 640 and centre them on grey.

    The sides of the grey canvas are multiples of 32, at least 16 pixels longer than the images, as in ultralytics'
    validation (``rect=True``, ``pad=0.5``).

    Args:
        images: float (B, 3, H, W) in [0, 1].
    """
    height, width = images.shape[2:]
    longer = max(height, width)
    rows, columns = (-(-side * _SIDE // longer) for side in (height, width))
    down, across = (-(-(side + _STRIDE // 2) // _STRIDE) * _STRIDE for side in (rows, columns))
    top, left = (down - rows) // 2, (across - columns) // 2
    resized = F.interpolate(images, (rows, columns), mode="bilinear", align_corners=False)
    margins = (left, across - columns - left, top, down - rows - top)
    return Letterboxed(F.pad(resized, margins, value=_GREY), (left, top), (columns, rows), (width, height))


def _best(prediction: Tensor, boxed: Letterboxed) -> Detections:
    """Non-maximum suppression within each class; a place may hold objects of several classes.

    Args:
        prediction: (N, 4 + classes): centre, size and scores of one image.
        boxed: where the image is.
    """
    from torchvision.ops import batched_nms, box_convert  # takes a second, and other detectors do without

    boxes, scores = box_convert(prediction[:, :4], "cxcywh", "xyxy"), prediction[:, 4:]
    place, classes = (scores > _LEAST_SCORE).nonzero(as_tuple=True)
    candidates, order = (part[:_MOST_CANDIDATES] for part in scores[place, classes].sort(descending=True, stable=True))
    place, classes = place[order], classes[order]
    kept = batched_nms(boxes[place], candidates, classes, _MOST_OVERLAP)[:_MOST_DETECTIONS]
    original = prediction.new_tensor(boxed.original)
    scale = original / prediction.new_tensor(boxed.inner)
    corners = (boxes[place[kept]].unflatten(1, (2, 2)) - prediction.new_tensor(boxed.offset)) * scale
    corners = corners.clamp(min=torch.zeros_like(original), max=original).flatten(1)
    return Detections(box_convert(corners, "xyxy", "xywh"), candidates[kept], classes[kept])


# ------------------------------------------------------------------------------------------------ loading


def load_yolov3u(weights: Path, sha256: str | None = None, device: torch.device | str = "cpu") -> Yolov3u:
    """Read the weights of YOLOv3u, YOLOv3-SPPu or YOLOv3-tinyu.

    ultralytics' ``.pt`` files are pickled models: loaded as the package itself loads them, they can run any code. Here
    the pickle is read with ``weights_only=True`` and with a blank in place of every class and function that it names;
    only the tensors are taken out, and the network that they belong to is built from the package's own description.

    Args:
        weights: the ``.pt`` file, e.g. ``yolov3u.pt``; never downloaded.
        sha256: its expected hash; None: not checked.
        device: where to compute.

    Raises:
        UsaidError: missing file, other hash, no such checkpoint, or ultralytics is not installed.
    """
    weights = Path(weights)
    require_weights(weights, sha256)
    ultralytics = import_ultralytics()
    try:
        content = _read_blank(weights)
        model = vars(content.get("ema") or content["model"])
        state = dict(_tensors_of(model))
        kinds, classes = _kinds_of_layers(model["yaml"]), int(model["yaml"]["nc"])
    except UsaidError as error:
        reason = str(error).removeprefix(f"{weights}: ").removeprefix("not a readable weights file: ").split(";")[0]
        raise UsaidError(f"{weights}: not a checkpoint of an ultralytics model ({reason}); {_CURE}") from None
    except Exception as error:  # what is not laid out as such a model raises anything; the common base is Exception
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 100)
        raise UsaidError(f"{weights}: not a checkpoint of an ultralytics model ({reason}); {_CURE}") from None
    for key, value in state.items():
        require_finite(value, key, weights)
    files = sorted(ultralytics.descriptions.glob("*.yaml"))
    descriptions = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    fitting = [description for description in descriptions if _kinds_of_layers(description) == kinds]
    if not fitting:
        raise UsaidError(
            f"{weights}: holds another model than YOLOv3u, YOLOv3-SPPu and YOLOv3-tinyu; give one of these"
        )
    network = ultralytics.detection_model(fitting[0], nc=classes, verbose=False)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = textwrap.shorten(str(error), 200)
        raise UsaidError(f"{weights}: its tensors do not fit the installed ultralytics ({reason})") from None
    return Yolov3u(network.float().eval().fuse(verbose=False), classes, torch.device(device))


_CURE = "give the .pt file as ultralytics publishes it"


class _Blank:
    """Stands in a pickle for whatever class or function it names: takes what it is given and does nothing."""

    def __init__(self, *arguments: object) -> None:
        pass


def _read_blank(path: Path) -> Any:
    """The content of a checkpoint with every object that is no tensor, container or number as a :class:`_Blank`."""
    check_kind(path)
    try:
        blanks: list[Any] = [(_Blank, name) for name in torch.serialization.get_unsafe_globals_in_checkpoint(path)]
    except Exception:  # a damaged file raises anything; their common base is Exception
        blanks = []
    with torch.serialization.safe_globals(blanks):
        return read_pickled(path)


def _tensors_of(module: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Key and value of the parameters and buffers below a module, given by its attributes."""
    for name, value in (module["_parameters"] | module["_buffers"]).items():
        if value is not None:
            yield f"{prefix}{name}", value
    for name, child in module["_modules"].items():
        yield from _tensors_of(vars(child), f"{prefix}{name}.")


def _kinds_of_layers(description: dict[str, Any]) -> list[str]:
    """The kind of each layer of a network, in ultralytics' description of it."""
    return [kind for _, _, kind, _ in description["backbone"] + description["head"]]


class Ultralytics(NamedTuple):
    """What is used of the package.

    Attributes:
        detection_model: its class of networks.
        descriptions: folder of its YAML descriptions of the YOLOv3 family.
    """

    detection_model: Any
    descriptions: Path


def import_ultralytics() -> Ultralytics:
    """Import the package in such a way that it stays offline, installs nothing, and leaves no file behind.

    Its first import in a process reads the environment: with ``YOLO_OFFLINE`` it looks for no network and, believing
    that there is none, reports no usage; ``YOLO_AUTOINSTALL`` decides whether it calls pip; into ``YOLO_CONFIG_DIR`` it
    writes its settings, here a folder that is gone when this returns. What it changes elsewhere on that occasion
    (``torch.save``, ``PIL.Image.open``, ``OMP_NUM_THREADS``) is changed back.

    Raises:
        UsaidError: it is not installed or does not import.
    """
    before = torch.save, Image.open, os.environ.get("OMP_NUM_THREADS")
    with tempfile.TemporaryDirectory(prefix="ultralytics-") as settings:
        if "ultralytics" not in sys.modules:
            os.environ |= {
                "YOLO_OFFLINE": "true",
                "YOLO_AUTOINSTALL": "false",
                "YOLO_VERBOSE": "false",
                "YOLO_CONFIG_DIR": settings,
            }
        try:
            import ultralytics
            from ultralytics.nn.tasks import DetectionModel
        except ImportError as error:
            raise UsaidError(
                f"yolov3u: ultralytics does not import ({first_line(error)}); pip install 'usaid[ultralytics]'"
            ) from None
        finally:
            torch.save, Image.open, threads = before
            if threads is None:
                os.environ.pop("OMP_NUM_THREADS", None)
    dict.update(ultralytics.SETTINGS, sync=False)  # no usage reports; in memory only, where update() writes a file
    return Ultralytics(DetectionModel, Path(ultralytics.__file__).parent / "cfg" / "models" / "v3")
