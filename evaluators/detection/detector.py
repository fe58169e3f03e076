"""What a detector finds in an image: boxes with scores and classes."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Detections(NamedTuple):
    """The objects that a detector finds in one image, best first.

    Attributes:
        boxes: float32 (N, 4): x, y of the upper left corner, width, height, in pixels of the image.
        scores: float32 (N,) in [0, 1], descending.
        classes: int64 (N,): indices of the classes, 0 to ``classes - 1`` of the detector.
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor


class Detector(Protocol):
    """Finds objects of ``classes`` kinds.

    Attributes:
        classes: number of kinds of objects it knows, in the order of the data set's ascending category ids.
    """

    classes: int

    def __call__(self, images: Tensor) -> list[Detections]:
        """Find the objects in a batch.

        Args:
            images: float (B, 3, H, W) in [0, 1] up to overshoot, RGB, on the detector's device; B images of one size.

        Returns:
            One :class:`Detections` an image, its tensors on the device of the images.
        """
        ...
