"""Archives of kept images, small and made up, for tests of what is drawn from them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from usaid.scores.kept_images import KeptImages, Picture, Seen, Window, write_kept

TITLES = {"clean": "Clean", "cdncnn_b": "CDnCNN-B", "s_said": "S-SAID", "u_said": "U-SAID"}
DEVIATION = "NIQE with the parameters of the LIVE release (niqe_live)"
CLASSES = ("background", *(f"class{number}" for number in range(1, 15)), "person")
PERSON = 15


def noise(seed: int, size: tuple[int, int]) -> np.ndarray:
    """An image of a width and height whose pixels are all different."""
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def labels_of(size: tuple[int, int]) -> np.ndarray:
    """A label map: background, a person in the middle, void around it."""
    width, height = size
    labels = np.zeros((height, width), np.uint8)
    labels[height // 8 : -height // 8, width // 8 : -width // 8] = 255
    labels[height // 6 : -height // 6, width // 6 : -width // 6] = PERSON
    return labels


def picture(benchmark: str, image_id: str, sigma: float, size: tuple[int, int], **changes: Any) -> Picture:
    """A whole image; ``seed`` among the changes says which."""
    pixels = changes.pop("pixels", None)
    pixels = noise(changes.pop("seed", 0), size) if pixels is None else pixels
    return replace(Picture(benchmark, image_id, sigma, ("first",), size, Window(0, 0, *size), pixels), **changes)


def kodak_pictures(name: str, images: Mapping[float, str], size: tuple[int, int]) -> list[Picture]:
    """Of Kodak, a denoiser's or the clean ones."""
    seed = [*TITLES].index(name)
    scores = {"psnr_rgb_float": float("inf") if name == "clean" else 30 + seed / 8, "niqe_live": 3 + seed / 16}
    return [
        picture("kodak_quality", image_id, sigma, size, seed=seed * 100 + int(sigma), scores=scores)
        for sigma, image_id in images.items()
    ]


def voc_pictures(name: str, images: Mapping[float, str], size: tuple[int, int]) -> list[Picture]:
    """Of VOC, with label maps."""
    seed = [*TITLES].index(name)
    seen = Seen(labels=np.roll(labels_of(size), seed, axis=1), classes=CLASSES)
    truth = Seen(labels=labels_of(size), classes=CLASSES) if name == "clean" else None
    return [
        picture("voc_segmentation", image_id, sigma, size, scores={"miou_per_image": 0.5 + seed / 16}, seen=seen)
        if truth is None
        else picture("voc_segmentation", image_id, sigma, size, seed=7, seen=seen, truth=truth)
        for sigma, image_id in images.items()
    ]


def write_archive(folder: Path, name: str, pictures: list[Picture], **changes: Any) -> Path:
    """An archive of a denoiser; its path."""
    provenance = {"deviations": {"kodak_quality": [DEVIATION]}}
    kept = replace(KeptImages(name, TITLES.get(name, name), provenance, tuple(pictures)), **changes)
    path = folder / f"{name}.zip"
    write_kept(path, kept)
    return path
