"""Training of YOLOv3-type detectors that judge denoised images, on clean images (Table IX)."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.detection.darknet.cfg import Section, read_cfg
from evaluators.detection.darknet.layers import Head, Yolo
from evaluators.detection.darknet.network import Darknet, decode, place
from usaid.datasets.base import Sample
from usaid.errors import UsaidError
from usaid.tensors import to_unit_range
from usaid.training.loop import Run, Task, decayed, generator_for, train

if TYPE_CHECKING:
    from evaluators.detection.settings import DetectionSettings, DetectorRecipe
    from usaid.datasets.coco import COCO

CPU = torch.device("cpu")
GREY = 128
"""What lies beyond the borders of an image, as where Darknet fits one into the network's input."""
IGNORED_OVERLAP = 0.5
"""A box that overlaps an object by more than this IoU need not know that it is not the object's own."""
PRIOR = 0.02
"""Objectness that every box starts from."""


# ------------------------------------------------------------------------------------------------ images and objects


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
        ids, images, rows = [], [], []
        for sample in samples:
            fitted, found = _fitted(sample, classes, size)
            ids.append(sample.id)
            images.append(fitted)
            rows.append(found)
        if len(ids) < recipe.batch:
            raise UsaidError(f"{len(ids)} images, fewer than 'batch' = {recipe.batch}; lower it, or add images")
        if not any(map(len, rows)):
            raise UsaidError("no image has an object to learn; correct the data set's split or list of ids")
        self.ids = tuple(ids)
        stacked, table = torch.stack(images), nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
        digest = hashlib.sha256("\n".join(ids).encode())
        for tensor in (stacked, table):
            digest.update(tensor.contiguous().numpy().data)
        self.sha256 = digest.hexdigest()
        self.images = stacked.to(device, memory_format=torch.channels_last)
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
        recipe, device, (height, width) = self.recipe, self.images.device, self.size
        chosen = self.chosen(step)
        generator = generator_for(CPU, recipe.seed, step, 0)
        zoom, draws = torch.rand(2, 2, generator=generator), torch.rand(recipe.batch, 6, generator=generator)
        sides = torch.tensor([width, height])
        part = (sides * (1 + 2 * recipe.jitter * (zoom[0] - zoom[1]))).round()
        starts = ((sides - part) / 2 + (2 * draws[:, :2] - 1) * recipe.jitter * sides).round()
        edges = torch.cat([starts, starts + part], dim=1).int()
        mirrored = draws[:, 2] < (0.5 if recipe.flip else 0)
        factors = (1 + recipe.colour) ** (2 * draws[:, 3:] - 1) / 255
        views = zip(chosen, edges.tolist(), mirrored.tolist(), strict=True)
        parts = torch.cat([_part(self.images[number : number + 1], edge, mirror) for number, edge, mirror in views])
        pixels = _resized(parts, self.size).permute(0, 2, 3, 1)
        # whole rows: a factor for each of three neighbouring numbers would take three times as long
        pixels.view(recipe.batch, height, 3 * width).mul_(factors.repeat(1, width)[:, None].to(device))
        images = pixels.permute(0, 3, 1, 2)
        objects = Objects(*(values[chosen] for values in self.objects))
        return ImagesWithObjects(images, seen_through(objects, edges.to(device), mirrored.to(device), self.size))

    def images_of(self, step: int) -> list[str]:
        """Ids of the images in the batch of a step."""
        return [self.ids[number] for number in self.chosen(step)]


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


# ------------------------------------------------------------------------------------------------ the loss


class Slots(NamedTuple):
    """The anchors of all heads, and where their boxes are among the N that ``decode`` makes of a network's maps.

    The box of anchor a in a cell is number ``first[a] + (row * columns[a] + column) * stride[a]``.

    Attributes:
        anchors: float32 (A, 2), width and height in pixels.
        rows, columns: int64 (A,), cells of the anchor's map.
        first, stride: int64 (A,).
        boxes: N.
    """

    anchors: Tensor
    rows: Tensor
    columns: Tensor
    first: Tensor
    stride: Tensor
    boxes: int


def slots_of(maps: Sequence[Tensor], heads: Sequence[Head]) -> Slots:
    """Where the boxes of a network's raw maps are."""
    table, boxes = [], 0
    for raw, head in zip(maps, heads, strict=True):
        (height, width), each = raw.shape[2:], len(head.anchors)
        table += [(height, width, boxes + number, each) for number in range(each)]
        boxes += height * width * each
    anchors = maps[0].new_tensor([anchor for head in heads for anchor in head.anchors])
    rows, columns, first, stride = torch.tensor(table, device=anchors.device).T
    return Slots(anchors, rows, columns, first, stride, boxes)


class Assignment(NamedTuple):
    """The one box that answers for each object.

    Attributes:
        box: int64 (B, K), its number among the N.
        cell: float32 (B, K, 2), width and height of a cell of its map, in pixels.
    """

    box: Tensor
    cell: Tensor


def assign(boxes: Tensor, slots: Slots, size: tuple[int, int]) -> Assignment:
    """Choose the anchor whose shape overlaps the object's most, in the cell that holds its centre.

    Args:
        boxes: float (B, K, 4), as in :class:`Objects`.
        slots: of the network.
        size: height and width of its input.

    Source: Redmon & Farhadi 2018, sections 2.1 and 2.3: one box for each object, over the anchors of all heads.
    """
    extents = boxes[..., None, 2:]
    common = torch.minimum(extents, slots.anchors).prod(dim=-1)
    anchor = (common / (extents.prod(dim=-1) + slots.anchors.prod(dim=-1) - common)).argmax(dim=-1)
    rows, columns = slots.rows[anchor], slots.columns[anchor]
    cell = torch.stack([size[1] / columns, size[0] / rows], dim=-1)
    column, row = (boxes[..., :2] / cell).long().unbind(dim=-1)
    inside = torch.minimum(row, rows - 1) * columns + torch.minimum(column, columns - 1)
    return Assignment(slots.first[anchor] + inside * slots.stride[anchor], cell)


def overlaps(boxes: Tensor, objects: Tensor) -> Tensor:
    """IoU of each of N boxes with each of K objects of the same image: (B, N, 4), (B, K, 4) -> (B, N, K)."""
    boxes, objects = boxes[:, :, None], objects[:, None]
    starts = torch.maximum(*(each[..., :2] - each[..., 2:] / 2 for each in (boxes, objects)))
    ends = torch.minimum(*(each[..., :2] + each[..., 2:] / 2 for each in (boxes, objects)))
    common = (ends - starts).clamp(min=0).prod(dim=-1)
    return common / (boxes[..., 2:].prod(dim=-1) + objects[..., 2:].prod(dim=-1) - common)


def yolo_loss(
    maps: Sequence[Tensor], heads: Sequence[Head], size: tuple[int, int], objects: Objects
) -> dict[str, Tensor]:
    """The three parts of YOLOv3's loss (Redmon & Farhadi 2018, sections 2.1 and 2.2), summed over a mean image.

    * ``box``: squared error of the centre, in cells, and of the logarithm of width and height, of the objects' boxes.
      (Losses on the IoU, as generalised or complete IoU, do not learn better in a few hundred steps: measured on the
      miniature.)
    * ``objectness``: binary cross-entropy of all boxes: 1 for the objects' own, 0 for others, but for those that
      overlap an object by more than 0.5.
    * ``class``: binary cross-entropy of each class, of the objects' boxes.

    Args:
        maps: raw maps of B images, as :meth:`evaluators.detection.darknet.network.Darknet.forward` returns them.
        heads: of the network.
        size: height and width of its input.
        objects: of the B images.
    """
    slots, count, present = slots_of(maps, heads), len(objects.boxes), objects.present
    flat = [raw.permute(0, 2, 3, 1).reshape(count, -1, 5 + heads[0].classes) for raw in maps]  # in decode's order
    logits = torch.cat(flat, dim=1)[..., 4:]
    boxes, *_ = decode(maps, heads, size)
    own, cell = assign(objects.boxes, slots, size)
    with torch.no_grad():
        near = ((overlaps(boxes, objects.boxes) > IGNORED_OVERLAP) & present[:, None]).any(dim=2)
        # objects that are not there fall on one box more than there are
        target = logits.new_zeros(count, slots.boxes + 1).scatter_(1, own.where(present, slots.boxes), 1.0)[:, :-1]
    surprise = F.binary_cross_entropy_with_logits(logits[..., 0], target, reduction="none")
    found = boxes.gather(1, own[..., None].expand(-1, -1, 4))
    error = torch.cat(
        [(found[..., :2] - objects.boxes[..., :2]) / cell, (found[..., 2:] / objects.boxes[..., 2:]).log()], dim=2
    )
    guesses = logits[..., 1:].gather(1, own[..., None].expand(-1, -1, heads[0].classes))
    answers = F.one_hot(objects.classes, heads[0].classes).to(guesses.dtype)
    missed = F.binary_cross_entropy_with_logits(guesses, answers, reduction="none")
    return {
        "box": (error.square().sum(dim=2) * present).sum() / count,
        "objectness": (surprise * ((target > 0) | ~near)).sum() / count,
        "class": (missed.sum(dim=2) * present).sum() / count,
    }


# ------------------------------------------------------------------------------------------------ training


def initialise_darknet(network: Darknet, seed: int) -> None:
    """Draw a network's first weights: Kaiming-normal (He et al. 2015); what feeds the heads is small.

    There the objectness starts from :data:`PRIOR` (Lin et al., "Focal Loss", 2017, section 3.3): from 0.5, as Darknet
    does, hundreds of steps only teach that nearly all boxes are empty.
    """
    generator = generator_for(CPU, seed)
    for layer, following in pairwise(network.layers):
        convolution = getattr(layer, "convolution", None)
        if convolution is None:
            continue
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
        if isinstance(following, Yolo) and convolution.bias is not None:
            nn.init.normal_(convolution.weight, std=0.01, generator=generator)
            nn.init.constant_(convolution.bias.view(len(following.head.anchors), -1)[:, 4], math.log(PRIOR))
        else:
            nn.init.kaiming_normal_(convolution.weight, a=0.1, generator=generator)


def train_detector(samples: "COCO", settings: "DetectionSettings", run: Run) -> None:
    """Train a YOLOv3-type detector on clean images.

    The safetensors file has the recipe and hashes of cfg and images in its metadata. The learning curve has the loss
    and its three parts, as :func:`yolo_loss` names them.

    Args:
        samples: images of COCO; class i of the network is the i-th of its ascending category ids.
        settings: of the benchmark; its detector has ``train``.
        run: where files lie.

    Raises:
        UsaidError: a cfg that cannot be read or has another number of classes, images that cannot be learnt from, or
            as :func:`usaid.training.loop.fit`.
    """
    recipe, device, category_ids = settings.detector.train, run.device, sorted(samples.categories)
    assert recipe is not None
    sections = read_cfg(settings.detector.cfg(run.data_root))
    network = Darknet(sections)
    if network.classes != len(category_ids):
        raise UsaidError(
            f"{network.cfg}: has {network.classes} classes, the data set {len(category_ids)} categories; "
            "correct 'classes' of each [yolo] and 'filters' of the layer before it"
        )
    batches = DetectionBatches(samples, category_ids, (network.height, network.width), recipe, device)
    initialise_darknet(network, recipe.seed)
    network.to(device).to(memory_format=torch.channels_last)
    task = Task(
        network,
        batches,
        detector_loss,
        torch.optim.AdamW(network.parameters(), weight_decay=recipe.weight_decay, fused=True),
        decayed(recipe.learning_rate, recipe.milestones, recipe.steps),
        recipe.steps,
    )
    depends_on = {
        "cfg": Path(network.cfg).name,
        "cfg_sha256": _hash_of(sections),
        "category_ids": category_ids,
        **recipe.model_dump(mode="json"),
        "images_sha256": batches.sha256,
    }
    train(task, run, depends_on, n_images=len(batches.ids))


def detector_loss(network: nn.Module, batch: ImagesWithObjects) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a :class:`Darknet` (in training mode) on a batch, and its three parts."""
    assert isinstance(network, Darknet)
    parts = yolo_loss(network(batch.images), network.heads, (network.height, network.width), batch.objects)
    return torch.stack([*parts.values()]).sum(), parts


def _hash_of(sections: Sequence[Section]) -> str:
    """Hash of what a cfg says, whatever its comments and spaces."""
    said = [(section.kind, sorted(section.options.items())) for section in sections]
    return hashlib.sha256(repr(said).encode()).hexdigest()
