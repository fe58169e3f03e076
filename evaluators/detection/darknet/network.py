"""YOLOv3 and its relatives from Darknet's ``.cfg`` and ``.weights`` files: the detectors that judge (Table IX)."""

import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from evaluators.detection.darknet.cfg import Section, read_cfg
from evaluators.detection.darknet.layers import MOST_VALUES, Convolution, Head, Layer, Shape, Yolo, build_layer
from evaluators.detection.detector import Confident, Detections
from usaid.checkpoints import check_state, load_state, require_finite, require_weights
from usaid.errors import UsaidError
from usaid.files import written_atomically

CANDIDATES = 1000
"""So many of an image's best boxes enter suppression: trained networks give about 260, an untrained one a million."""

LEAST_OBJECTNESS = 0.5
"""Of a detection in a public PyTorch code of the paper's time (PROTOCOL section 5)."""


class Darknet(nn.Module):
    """The network that a ``.cfg`` describes.

    Attributes:
        heads: its ``[yolo]`` layers, in order.
        width, height: of its input, as ``[net]`` says.
        classes: number of classes, the same for all heads.
        cfg: name of the description, for errors.

    Sources: Redmon & Farhadi, "YOLOv3: An Incremental Improvement", 2018; the layers and options are those of
    github.com/pjreddie/darknet and github.com/AlexeyAB/darknet that YOLOv3-type networks use.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        """Build the network of :func:`evaluators.detection.darknet.cfg.read_cfg` with torch's random weights.

        Raises:
            UsaidError: as :func:`evaluators.detection.darknet.layers.build_layer`, or there is no ``[yolo]``.
        """
        super().__init__()
        net, *descriptions = sections
        self.cfg = net.cfg
        self.width, self.height = net.integer("width", least=1), net.integer("height", least=1)
        if net.integer("channels", 3) != 3:
            raise net.error("channels has to be 3: images are RGB")
        shapes = {-1: Shape(3, self.height, self.width)}
        if math.prod(shapes[-1]) > MOST_VALUES:
            raise net.error(f"has an input of {self.width}x{self.height} pixels; correct 'width' and 'height'")
        layers: list[Layer] = []
        for index, section in enumerate(descriptions):
            layers.append(build_layer(section, index, shapes))
            shapes[index] = layers[-1].shape
        self.layers = nn.ModuleList(layer.module for layer in layers)
        self._sources = [layer.sources for layer in layers]
        self._last_reader = {source: index for index, sources in enumerate(self._sources) for source in sources}
        self.heads = tuple(layer.module.head for layer in layers if isinstance(layer.module, Yolo))
        if not self.heads:
            raise UsaidError(f"{self.cfg}: has no [yolo] layer; give the .cfg of a YOLOv3-type detector")
        self.classes = self.heads[0].classes
        if any(head.classes != self.classes for head in self.heads):
            raise UsaidError(f"{self.cfg}: its [yolo] layers differ in 'classes'; make them the same")

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the heads' raw maps; :func:`decode` makes boxes of them.

        Args:
            images: float (B, 3, h, w) in [0, 1], h and w multiples of the largest stride (32 in YOLOv3).

        Returns:
            For each head (B, anchors * (5 + classes), h / stride, w / stride). An anchor's channels are x, y, w, h,
            objectness and the classes.
        """
        features, maps = {-1: images}, []
        for index, (layer, sources) in enumerate(zip(self.layers, self._sources, strict=True)):
            features[index] = layer(*(features[source] for source in sources))
            if isinstance(layer, Yolo):
                maps.append(features[index])
            for source in set(sources):
                if self._last_reader[source] == index:
                    del features[source]
        return maps


# ------------------------------------------------------------------------------------------------ weights


def read_weights(network: Darknet, path: Path) -> None:
    """Read Darknet's ``.weights`` file into a network.

    The file is a header (three int32: major, minor and revision; the number of training images seen, 64 bits from
    version 0.2 on and 32 before), then float32 of one convolution after the other: with BatchNorm its bias, gain,
    running mean and running variance, else the convolution's bias; then the kernels.

    Raises:
        UsaidError: the file is missing, longer or shorter than the network needs, or holds NaN or infinity.
    """
    tensors = _tensors_in_file(network)
    needed = 4 * sum(tensor.numel() for tensor in tensors)
    try:
        if path.exists() and not path.is_file():
            raise UsaidError(f"{path}: is a folder or device, no file of weights; correct the key")
        size = path.stat().st_size
        with open(path, "rb") as file:
            content = file.read(needed + _LONGEST_HEADER)  # of a file that is much too long, no more than this
    except OSError as error:
        raise UsaidError(f"{path}: weights cannot be read ({error.strerror}); fetch them or correct the key") from None
    header = _header_bytes(content)
    if size != header + needed:
        raise UsaidError(
            f"{path}: has {size:,} bytes, {network.cfg} needs {header + needed:,}; fetch it again or give its own .cfg"
        )
    values = torch.from_numpy(np.frombuffer(content, "<f4", offset=header).astype(np.float32))
    names = {id(value): key for key, value in network.state_dict(keep_vars=True).items()}
    with torch.no_grad():
        for tensor, piece in zip(tensors, values.split([tensor.numel() for tensor in tensors]), strict=True):
            require_finite(piece, names[id(tensor)], path)
            tensor.copy_(piece.view(tensor.shape))


def write_darknet_weights(network: Darknet, path: Path) -> None:
    """Write a network as Darknet's ``.weights`` (version 0.2.5, no images seen), atomically."""
    with written_atomically(path) as temporary, open(temporary, "wb") as file:
        file.write(np.array([0, 2, 5, 0, 0], "<i4").tobytes())
        for tensor in _tensors_in_file(network):
            file.write(tensor.detach().cpu().numpy().astype("<f4").tobytes())


_LONGEST_HEADER = 20


def _header_bytes(content: bytes) -> int:
    major, minor = np.frombuffer(content[:8].ljust(8, b"\0"), "<i4").tolist()
    return 20 if major * 10 + minor >= 2 else 16


def _tensors_in_file(network: Darknet) -> list[Tensor]:
    """The network's tensors in the order of a ``.weights`` file."""
    tensors: list[Tensor | None] = []
    for layer in network.layers:
        if isinstance(layer, Convolution):
            if isinstance(norm := layer.norm, nn.BatchNorm2d):
                tensors += [norm.bias, norm.weight, norm.running_mean, norm.running_var]
            tensors += [layer.convolution.bias, layer.convolution.weight]
    return [tensor for tensor in tensors if tensor is not None]


# ------------------------------------------------------------------------------------------------ the detector


def decode(maps: Sequence[Tensor], heads: Sequence[Head], size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Turn raw maps into boxes (Redmon & Farhadi 2018, section 2.1).

    Args:
        maps: as :meth:`Darknet.forward` returns them.
        heads: of the network.
        size: height and width of the network's input, in pixels.

    Returns:
        For the N boxes of all cells and anchors: boxes (B, N, 4) as centre x, centre y, width and height in pixels of
        the network's input; objectness (B, N); probability of each class (B, N, classes), given that there is an
        object.
    """
    decoded = [_decode_head(raw, head, size) for raw, head in zip(maps, heads, strict=True)]
    boxes, objectness, classes = (torch.cat(parts, dim=1) for parts in zip(*decoded, strict=True))
    return boxes, objectness, classes


def _decode_head(raw: Tensor, head: Head, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    batch, _, rows, columns = raw.shape
    cells = raw.float().permute(0, 2, 3, 1).reshape(batch, rows, columns, len(head.anchors), 5 + head.classes)
    y, x = torch.meshgrid(*(torch.arange(n, device=raw.device) for n in (rows, columns)), indexing="ij")
    grid, cell = torch.stack([x, y], dim=-1)[:, :, None], cells.new_tensor([size[1] / columns, size[0] / rows])
    centres = grid + cells[..., :2].sigmoid() * head.scale_x_y - (head.scale_x_y - 1) / 2
    extents = cells[..., 2:4].exp() * cells.new_tensor(head.anchors)
    boxes = torch.cat([centres * cell, extents], dim=-1).flatten(1, 3)
    return boxes, cells[..., 4].sigmoid().flatten(1), cells[..., 5:].sigmoid().flatten(1, 3)


class Placement(NamedTuple):
    """Where the image lies in the network's input, in pixels of that input."""

    left: int
    top: int
    width: int
    height: int


def place(images: Tensor, width: int, height: int, letterbox: bool) -> tuple[Tensor, Placement]:
    """Fit a batch into the network's input as Darknet does: bilinear, the corners of both grids on each other.

    Args:
        images: float (B, 3, H, W).
        width, height: of the network's input.
        letterbox: keep the aspect ratio, and fill what is left on both sides with 0.5; else stretch.

    Returns:
        Float (B, 3, height, width), and where the images lie in it.
    """
    rows, columns = images.shape[2:]
    placement = Placement(0, 0, width, height)
    if letterbox and width * rows < height * columns:
        fitted = max(1, rows * width // columns)
        placement = Placement(0, (height - fitted) // 2, width, fitted)
    elif letterbox:
        fitted = max(1, columns * height // rows)
        placement = Placement((width - fitted) // 2, 0, fitted, height)
    left, top, *fitted_size = placement
    resized = F.interpolate(images, fitted_size[::-1], mode="bilinear", align_corners=True)
    margins = (left, width - left - placement.width, top, height - top - placement.height)
    return F.pad(resized, margins, value=0.5), placement


class DarknetDetector:
    """A trained network that finds objects in images of any size, as Darknet validates on COCO.

    The image is fitted into the network's input, every class of every box with objectness * probability above the
    threshold is a detection, and of detections of one class that overlap the best stays.

    Attributes:
        classes: number of classes.
        has_objectness: True.
        input_size: width and height of the network's input.
        device: where its input has to be.
    """

    has_objectness = True

    def __init__(
        self,
        network: Darknet,
        device: torch.device | str = "cpu",
        threshold: float = 0.005,
        nms: float = 0.45,
        letterbox: bool = True,
    ) -> None:
        """Copy the network (which stays as it is), fold its BatchNorm and put it on ``device``.

        Args:
            network: with trained weights.
            device: where to compute.
            threshold: least score of a detection; 0.005 in Darknet's validation.
            nms: largest IoU of two detections of one class.
            letterbox: keep the aspect ratio, as Redmon's Darknet does; else stretch, as AlexeyAB's does by default.
        """
        self.classes = network.classes
        self.input_size = network.width, network.height
        self.device = torch.device(device)
        self.network = folded(network).to(self.device).to(memory_format=torch.channels_last)
        self.threshold, self.nms, self.letterbox = threshold, nms, letterbox

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Detections]:
        """Find the objects in a batch.

        Args:
            images: float (B, 3, H, W), RGB, of any size; clamped to [0, 1].

        Returns:
            One :class:`Detections` an image: its boxes end at the image's borders, but those of ``confident`` do not.
        """
        size = self.network.height, self.network.width
        fitted, placement = place(images.clamp(0, 1), self.network.width, self.network.height, self.letterbox)
        maps = self.network(fitted.contiguous(memory_format=torch.channels_last))
        boxes, objectness, probabilities = decode(maps, self.network.heads, size)
        all_scores = (objectness[..., None] * probabilities).flatten(1)
        best, where = all_scores.topk(min(CANDIDATES, all_scores.shape[1]), dim=1)
        image, rank = (best > self.threshold).nonzero(as_tuple=True)
        box, label = where[image, rank] // self.classes, where[image, rank] % self.classes
        found = self._apart(boxes[image, box], best[image, rank], label, image, len(images))

        best, where = objectness.topk(min(CANDIDATES, objectness.shape[1]), dim=1)
        image, rank = (best >= LEAST_OBJECTNESS).nonzero(as_tuple=True)
        box = where[image, rank]
        label = probabilities[image, box].argmax(dim=1)
        confident = self._apart(boxes[image, box], best[image, rank], label, image, len(images))

        extent = images.shape[-2:]
        return [
            Detections(
                *(_in_image(corners, placement, extent), scores, classes),
                Confident(_in_image(others, placement, extent, cut=False), *rest),
            )
            for (corners, scores, classes), (others, *rest) in zip(found, confident, strict=True)
        ]

    def _apart(
        self, boxes: Tensor, scores: Tensor, classes: Tensor, image: Tensor, n_images: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Corners, scores and classes of what stays of each image's boxes, best first.

        Args:
            boxes: (N, 4) in the network's input: centre, width, height.
            scores: (N,).
            classes: (N,).
            image: (N,), ascending: which of the images.
            n_images: how many there are.
        """
        corners = _corners(boxes)
        kept = _suppress(corners, scores, image * self.classes + classes, self.nms)
        kept = kept[image[kept].argsort(stable=True)]
        per_image = image.new_zeros(n_images).index_add_(0, image[kept], torch.ones_like(kept)).tolist()
        return zip(*(values[kept].split(per_image) for values in (corners, scores, classes)), strict=True)


def _corners(boxes: Tensor) -> Tensor:
    """Centre, width and height -> upper left and lower right corner."""
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], dim=1)


_FARTHEST = 1e6  # pixels from the origin: no sensible box gets there


def _suppress(corners: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Greedy non-maximum suppression within each group; indices of what stays, best first, earlier first among equals.

    Each group is moved to a place of its own; in float64, so that this does not round a box's overlaps.
    """
    from torchvision import ops  # takes a second to import, and a training does without

    apart = corners.double().clamp(-_FARTHEST, _FARTHEST) + groups.double()[:, None] * (3 * _FARTHEST)
    return ops.nms(apart, scores.double(), threshold)


def _in_image(corners: Tensor, placement: Placement, size: Sequence[int], cut: bool = True) -> Tensor:
    """Corners in the network's input -> x, y, width and height in the image; ``cut``: clipped to its borders."""
    extent = corners.new_tensor([size[1], size[0]])
    ends = corners.view(-1, 2, 2) - corners.new_tensor(placement[:2])
    ends = ends * (extent / corners.new_tensor(placement[2:]))
    ends = ends.clamp(min=0).minimum(extent) if cut else ends.clamp(-_FARTHEST, _FARTHEST)
    return torch.cat([ends[:, 0], ends[:, 1] - ends[:, 0]], dim=1)


def folded(network: Darknet) -> Darknet:
    """A copy in evaluation mode with every BatchNorm folded into its convolution."""
    network = copy.deepcopy(network).eval()
    for layer in network.layers:
        if isinstance(layer, Convolution) and isinstance(layer.norm, nn.BatchNorm2d):
            layer.convolution = fuse_conv_bn_eval(layer.convolution, layer.norm)
            layer.norm = nn.Identity()
    return network


def load_darknet(
    cfg: str | Path,
    weights: Path,
    sha256: str | None = None,
    device: torch.device | str = "cpu",
    letterbox: bool = True,
    input_size: int | None = None,
) -> DarknetDetector:
    """Read a trained detector.

    Args:
        cfg: path of a ``.cfg`` file, or the name of one that comes with the suite (``"yolov3"``).
        weights: Darknet's ``.weights``, or ``.safetensors`` with the state of :class:`Darknet`.
        sha256: expected hash of ``weights``; None: not checked.
        device: where to compute.
        letterbox: as in :class:`DarknetDetector`.
        input_size: width and height of the network's input, in pixels; None: those of ``cfg``.

    Raises:
        UsaidError: a file is missing, damaged or has another hash, or the two do not belong together.
    """
    require_weights(weights, sha256)
    sections = read_cfg(cfg)
    if input_size is not None:
        sections[0].options.update(width=str(input_size), height=str(input_size))
    network = Darknet(sections)
    if weights.suffix == ".safetensors":
        complaint = f"{weights}: not the weights of {network.cfg}, give the file that belongs to it"
        network.load_state_dict(check_state(load_state(weights), network.state_dict(), complaint))
    else:
        read_weights(network, weights)
    return DarknetDetector(network, device, letterbox=letterbox)
