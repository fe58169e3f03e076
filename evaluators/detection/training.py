"""Training of YOLOv3-type detectors that judge denoised images, on clean images (Table IX)."""

import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.detection.batches import CPU, DetectionBatches, ImagesWithObjects, Objects
from evaluators.detection.darknet.cfg import Section, read_cfg
from evaluators.detection.darknet.layers import Head, Yolo
from evaluators.detection.darknet.network import Darknet, decode
from usaid.errors import UsaidError
from usaid.training.loop import Run, Task, decayed, generator_for, train

if TYPE_CHECKING:
    from evaluators.detection.settings import DetectionSettings
    from usaid.datasets.coco import COCO

IGNORED_OVERLAP = 0.5
"""A box that overlaps an object by more than this IoU need not know that it is not the object's own."""
PRIOR = 0.02
"""Objectness that every box starts from."""


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
