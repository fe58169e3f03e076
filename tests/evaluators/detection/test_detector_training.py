"""Training of detectors: which box answers for an object, the loss, augmentation that moves boxes, whole trainings."""

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from evaluators.detection.batches import DetectionBatches, Objects
from evaluators.detection.darknet.cfg import read_cfg
from evaluators.detection.darknet.layers import Head
from evaluators.detection.darknet.network import Darknet, decode, load_darknet
from evaluators.detection.settings import DetectionSettings, DetectorRecipe
from evaluators.detection.training import (
    PRIOR,
    assign,
    initialise_darknet,
    overlaps,
    slots_of,
    train_detector,
    yolo_loss,
)
from usaid.checkpoints import stored_record
from usaid.datasets.base import Sample
from usaid.datasets.coco import Instance
from usaid.errors import UsaidError
from usaid.tensors import to_unit_range
from usaid.training.loop import Run

CPU = torch.device("cpu")
SIZE = (64, 96)
HEADS = (Head(((40.0, 40.0),), 2, 1.0), Head(((8.0, 8.0), (16.0, 12.0)), 2, 1.2))
COARSE_BOXES = 4 * 6
CATEGORIES = (3, 90)
COLOURS = ((255, 40, 40), (40, 255, 40))
TINY = """[net]
width=64
height=48
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=32
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=32
size=3
pad=1
activation=leaky
[convolutional]
filters=14
size=1
activation=linear
[yolo]
mask=0,1
anchors=12,12, 24,20
classes=2
"""


def empty_maps(value: float = 0.0) -> list[torch.Tensor]:
    return [torch.full((1, 7, 4, 6), value), torch.full((1, 14, 8, 12), value)]


def objects_of(*rows: tuple[float, float, float, float, int]) -> Objects:
    """Objects of one image: centre, size and class of each."""
    table = torch.tensor([rows])
    return Objects(table[..., :4], table[..., 4].long(), torch.ones(1, len(rows), dtype=torch.bool))


ONE = objects_of((48.2, 20.0, 15.0, 11.0, 1))
OWN = (0, slice(7, 14), 2, 6)
"""Where the maps of the finer head predict the one object: in image 0, by anchor 1, in row 2 and column 6."""


# Which box answers for an object


def test_an_object_belongs_to_the_anchor_of_its_shape_and_the_cell_of_its_centre():
    """15x11 is nearest to the anchor 16x12, number 1 of the finer head, whose cells have 8 pixels."""
    own, cell = assign(ONE.boxes, slots_of(empty_maps(), HEADS), SIZE)
    assert own.tolist() == [[COARSE_BOXES + (2 * 12 + 6) * 2 + 1]]
    assert cell.tolist() == [[[8, 8]]]
    boxes, *_ = decode(empty_maps(), HEADS, SIZE)
    assert boxes[0, own.item()].tolist() == [52, 20, 16, 12]


def test_large_objects_belong_to_the_coarse_head_also_at_the_border():
    large = objects_of((96.0, 64.0, 30.0, 50.0, 0), (0.0, 0.0, 44.0, 30.0, 0))
    own, cell = assign(large.boxes, slots_of(empty_maps(), HEADS), SIZE)
    assert own.tolist() == [[3 * 6 + 5, 0]]
    assert cell.tolist() == [[[16, 16], [16, 16]]]


def test_every_anchor_of_every_cell_is_its_own_slot():
    boxes, *_ = decode(empty_maps(), HEADS, SIZE)
    objects = boxes.clone()
    found, _ = assign(objects, slots_of(empty_maps(), HEADS), SIZE)
    assert found[0].tolist() == list(range(boxes.shape[1]))


def test_overlaps_of_hand_worked_boxes():
    boxes = torch.tensor([[[5.0, 5, 10, 10], [10, 5, 10, 10], [50, 50, 4, 4]]])
    expected = torch.tensor([[[1.0], [1 / 3], [0.0]]])
    torch.testing.assert_close(overlaps(boxes, boxes[:, :1]), expected)


# The loss


def perfect_maps() -> list[torch.Tensor]:
    """Maps that say just that there is ``ONE``."""
    maps = empty_maps()
    maps[0][:, 4] = maps[1][:, 4] = maps[1][:, 11] = -30
    x = (48.2 / 8 - 6 + 0.1) / 1.2  # scale_x_y stretches the offset by 1.2 around 0.5
    maps[1][OWN] = torch.tensor([math.log(x / (1 - x)), 0, math.log(15 / 16), math.log(11 / 12), 30, -30, 30])
    return maps


def test_a_perfect_prediction_has_no_loss():
    parts = yolo_loss(perfect_maps(), HEADS, SIZE, ONE)
    assert set(parts) == {"box", "objectness", "class"}
    for name, part in parts.items():
        assert part < 1e-5, name


def test_loss_of_a_hand_worked_prediction():
    """All logits 0: each of the 24 + 192 boxes has objectness 1/2, the object's own is at (52, 20) with 16x12."""
    parts = yolo_loss(empty_maps(), HEADS, SIZE, ONE)
    expected_box = (3.8 / 8) ** 2 + math.log(16 / 15) ** 2 + math.log(12 / 11) ** 2
    assert float(parts["box"]) == pytest.approx(expected_box, rel=1e-5)
    assert float(parts["class"]) == pytest.approx(2 * math.log(2), rel=1e-5)
    boxes, *_ = decode(empty_maps(), HEADS, SIZE)
    near = int((overlaps(boxes, ONE.boxes) > 0.5).sum())
    assert near == 2  # the own one, and its left neighbour at (44, 20)
    assert float(parts["objectness"]) == pytest.approx((24 + 192 - 1) * math.log(2), rel=1e-5)


def test_gradients_point_to_the_object():
    maps = [raw.requires_grad_() for raw in empty_maps()]
    sum(yolo_loss(maps, HEADS, SIZE, ONE).values()).backward()
    own = maps[1].grad[OWN]
    assert own[0] > 0  # the centre has to go left: 48.2, not 52
    assert own[2:4].gt(0).all()  # and the box has to shrink
    assert own[4] == pytest.approx(-0.5)
    assert own[5:].tolist() == [0.5, -0.5]
    assert maps[1].grad[0, 11, 2, 5] == 0  # overlaps by more than 0.5: may know of the object
    assert maps[1].grad[0, 11, 0, 0] == pytest.approx(0.5)
    elsewhere = maps[1].grad.clone()
    elsewhere[OWN] = 0
    elsewhere[:, [4, 11]] = 0
    assert not elsewhere.any()  # boxes and classes are learnt from objects alone
    assert maps[0].grad[:, 4].eq(0.5).all()


def test_loss_is_of_a_mean_image_and_absent_objects_do_not_count():
    torch.manual_seed(0)
    maps = [torch.randn_like(raw) for raw in empty_maps()]
    alone = yolo_loss(maps, HEADS, SIZE, ONE)
    twice = Objects(*(torch.cat([values, values]) for values in ONE))
    filler = Objects(torch.ones(2, 3, 4), torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3, dtype=torch.bool))
    padded = Objects(*(torch.cat(both, dim=1) for both in zip(twice, filler, strict=True)))
    both = yolo_loss([raw.repeat(2, 1, 1, 1) for raw in maps], HEADS, SIZE, padded)
    for name, part in alone.items():
        torch.testing.assert_close(both[name], part)


def test_boxes_start_empty():
    network = Darknet(read_cfg(TINY))
    initialise_darknet(network, seed=0)
    with torch.no_grad():
        _, objectness, _ = decode(network.eval()(torch.rand(2, 3, 48, 64)), network.heads, (48, 64))
    assert float(objectness.mean()) == pytest.approx(PRIOR, rel=0.3)


# Images and their boxes


def picture(number: int, box: tuple[int, int, int, int], label: int = 0, height: int = 48, width: int = 64) -> Sample:
    """A coloured rectangle before a dark ground."""
    image = np.full((height, width, 3), 50 + number % 5, np.uint8)
    x, y, w, h = box
    image[y : y + h, x : x + w] = COLOURS[label]
    instance = Instance(CATEGORIES[label], tuple(map(float, box)), iscrowd=False, area=float(w * h))
    return Sample(str(number), image, [instance])


def batches_of(samples: list[Sample], size: tuple[int, int] = (48, 64), **keys) -> DetectionBatches:
    return DetectionBatches(samples, CATEGORIES, size, DetectorRecipe(**keys), CPU)


def edges_of(image: torch.Tensor) -> list[int]:
    """Left, top, right and bottom edge of what is red."""
    red = image[0] - image[1] > 0.4
    rows, columns = red.any(dim=1).nonzero(), red.any(dim=0).nonzero()
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def test_boxes_move_with_the_pixels():
    batches = batches_of([picture(0, (36, 8, 20, 14)), picture(1, (6, 20, 16, 24))], batch=2, jitter=0.25, colour=0.1)
    seen, lefts = 0, []
    for step in range(1, 41):
        images, objects = batches(step)
        assert images.shape == (2, 3, 48, 64)
        for image, box, present in zip(images, objects.boxes[:, 0], objects.present[:, 0], strict=True):
            if present:
                found = [*(box[:2] - box[2:] / 2), *(box[:2] + box[2:] / 2)]
                assert [float(edge) for edge in found] == pytest.approx(edges_of(image), abs=1.1)
                seen += 1
                lefts.append(float(box[0]))
    assert seen > 60
    assert min(lefts) < 12
    assert max(lefts) > 52


def test_without_augmentation_images_stay_as_they_are():
    samples = [picture(number, (4 * number, 5, 20, 14)) for number in range(4)]
    batches = batches_of(samples, batch=4, jitter=0, colour=0, flip=False)
    images, objects = batches(1)
    for place, number in enumerate(batches.chosen(1)):
        torch.testing.assert_close(images[place], to_unit_range(samples[number].image)[0])
        assert objects.boxes[place].tolist() == [[4 * number + 10, 12, 20, 14]]


def test_images_of_other_sizes_are_fitted_with_their_boxes():
    """96x48 fits into 64x48 as 64x32, with 8 grey rows above and below."""
    batches = batches_of([picture(0, (30, 12, 36, 24), height=48, width=96)], batch=1, jitter=0, colour=0, flip=False)
    images, objects = batches(1)
    assert objects.boxes[0, 0].tolist() == pytest.approx([32, 24, 24, 16])
    assert edges_of(images[0]) == pytest.approx([20, 16, 44, 32], abs=1)
    assert images[0, :, :8].eq(128 / 255).all()


def test_every_epoch_shows_every_image_once_in_a_new_order():
    batches = batches_of([picture(number, (4, 5, 20, 14)) for number in range(9)], batch=3)
    epochs = [[name for step in (1, 2, 3) for name in batches.images_of(3 * epoch + step)] for epoch in (0, 1)]
    assert all(sorted(names) == [str(number) for number in range(9)] for names in epochs)
    assert epochs[0] != epochs[1]
    assert torch.equal(batches(4).images, batches(4).images)
    assert not torch.equal(batches(4).images, batches(1).images)


def test_crowds_and_boxes_without_extent_are_left_out():
    sample = picture(0, (4, 5, 20, 14))
    crowd = Instance(CATEGORIES[0], (0.0, 0.0, 64.0, 48.0), iscrowd=True, area=9.0)
    flat = Instance(CATEGORIES[1], (7.0, 7.0, 12.0, 0.0), iscrowd=False, area=0.0)
    bare = Sample("1", sample.image, [])
    batches = batches_of([Sample("0", sample.image, [crowd, flat, *sample.target]), bare], batch=2, jitter=0)
    assert batches.objects.present.sum(dim=1).tolist() == [1, 0]
    maps = [torch.zeros(2, 14, 6, 8)]
    heads = (Head(((12.0, 12.0), (24.0, 20.0)), 2, 1.0),)
    assert all(part.isfinite() for part in yolo_loss(maps, heads, (48, 64), batches(1).objects).values())


# Whole trainings

PAIR = [picture(0, (8, 6, 24, 20), 0), picture(1, (30, 22, 16, 16), 1)]
SHORT = {"batch": 2, "steps": 5, "jitter": 0.1}


class Photos(list[Sample]):
    """Samples with categories, as the reader of COCO has them."""

    categories: ClassVar[dict[int, str]] = {90: "toothbrush", 3: "car"}


def settings(cfg: str, **recipe: Any) -> DetectionSettings:
    """Of a benchmark whose detector is trained."""
    return DetectionSettings.model_validate(
        {"sigmas": [25], "detector": {"network": f"darknet:{cfg}", "train": recipe}}
    )


def trained(
    folder: Path,
    samples: list[Sample] = PAIR,
    name: str = "net",
    cfg: str = TINY,
    every: int | None = None,
    **recipe: Any,
) -> Path:
    """Weights of a training in a folder that holds the cfg too."""
    (folder / "tiny.cfg").write_text(cfg)
    weights = folder / f"{name}.safetensors"
    run = Run(weights, CPU, "demo", "coco_detection", data_root=folder, checkpoint_every=every)
    train_detector(Photos(samples), settings("tiny.cfg", **(recipe or SHORT)), run)
    return weights


def test_two_images_are_learnt(tmp_path):
    weights = trained(tmp_path, batch=2, steps=150, learning_rate=5e-3, jitter=0, flip=False)
    images = torch.cat([to_unit_range(sample.image) for sample in PAIR])
    for label, (found, sample) in enumerate(zip(load_darknet(TINY, weights)(images), PAIR, strict=True)):
        assert found.scores[0] > 0.5
        assert found.classes[0] == label
        pair = torch.stack([found.boxes[0], torch.tensor(sample.target[0].bbox)])
        pair[:, :2] += pair[:, 2:] / 2
        assert float(overlaps(pair[None, :1], pair[None, 1:])) > 0.7
    assert (tmp_path / "net.csv").read_text().startswith("step,learning_rate,loss,box,objectness,class\n")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["net.csv", "net.json", "net.safetensors", "tiny.cfg"]


def test_weights_and_provenance_say_how_they_came_to_be(tmp_path):
    records = []
    for name, cfg in (("a", TINY.replace("[yolo]", "# the head\n[yolo]")), ("b", TINY)):
        records.append(stored_record(trained(tmp_path, name=name, cfg=cfg)))
    assert (records[0]["cfg"], records[0]["n_images"], records[0]["steps"]) == ("tiny.cfg", 2, 5)
    assert records[0]["category_ids"] == list(CATEGORIES)
    assert records[0]["cfg_sha256"] == records[1]["cfg_sha256"]  # comments say nothing
    assert records[0]["images_sha256"] == batches_of(PAIR, batch=2).sha256
    assert records[0]["images_sha256"] != batches_of([PAIR[0], picture(1, (30, 22, 16, 16), 0)], batch=2).sha256
    assert json.loads((tmp_path / "a.json").read_text())["training"] == records[0]


def test_interrupted_training_writes_the_same_file(tmp_path, monkeypatch):
    whole = trained(tmp_path, name="whole", every=2)
    assemble = DetectionBatches.__call__

    def until_step_4(self, step):
        if step == 4:
            raise KeyboardInterrupt
        return assemble(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(DetectionBatches, "__call__", until_step_4)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path, name="interrupted", every=2)
    assert (tmp_path / "interrupted.checkpoint.pt").exists()
    assert trained(tmp_path, name="interrupted", every=2).read_bytes() == whole.read_bytes()


def test_bad_input_is_refused(tmp_path):
    bare = [Sample(sample.id, sample.image, []) for sample in PAIR]
    stranger = Sample("7", PAIR[0].image, [Instance(4, (1.0, 1.0, 9.0, 9.0), iscrowd=False, area=81.0)])
    three = TINY.replace("filters=14", "filters=16").replace("classes=2", "classes=3")
    cases = [
        (bare, TINY, "no image has an object to learn; correct the data set's split"),
        (PAIR[:1], TINY, "1 images, fewer than 'batch' = 2; lower it"),
        ([*PAIR, stranger], TINY, "image '7' has an object of category 4, which is no class"),
        (PAIR, three, f"{tmp_path}/tiny.cfg: has 3 classes, the data set 2 categories; correct 'classes'"),
    ]
    for samples, cfg, complaint in cases:
        with pytest.raises(UsaidError) as error:
            trained(tmp_path, samples, cfg=cfg)
        assert complaint in str(error.value)
        assert "\n" not in str(error.value)


def test_a_loss_that_is_not_finite_names_the_images(tmp_path):
    with pytest.raises(UsaidError, match=r"^demo: .* \(images [01], [01]\); lower 'learning_rate'"):
        trained(tmp_path, batch=2, steps=50, learning_rate=1e20)


def test_a_network_of_the_suite_is_trained_by_its_name(tmp_path):
    assert settings("miniature").detector.cfg(tmp_path) == "miniature"
    run = Run(tmp_path / "net.safetensors", CPU, "demo", "coco_detection", data_root=tmp_path)
    with pytest.raises(UsaidError, match=r"^miniature\.cfg: has \d+ classes, the data set 2 categories"):
        train_detector(Photos(PAIR), settings("miniature"), run)
