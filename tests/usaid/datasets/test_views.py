"""What is made of images and targets before noise is added."""

from typing import Any

import numpy as np
import pytest
from kinds.readers import HEIGHT, WIDTH, picture

from evaluators.detection.darknet.network import place
from usaid.datasets.base import Sample, View
from usaid.datasets.coco import Instance
from usaid.datasets.views import Letterboxed, LetterboxResampling, Resized, Shrunk, letterboxed
from usaid.errors import UsaidError
from usaid.tensors import to_unit_range

BOX = Instance(18, (2.0, 1.0, 4.0, 3.0), iscrowd=False, area=10.0)


def with_labels(image: np.ndarray) -> Sample:
    labels = np.zeros(image.shape[:2], np.uint8)
    labels[:, image.shape[1] // 2 :] = 3
    return Sample("1", image, labels)


def natural(height: int, width: int) -> np.ndarray:
    """Noise that is a little smooth, uint8 (height, width, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(float)
    return ((noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / 3).astype(np.uint8)


def test_images_are_made_smaller_with_their_label_maps() -> None:
    sample = with_labels(picture())
    small = Shrunk(WIDTH // 2)(sample)
    assert small.id == "1"
    assert small.image.shape == (HEIGHT // 2, WIDTH // 2, 3)
    assert small.image.dtype == small.target.dtype == np.uint8
    assert small.target.tolist() == [[0, 0, 3, 3]] * (HEIGHT // 2)  # labels are never mixed
    assert abs(small.image.mean() - sample.image.mean()) < 8


@pytest.mark.parametrize("longest_side", [WIDTH, 1000])
def test_images_that_are_small_enough_stay_as_they_are(longest_side: int) -> None:
    sample = Sample("1", picture(), None)
    assert Shrunk(longest_side)(sample) is sample


def test_the_longer_side_counts() -> None:
    sample = with_labels(picture().transpose(1, 0, 2).copy())
    assert Shrunk(WIDTH // 2)(sample).image.shape == (WIDTH // 2, HEIGHT // 2, 3)


def test_images_are_resized_whatever_their_shape() -> None:
    seen = Resized(30, 50)(with_labels(picture()))
    assert (seen.image.shape, seen.target.shape) == ((50, 30, 3), (50, 30))
    assert set(np.unique(seen.target)) == {0, 3}


@pytest.mark.parametrize(
    ("view", "target", "message"),
    [
        (Shrunk(4), [1, 2], "image '1': only images with label maps can be resized; drop 'longest_side'"),
        (Resized(4, 4), [BOX], "image '1': only images with label maps can be resized; score them as stored"),
        (Letterboxed(4), np.zeros((4, 4)), "image '1': only images with boxes can be letterboxed; score them as"),
        (Letterboxed(4), [3], "image '1': only images with boxes can be letterboxed; score them as stored"),
    ],
)
def test_targets_have_to_follow_their_images(view: View, target: Any, message: str) -> None:
    with pytest.raises(UsaidError, match=message):
        view(Sample("1", picture(), target))


@pytest.mark.parametrize("shape", [(300, 500), (500, 333), (640, 640), (200, 151)])
def test_the_public_codes_letterbox_is_scikit_images(shape: tuple[int, int]) -> None:
    transform = pytest.importorskip("skimage.transform")
    image = natural(*shape)
    longer, (height, width) = max(shape), shape
    top, left = (longer - height) // 2, (longer - width) // 2
    padding = ((top, longer - height - top), (left, longer - width - left), (0, 0))
    square = np.pad(image, padding, constant_values=128).astype(float)
    expected = transform.resize(square, (416, 416), order=1, mode="edge", anti_aliasing=False, preserve_range=True)
    found, _ = letterboxed(image, 416, "pytorch_yolov3_2019")
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize("shape", [(300, 500), (500, 333), (640, 640), (50, 31)])
def test_darknets_letterbox_is_that_of_our_darknet(shape: tuple[int, int]) -> None:
    image = natural(*shape)
    fitted, placement = place(to_unit_range(image), 416, 416, letterbox=True)
    found, moved = letterboxed(image, 416, "darknet")
    assert np.abs(found - 255 * fitted[0].permute(1, 2, 0).numpy()).max() < 0.01
    assert (moved.left, moved.top) == (placement.left, placement.top)
    assert moved.scale_x == pytest.approx(placement.width / shape[1])
    assert moved.scale_y == pytest.approx(placement.height / shape[0])


@pytest.mark.parametrize("resampling", ["pytorch_yolov3_2019", "darknet"])
def test_boxes_move_with_their_pixels(resampling: LetterboxResampling) -> None:
    image = np.full((120, 200, 3), 255, np.uint8)
    image[40:80, 20:120] = 0
    seen = Letterboxed(100, resampling)(Sample("7", image, [Instance(18, (20.0, 40.0, 100.0, 40.0), False, 4000.0)]))
    assert (seen.image.shape, seen.image.dtype) == ((100, 100, 3), np.uint8)
    (moved,) = seen.target
    assert moved == Instance(18, (10.0, 40.0, 50.0, 20.0), False, 1000.0)
    rows, columns = np.nonzero((seen.image < 64).all(axis=2))
    assert (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1) == (10, 60, 40, 60)
    assert np.isin(seen.image[:20], [127, 128]).all()


def test_small_images_are_enlarged_and_those_of_the_right_size_stay() -> None:
    assert Letterboxed(64)(Sample("1", picture(), [])).image.shape == (64, 64, 3)
    square = natural(64, 64)
    assert np.array_equal(Letterboxed(64)(Sample("1", square, [])).image, square)


def test_views_say_what_they_do_and_are_equal_if_it_is_the_same() -> None:
    assert Letterboxed(416).record == {"kind": "letterboxed", "side": 416, "resampling": "pytorch_yolov3_2019"}
    assert Resized(500, 400).record == {"kind": "resized", "width": 500, "height": 400}
    assert {Shrunk(512), Shrunk(512)} == {Shrunk(512)} != {Shrunk(256)}
    assert [view.pixels(1e6) for view in (Letterboxed(416), Resized(500, 400), Shrunk(512))] == [
        416**2,
        200_000,
        0.75 * 512**2,
    ]
    assert Shrunk(512).pixels(100) == 100
