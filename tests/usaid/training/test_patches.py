"""Patches: what is cut out of the images, and which label maps can go with them."""

import numpy as np
import pytest
import torch

from usaid.datasets.base import Sample
from usaid.errors import UsaidError
from usaid.training.patches import PatchSampler, labelled_images

CPU = torch.device("cpu")


def pictures(count: int = 3, side: int = 20) -> list[tuple[str, np.ndarray]]:
    """Random images of different sizes."""
    generator = np.random.default_rng(0)
    sizes = [(side + 3 * index, side + 6 - 2 * index, 3) for index in range(count)]
    return [(f"image{index}", generator.integers(0, 256, size, dtype=np.uint8)) for index, size in enumerate(sizes)]


# Patches


def test_patches_are_the_images_slices():
    images, patch = pictures(), 16
    sampler = PatchSampler(images, patch, CPU)
    slices = [
        image[row : row + patch, column : column + patch]
        for _, image in images
        for row in range(image.shape[0] - patch + 1)
        for column in range(image.shape[1] - patch + 1)
    ]
    expected = torch.from_numpy(np.stack(slices)).permute(0, 3, 1, 2)
    positions = torch.arange(sampler.positions)
    assert sampler.positions == len(slices)
    assert torch.equal(sampler.gather(positions, torch.zeros(len(slices), dtype=torch.bool)), expected)
    assert torch.equal(sampler.gather(positions, torch.ones(len(slices), dtype=torch.bool)), expected.flip(3))
    assert sampler.gather(positions[:2], positions[:2] > 0).is_contiguous(memory_format=torch.channels_last)


def test_hash_of_images_sees_ids_sizes_and_pixels():
    images = pictures()
    renamed = [("other", images[0][1]), *images[1:]]
    turned = [(images[0][0], images[0][1].reshape(26, 20, 3)), *images[1:]]
    changed = [(images[0][0], images[0][1] ^ 1), *images[1:]]
    hashes = [PatchSampler(each, 16, CPU).sha256 for each in (images, renamed, turned, changed)]
    assert len(set(hashes)) == 4
    assert PatchSampler(pictures(), 8, CPU).sha256 == hashes[0]


def test_image_smaller_than_a_patch_is_named():
    with pytest.raises(UsaidError, match=r"image 'image2' is 22x26: smaller than 'patch' = 24"):
        PatchSampler(pictures()[2:], 24, CPU)


def test_no_images_are_refused():
    with pytest.raises(UsaidError, match="no images to train on"):
        PatchSampler([], 24, CPU)


def test_positions_name_their_images_once_and_in_order():
    sampler = PatchSampler(pictures(), 16, CPU)
    first = sampler.first_position
    assert sampler.images_of(torch.stack([first[2], first[0], first[2] + 1, first[1] - 1])) == ["image2", "image0"]
    assert sampler.images_of(first[1:2]) == ["image1"]


def test_a_thousandth_of_each_images_positions_is_drawn_without_repeats():
    sampler = PatchSampler(pictures(3, side=150), 48, CPU)
    drawn = sampler.some_of_each_image(0.001, seed=0)
    ends = [*sampler.first_position.tolist()[1:], sampler.positions]
    counts = [end - start for start, end in zip(sampler.first_position.tolist(), ends, strict=True)]
    assert counts == [103 * 109, 106 * 107, 109 * 105]
    found = torch.bincount(torch.searchsorted(sampler.first_position, drawn, right=True) - 1)
    assert found.tolist() == [11, 11, 11]
    assert len(drawn.unique()) == len(drawn)
    assert not torch.equal(drawn, sampler.some_of_each_image(0.001, seed=1))


def test_an_image_gives_one_patch_at_least_and_all_it_has_at_most():
    sampler = PatchSampler([("only", np.zeros((16, 18, 3), np.uint8)), *pictures()], 16, CPU)
    assert sampler.first_position.tolist() == [0, 3, 58, 130]
    assert len(sampler.some_of_each_image(0.001, seed=0)) == 4
    drawn = sampler.some_of_each_image(60, seed=0)
    assert drawn[:3].sort().values.tolist() == [0, 1, 2], "3 positions, all of them"
    assert drawn[3:58].sort().values.tolist() == list(range(3, 58)), "55 positions, all of them"
    assert len(drawn) == 3 + 55 + 60 + 60


# Label maps


@pytest.mark.parametrize("target", [None, 7, np.zeros((20, 27), np.uint8), np.zeros((20, 26, 3), np.uint8)])
def test_image_without_a_label_map_is_named_with_the_cure(target):
    image_id, image = pictures()[0]
    with pytest.raises(UsaidError) as error:
        list(labelled_images([Sample(image_id, image, target)], 21))
    cure = "which this training needs; name labelled images (voc2012/train)"
    assert str(error.value) == f"image 'image0' has no label map, {cure}"
    with pytest.raises(UsaidError, match=r"^image 'image0' has no label map, which mine needs; train yours$"):
        list(labelled_images([Sample(image_id, image, target)], 21, without="which mine needs; train yours"))


def test_labels_have_to_be_below_the_number_of_classes():
    image_id, image = pictures()[0]
    labels = np.full(image.shape[:2], 255, np.uint8)
    list(labelled_images([Sample(image_id, image, labels)], 21))
    labels[3, 4] = 20
    list(labelled_images([Sample(image_id, image, labels)], 21))
    with pytest.raises(UsaidError, match=r"^image 'image0' has label 20; 'classes' = 20 is too small for it$"):
        list(labelled_images([Sample(image_id, image, labels)], 20))
