"""The batch of each step of a detector's training: images with their objects, augmented alike."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.detection.darknet.network import place
from usaid.datasets.base import Sample
from usaid.errors import UsaidError
from usaid.tensors import to_unit_range
from usaid.training.loop import generator_for

if TYPE_CHECKING:
    from evaluators.detection.settings import DetectorRecipe

CPU = torch.device("cpu")
GREY = 128
"""What lies beyond the borders of an image, as where Darknet fits one into the network's input."""


class Objects(NamedTuple):
    """The objects of B images; places beyond an image's own number hold a box that does not count.

    Attributes:
        boxes: float32 (B, K, 4): centre x, centre y, width and height in pixels of the network's input.
        classes: int64 (B, K).
        present: bool (B, K): whether there is an object.
    """

    boxes: Tensor
    classes: Tensor
    present: Tensor


class ImagesWithObjects(NamedTuple):
    """A batch to learn from.

    Attributes:
        images: float32 (B, 3, H, W) in [0, 1] times their colour's factors, channels last in memory.
        objects: what they show.
    """

    images: Tensor
    objects: Objects


class Views(NamedTuple):
    """How each of B images is augmented; on the CPU.

    Attributes:
        edges: int32 (B, 4): left, top, right and bottom edge of the part that is seen, in pixels; may lie beyond it.
        mirrored: bool (B,), left to right.
        factors: float32 (B, 3), of each colour, those of the step from bytes to [0, 1] among them.
    """

    edges: Tensor
    mirrored: Tensor
    factors: Tensor


class DetectionBatches:
    """The batch of each step: a function of recipe and images alone.

    All images stay on the device, as uint8 of the size of the network's input, into which they are fitted as for
    detection. Every epoch takes them in a new order and leaves out those that do not fill a batch.

    Attributes:
        ids: of the images.
        images: uint8 (N, 3, H, W), channels last in memory: a resize in this layout takes a fifth of the time.
        objects: of all images.
        sha256: hash of the images' ids and pixels, and of their objects.
    """

    def __init__(
        self,
        samples: Iterable[Sample],
        category_ids: Sequence[int],
        size: tuple[int, int],
        recipe: "DetectorRecipe",
        device: torch.device,
    ) -> None:
        """Load the images.

        Crowds are left out, and so are boxes without width or height, a few of which COCO has.

        Args:
            samples: their targets are lists of :class:`usaid.datasets.coco.Instance`.
            category_ids: class i is the i-th of them.
            size: height and width of the network's input.
            recipe: how they are augmented.
            device: where images and batches live.

        Raises:
            UsaidError: fewer images than a batch, no object in any, or one of another category (names the image).
        """
        self.recipe, self.size = recipe, size
        classes = {category_id: index for index, category_id in enumerate(category_ids)}
        self.ids, images, table, self.sha256 = _loaded(samples, classes, size, recipe.batch)
        self.images = images.to(device, memory_format=torch.channels_last)
        table = table.to(device)
        self.objects = Objects(table[..., :4], table[..., 4].long().clamp(min=0), table[..., 4] >= 0)

    def chosen(self, step: int) -> list[int]:
        """Numbers of the images in the batch of a step (from 1)."""
        batch, seed = self.recipe.batch, self.recipe.seed
        epoch, number = divmod(step - 1, len(self.ids) // batch)
        order = torch.randperm(len(self.ids), generator=generator_for(CPU, seed, epoch, 1))
        return order[number * batch : (number + 1) * batch].tolist()

    def __call__(self, step: int) -> ImagesWithObjects:
        """The batch of a step (from 1)."""
        chosen, views, device, (height, width) = self.chosen(step), self.views(step), self.images.device, self.size
        seen = zip(chosen, views.edges.tolist(), views.mirrored.tolist(), strict=True)
        parts = torch.cat([_part(self.images[number : number + 1], edges, flip) for number, edges, flip in seen])
        pixels = _resized(parts, self.size).permute(0, 2, 3, 1)
        edges, mirrored, factors = (values.to(device) for values in views)
        # whole rows: a factor for each of three neighbouring numbers would take three times as long
        pixels.view(len(chosen), height, 3 * width).mul_(factors.repeat(1, width)[:, None])
        objects = Objects(*(values[chosen] for values in self.objects))
        return ImagesWithObjects(pixels.permute(0, 3, 1, 2), seen_through(objects, edges, mirrored, self.size))

    def views(self, step: int) -> Views:
        """How the images of a step (from 1) are augmented; drawn on the CPU, so that none waits for a GPU."""
        recipe, (height, width) = self.recipe, self.size
        generator = generator_for(CPU, recipe.seed, step, 0)
        zoom, draws = torch.rand(2, 2, generator=generator), torch.rand(recipe.batch, 6, generator=generator)
        sides = torch.tensor([width, height])
        part = (sides * (1 + 2 * recipe.jitter * (zoom[0] - zoom[1]))).round()
        starts = ((sides - part) / 2 + (2 * draws[:, :2] - 1) * recipe.jitter * sides).round()
        mirrored = draws[:, 2] < (0.5 if recipe.flip else 0)
        factors = (1 + recipe.colour) ** (2 * draws[:, 3:] - 1) / 255
        return Views(torch.cat([starts, starts + part], dim=1).int(), mirrored, factors)

    def images_of(self, step: int) -> list[str]:
        """Ids of the images in the batch of a step."""
        return [self.ids[number] for number in self.chosen(step)]


def _loaded(
    samples: Iterable[Sample], classes: dict[int, int], size: tuple[int, int], least: int
) -> tuple[tuple[str, ...], Tensor, Tensor, str]:
    """Ids, images (N, 3, H, W), objects (N, K, 5; class -1: none) and hash of what is learnt from, on the CPU."""
    ids, images, rows = [], [], []
    for sample in samples:
        fitted, found = _fitted(sample, classes, size)
        ids.append(sample.id)
        images.append(fitted)
        rows.append(found)
    if len(ids) < least:
        raise UsaidError(f"{len(ids)} images, fewer than 'batch' = {least}; lower it, or add images")
    if not any(map(len, rows)):
        raise UsaidError("no image has an object to learn; correct the data set's split or list of ids")
    stacked, table = torch.stack(images), nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
    digest = hashlib.sha256("\n".join(ids).encode())
    for tensor in (stacked, table):
        digest.update(tensor.contiguous().numpy().data)
    return tuple(ids), stacked, table, digest.hexdigest()


def _fitted(sample: Sample, classes: dict[int, int], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """An image in the network's input, uint8 (3, H, W), and its objects there: float32 (n, 5), box and class."""
    pixels = to_unit_range(sample.image)
    fitted, placement = place(pixels, size[1], size[0], letterbox=True)
    scale_x, scale_y = placement.width / pixels.shape[3], placement.height / pixels.shape[2]
    rows = []
    for instance in sample.target:
        if instance.category_id not in classes:
            raise UsaidError(f"image {sample.id!r} has an object of category {instance.category_id}, which is no class")
        x, y, width, height = instance.bbox
        if not instance.iscrowd and width > 0 and height > 0:
            centre = placement.left + (x + width / 2) * scale_x, placement.top + (y + height / 2) * scale_y
            rows.append([*centre, width * scale_x, height * scale_y, classes[instance.category_id]])
    return fitted[0].mul(255).round().to(torch.uint8), torch.tensor(rows).view(-1, 5)


def _part(image: Tensor, edges: Sequence[int], mirrored: bool) -> Tensor:
    """What lies between left, top, right and bottom ``edges`` of an image (1, 3, H, W), mirrored or not."""
    left, top, right, bottom = edges
    part = F.pad(image, (-left, right - image.shape[3], -top, bottom - image.shape[2]), value=GREY)  # or cut off
    return part.flip(3) if mirrored else part


def _resized(parts: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 (B, 3, h, w) -> float32 (B, 3, *size), whole numbers: bilinear; where it shrinks, without aliases."""
    if parts.shape[2:] != size and parts.device.type != "cpu":  # only there are bytes resized as they are, and fast
        parts = parts.float()
    if parts.shape[2:] != size:
        parts = F.interpolate(parts, size, mode="bilinear", align_corners=False, antialias=True)
    return parts.float().round()


def seen_through(objects: Objects, edges: Tensor, mirrored: Tensor, size: tuple[int, int]) -> Objects:
    """Move the boxes with the pixels of a part of their image that is resized to the whole.

    Boxes are cut at the borders. Objects stay if their centre is seen (Liu et al., "SSD", 2016, section 2.2).

    Args:
        objects: of B images.
        edges: int (B, 4), left, top, right and bottom edge of the part in pixels; may lie beyond the image.
        mirrored: bool (B,), which parts are mirrored left to right.
        size: height and width of the images.
    """
    extent = objects.boxes.new_tensor([size[1], size[0]])
    upper_left, lower_right = edges[:, None, :2], edges[:, None, 2:]
    scale = extent / (lower_right - upper_left)
    centres, extents = (objects.boxes[..., :2] - upper_left) * scale, objects.boxes[..., 2:] * scale
    x, y = centres.unbind(dim=2)
    centres = torch.stack([torch.where(mirrored[:, None], extent[0] - x, x), y], dim=2)
    present = objects.present & ((centres >= 0) & (centres < extent)).all(dim=2)
    starts, ends = (centres - extents / 2).clamp(min=0), torch.minimum(centres + extents / 2, extent)
    cut = torch.cat([(starts + ends) / 2, ends - starts], dim=2)
    return Objects(torch.where(present[..., None], cut, 1.0), objects.classes, present)
