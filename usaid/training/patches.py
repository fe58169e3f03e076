"""Patches cut out of images, and of their label maps, which stay decoded on the device."""

import hashlib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from usaid.datasets.base import Sample
from usaid.errors import UsaidError

NO_LABEL = 255
"""Value of a pixel without a label: borders of objects and what no annotator could tell (VOC's void)."""


class PatchSampler:
    """Square patches from images of any sizes, all of which stay decoded on the device.

    The pixels of all images lie one after the other in a single buffer, and a patch is a matter of index arithmetic, so
    a batch takes no loop over images and no trip to the host. Positions are numbered through: those of the first image
    row by row, then those of the next.

    Attributes:
        ids: of the images.
        counts: int64 (images,), positions of each image; on the host.
        first_position: int64 (images,), number of each image's top left position.
        positions: how many there are in all.
        sha256: hash of the images' ids, sizes and pixels.
    """

    def __init__(
        self, images: Iterable[tuple[str, np.ndarray]], patch: int, device: torch.device, key: str = "patch"
    ) -> None:
        """Load the images.

        Args:
            images: (id, uint8 (H, W, C)), with the same C for all.
            patch: side of the patches in pixels.
            device: where pixels and patches live.
            key: what a recipe calls ``patch``, for errors.

        Raises:
            UsaidError: no image, or one that is smaller than a patch (names its id).
        """
        arrays, ids = [], []
        digest = hashlib.sha256()
        for image_id, image in images:
            height, width = image.shape[:2]
            if min(height, width) < patch:
                raise UsaidError(
                    f"image {image_id!r} is {width}x{height}: smaller than {key!r} = {patch}; leave it out"
                )
            digest.update(f"{image_id} {image.shape} ".encode())
            digest.update(np.ascontiguousarray(image).data)
            arrays.append(image)
            ids.append(image_id)
        if not arrays:
            raise UsaidError("no images to train on; correct the data set's split or list of ids")
        self.ids = tuple(ids)
        self.sha256 = digest.hexdigest()
        sizes = np.array([array.shape[:2] for array in arrays], np.int64)
        self.counts, pixels = (sizes - patch + 1).prod(axis=1), sizes.prod(axis=1)
        self.positions = int(self.counts.sum())
        self.widths = torch.tensor(sizes[:, 1], device=device)
        self.first_position = torch.tensor(self.counts.cumsum() - self.counts, device=device)
        self.first_pixel = torch.tensor(pixels.cumsum() - pixels, device=device)
        self.offsets = torch.arange(patch, device=device)
        self.pixels = torch.from_numpy(np.concatenate([a.reshape(-1, a.shape[2]) for a in arrays])).to(device)

    def gather(self, positions: Tensor, flipped: Tensor) -> Tensor:
        """Cut out patches.

        Args:
            positions: int64 (B,), numbers of top left corners.
            flipped: bool (B,), which patches to mirror left to right.

        Returns:
            uint8 (B, C, patch, patch) in channels-last memory format.
        """
        image = torch.searchsorted(self.first_position, positions, right=True) - 1
        width = self.widths[image]
        within = positions - self.first_position[image]
        columns = width - len(self.offsets) + 1
        corner = self.first_pixel[image] + within // columns * width + within % columns
        down = self.offsets * width[:, None]
        across = torch.where(flipped[:, None], self.offsets.flip(0), self.offsets)
        return self.pixels[corner[:, None, None] + down[:, :, None] + across[:, None, :]].permute(0, 3, 1, 2)

    def images_of(self, positions: Tensor) -> list[str]:
        """Ids of the images that positions lie in, each once, in order."""
        indices = torch.searchsorted(self.first_position, positions, right=True) - 1
        return list(dict.fromkeys(self.ids[index] for index in indices.tolist()))

    def some_of_each_image(self, per_image: float, seed: int) -> Tensor:
        """Positions drawn from each image, none twice.

        Args:
            per_image: how many (all, if an image has fewer); below 1: this fraction of its positions, at least one.
            seed: of the draw.

        Returns:
            int64 (number,), in order of the images.
        """
        generator = np.random.default_rng(seed)
        first, counts = self.counts.cumsum() - self.counts, self.counts
        wanted = np.round(per_image * counts) if per_image < 1 else np.full_like(counts, per_image)
        wanted = wanted.clip(1, counts).astype(int)
        drawn = [
            start + generator.choice(count, size, replace=False)
            for start, count, size in zip(first, counts, wanted, strict=True)
        ]
        return torch.from_numpy(np.concatenate(drawn)).to(self.first_position.device)


def labelled_images(
    samples: Iterable[Sample],
    classes: int,
    without: str = "which this training needs; name labelled images (voc2012/train)",
) -> Iterable[tuple[str, np.ndarray]]:
    """Images with their label map as a fourth channel, so that both are cut, and mirrored, alike.

    Args:
        samples: their targets are uint8 (H, W) label maps; 255 marks pixels without a label.
        classes: labels have to be below it.
        without: ends the error about an image without a label map: who needs it, and the cure.

    Yields:
        (id, uint8 (H, W, 4)).

    Raises:
        UsaidError: a target is no label map, or has a label from ``classes`` on.
    """
    for sample in samples:
        labels = sample.target
        if not isinstance(labels, np.ndarray) or labels.shape != sample.image.shape[:2]:
            raise UsaidError(f"image {sample.id!r} has no label map, {without}")
        if (highest := int(labels[labels != NO_LABEL].max(initial=0))) >= classes:
            raise UsaidError(f"image {sample.id!r} has label {highest}; 'classes' = {classes} is too small for it")
        yield sample.id, np.dstack([sample.image, labels.astype(np.uint8)])
