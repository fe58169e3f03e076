"""What a detector finds in an image: boxes with scores and classes."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Confident(NamedTuple):
    """What a public PyTorch code of the paper's time detects in one image (PROTOCOL section 5), best first.

    A box has one class, its most probable one. Objectness is at least 0.5; of boxes of one class that overlap by more
    than an IoU of 0.45 the one of the highest objectness stays. No box is cut at the image's borders.

    Attributes:
        boxes: float32 (N, 4): x, y of the upper left corner, width, height, in pixels of the image.
        objectness: float32 (N,) in [0.5, 1], descending.
        classes: int64 (N,).
    """

    boxes: Tensor
    objectness: Tensor
    classes: Tensor


class Detections(NamedTuple):
    """The objects that a detector finds in one image, best first.

    Attributes:
        boxes: float32 (N, 4): x, y of the upper left corner, width, height, in pixels of the image.
        scores: float32 (N,) in [0, 1], descending.
        classes: int64 (N,): indices of the classes, 0 to ``classes - 1`` of the detector.
        confident: the detections by another convention; None: the detector has no objectness.
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor
    confident: Confident | None = None


class Detector(Protocol):
    """Finds objects of ``classes`` kinds.

    Attributes:
        classes: number of kinds of objects it knows, in the order of the data set's ascending category ids.
        has_objectness: whether it scores that there is an object apart from what it is, as YOLOv3 does.
        input_size: width and height of its network's input, into which it fits every image.
    """

    classes: int
    has_objectness: bool
    input_size: tuple[int, int]

    def __call__(self, images: Tensor) -> list[Detections]:
        """Find the objects in a batch.

        Args:
            images: float (B, 3, H, W) in [0, 1] up to overshoot, RGB, on the detector's device; B images of one size.

        Returns:
            One :class:`Detections` an image, its tensors on the device of the images.
        """
        ...
