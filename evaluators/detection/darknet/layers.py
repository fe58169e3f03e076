"""Darknet's layers: the module that each section of a ``.cfg`` stands for, and the shapes that they pass on."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from evaluators.detection.darknet.cfg import Section


@dataclass(frozen=True)
class Head:
    """One ``[yolo]`` layer.

    Attributes:
        anchors: width and height of each box that a cell starts from, in pixels of the network's input.
        classes: number of classes.
        scale_x_y: how far a box's centre may leave its cell: by ``(scale_x_y - 1) / 2`` cells; 1 in plain YOLOv3.
    """

    anchors: tuple[tuple[float, float], ...]
    classes: int
    scale_x_y: float


MOST_VALUES = 1 << 28
"""Of one layer's weights, or features of one image (1 GB in float32): a hundred times those of YOLOv3."""

_LARGEST_WINDOW = 1024


class Shape(NamedTuple):
    """Of one image's features."""

    channels: int
    height: int
    width: int


class Layer(NamedTuple):
    """A module, the layers that it reads (-1: the image), and the shape that it makes of them."""

    module: nn.Module
    sources: tuple[int, ...]
    shape: Shape


# ------------------------------------------------------------------------------------------------ modules


class Convolution(nn.Sequential):
    """Convolution, BatchNorm (or a bias) and activation."""

    def __init__(self, convolution: nn.Conv2d, normalise: bool, activation: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        # Darknet adds 1e-5 to the variance on a GPU, 1e-6 to the deviation on the CPU: AP50 moves by 0.02 points.
        self.norm = nn.BatchNorm2d(convolution.out_channels, eps=1e-5) if normalise else nn.Identity()
        self.activation = activation


class Route(nn.Module):
    """Joins features along the channels; of several groups of channels it takes one from each input."""

    def __init__(self, groups: int, group: int) -> None:
        super().__init__()
        self.groups, self.group = groups, group

    def forward(self, *features: Tensor) -> Tensor:
        """(B, C_i, H, W) each -> (B, sum of C_i / groups, H, W)."""
        chosen = [each.chunk(self.groups, dim=1)[self.group] for each in features]
        return chosen[0] if len(chosen) == 1 else torch.cat(chosen, dim=1)


class Shortcut(nn.Module):
    """Adds two features of one shape."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, features: Tensor, earlier: Tensor) -> Tensor:
        """(B, C, H, W) twice -> their activated sum."""
        return self.activation(features + earlier)


class Yolo(nn.Identity):
    """Marks its input as the raw map of a head."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head


# ------------------------------------------------------------------------------------------------ sections


def build_layer(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    """Make the layer that a section describes, with random weights.

    Args:
        section: of the ``.cfg``, behind ``[net]``.
        index: number of the layer, from 0.
        shapes: of the image (key -1) and of all layers before this one.

    Raises:
        UsaidError: unknown layer, option or activation, a layer that reads one that does not come before it, or shapes
            that do not fit; names file, line and layer.
    """
    if section.kind not in _BUILDERS:
        raise section.error(f"is no layer that is known here; known are {', '.join(_BUILDERS)}")
    layer = _BUILDERS[section.kind](section, index, shapes)
    if math.prod(layer.shape) > MOST_VALUES:
        size = "x".join(map(str, layer.shape))
        raise section.error(f"makes features of {size} of one image, more than {MOST_VALUES:,} values; correct it")
    return layer


def _convolutional(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    section.allow(("batch_normalize", "filters", "size", "stride", "groups", "pad", "padding", "activation"))
    shape, filters, groups = shapes[index - 1], section.integer("filters", least=1), section.integer("groups", 1, 1)
    size, stride = section.integer("size", 1, 1), section.integer("stride", 1, 1)
    padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0, 0)
    if shape.channels % groups or filters % groups:
        raise section.error(f"groups = {groups} does not divide {shape.channels} channels into {filters}; correct it")
    normalise = bool(section.integer("batch_normalize", 0))
    if (values := shape.channels // groups * filters * size**2) > MOST_VALUES:
        raise section.error(f"has {values:,} weights, more than {MOST_VALUES:,}; correct 'filters' or 'size'")
    convolution = nn.Conv2d(shape.channels, filters, size, stride, padding, groups=groups, bias=not normalise)
    module = Convolution(convolution, normalise, _activation(section, "logistic"))
    return Layer(module, (index - 1,), Shape(filters, *_windows(section, shape, size, stride, 2 * padding)))


def _maxpool(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    """Darknet pads ``size - 1`` in all, the smaller half before the features: stride 1 keeps the size."""
    section.allow(("size", "stride", "padding"))
    shape, stride = shapes[index - 1], section.integer("stride", 1, 1)
    size = section.integer("size", stride, 1)
    padding = section.integer("padding", size - 1, 0)
    if max(size, padding) > _LARGEST_WINDOW:
        raise section.error(f"has a window of {size} with {padding} around it; at most {_LARGEST_WINDOW} make sense")
    before, after = padding // 2, padding - padding // 2
    border = nn.ConstantPad2d((before, after, before, after), -torch.inf)
    module = nn.Sequential(border, nn.MaxPool2d(size, stride))
    return Layer(module, (index - 1,), Shape(shape.channels, *_windows(section, shape, size, stride, padding)))


def _route(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    section.allow(("layers", "groups", "group_id"))
    sources = tuple(_reach(section, index, number) for number in section.integers("layers"))
    groups, group = section.integer("groups", 1, 1), section.integer("group_id", 0)
    inputs = [shapes[source] for source in sources]
    if len({shape[1:] for shape in inputs}) > 1:
        sizes = ", ".join(f"{shape.height}x{shape.width}" for shape in inputs)
        raise section.error(f"joins features of different sizes ({sizes}); correct 'layers'")
    if not 0 <= group < groups or any(shape.channels % groups for shape in inputs):
        channels = ", ".join(str(shape.channels) for shape in inputs)
        raise section.error(f"cannot take group {group} of {groups} from {channels} channels; correct 'groups'")
    total = sum(shape.channels // groups for shape in inputs)
    return Layer(Route(groups, group), sources, inputs[0]._replace(channels=total))


def _shortcut(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    section.allow(("from", "activation"))
    earlier = _reach(section, index, section.integer("from"))
    if shapes[earlier] != shapes[index - 1]:
        both = " to ".join("x".join(map(str, shapes[source])) for source in (earlier, index - 1))
        raise section.error(f"adds features of {both}; correct 'from'")
    return Layer(Shortcut(_activation(section, "linear")), (index - 1, earlier), shapes[earlier])


def _upsample(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    section.allow(("stride",))
    shape, stride = shapes[index - 1], section.integer("stride", 2, 1)
    module = nn.Upsample(scale_factor=stride, mode="nearest")
    return Layer(module, (index - 1,), Shape(shape.channels, shape.height * stride, shape.width * stride))


def _dropout(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    section.allow(("probability",))
    probability = section.number("probability", 0.5)
    if not 0 <= probability < 1:
        raise section.error(f"probability = {probability} is not in [0, 1); correct it")
    return Layer(nn.Dropout(probability), (index - 1,), shapes[index - 1])


def _cost(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    """The loss of a training, which passes its input on."""
    return Layer(nn.Identity(), (index - 1,), shapes[index - 1])


def _yolo(section: Section, index: int, shapes: Mapping[int, Shape]) -> Layer:
    """Most keys of ``[yolo]`` are for training only, and pass."""
    if section.integer("new_coords", 0):
        raise section.error("new_coords = 1 codes boxes as Scaled-YOLOv4 does, which is not known here")
    numbers, classes = section.numbers("anchors"), section.integer("classes", 20, 1)
    anchors = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    mask = section.integers("mask", tuple(range(len(anchors))))
    if len(numbers) % 2 or not all(0 <= number < len(anchors) for number in mask):
        raise section.error(f"mask = {mask} does not choose from {len(numbers) / 2:g} pairs of anchors; correct it")
    if shapes[index - 1].channels != (needed := len(mask) * (5 + classes)):
        found = f"{needed} channels for {len(mask)} anchors and {classes} classes, not {shapes[index - 1].channels}"
        raise section.error(f"needs {found}; correct 'filters' of the layer before it")
    head = Head(tuple(anchors[number] for number in mask), classes, section.number("scale_x_y", 1.0))
    return Layer(Yolo(head), (index - 1,), shapes[index - 1])


_BUILDERS: dict[str, Callable[[Section, int, Mapping[int, Shape]], Layer]] = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "route": _route,
    "shortcut": _shortcut,
    "upsample": _upsample,
    "dropout": _dropout,
    "cost": _cost,
    "yolo": _yolo,
}


# ------------------------------------------------------------------------------------------------ what sections share

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "leaky": lambda: nn.LeakyReLU(0.1, inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "logistic": nn.Sigmoid,
    "mish": nn.Mish,
    "swish": nn.SiLU,
}


def _activation(section: Section, default: str) -> nn.Module:
    name = section.text("activation", default)
    if name not in _ACTIVATIONS:
        raise section.error(f"has the unknown activation {name!r}; known are {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()


def _reach(section: Section, index: int, number: int) -> int:
    """Index of a layer that is named by its own number, or by a negative distance from this one."""
    source = number if number >= 0 else index + number
    if not 0 <= source < index:
        raise section.error(f"is layer {index} and reads layer {source}, which does not come before it; correct it")
    return source


def _windows(section: Section, shape: Shape, size: int, stride: int, padding: int) -> tuple[int, int]:
    """Height and width after a window of ``size`` has passed over features with ``padding`` in all."""
    height, width = ((length + padding - size) // stride + 1 for length in shape[1:])
    if height < 1 or width < 1:
        raise section.error(f"size = {size} does not fit into features of {shape.height}x{shape.width}; correct it")
    return height, width
