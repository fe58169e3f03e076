"""Denoise image files with a denoiser: what `usaid denoise` does."""

from pathlib import Path

from tqdm import tqdm

from usaid.denoisers.base import Denoiser, checked_facts, checked_told_sigma
from usaid.denoisers.contract import denoised
from usaid.errors import UsaidError
from usaid.images import IMAGE_SUFFIXES, read_rgb, write_png
from usaid.noise import checked_sigma, gaussian_noise
from usaid.tensors import to_uint8, to_unit_range


def denoise_files(
    denoiser: Denoiser,
    source: Path,
    destination: Path,
    told_sigma: float | None = None,
    added_sigma: float | None = None,
) -> list[Path]:
    """Denoise one image file to a PNG file, or every image of a folder to a folder of PNGs of the same names.

    Args:
        denoiser: what denoises.
        source: image file or folder (not searched recursively).
        destination: PNG file for a file (or an existing folder), folder for a folder.
        told_sigma: noise level that a non-blind method is told, 0-255 scale.
        added_sigma: first add Gaussian noise of this level, 0-255 scale, and write it as ``<name>.noisy.png`` too.

    Returns:
        The denoised files.

    Raises:
        UsaidError: nothing there, a folder without images, an image that does not decode, a negative sigma, a told
            sigma that is not above 0, a non-blind method that is not told any, or a denoised image that is none
            (names denoiser and image file; nothing is written for it).
    """
    if added_sigma is not None:
        checked_sigma(added_sigma)
    facts = checked_facts(denoiser)
    if told_sigma is None and not facts.blind:
        if added_sigma is None:
            raise UsaidError(f"{facts.title} is not blind: give --told-sigma")
        told_sigma = added_sigma
    if told_sigma is not None:
        checked_told_sigma(told_sigma)
    jobs = find_images(source, destination)
    with tqdm(jobs, unit="image", disable=None) as progress:
        for image_path, output in progress:
            progress.set_postfix_str(image_path.name)
            _denoise_file(denoiser, image_path, output, told_sigma, added_sigma)
    return [output for _, output in jobs]


def _denoise_file(
    denoiser: Denoiser, image_path: Path, output: Path, told_sigma: float | None, added_sigma: float | None
) -> None:
    image = to_unit_range(read_rgb(image_path))
    if added_sigma is not None:
        image += gaussian_noise("denoise", image_path.stem, added_sigma, 0, *image.shape[2:])
    noisy = to_uint8(image)[0]  # before a denoiser can change the image
    try:
        result = denoised(denoiser.facts.title, denoiser, image.to(denoiser.device), told_sigma)
    except UsaidError as error:
        raise UsaidError(f"{image_path}: {error}") from None
    if added_sigma is not None:
        write_png(output.with_suffix(".noisy.png"), noisy)
    write_png(output, to_uint8(result)[0])


def find_images(source: Path, destination: Path) -> list[tuple[Path, Path]]:
    """Pairs of (image file, PNG to write).

    Raises:
        UsaidError: ``source`` is missing or holds no image, or two images would be written to one PNG.
    """
    if source.is_dir():
        images = sorted(p for p in source.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not images:
            raise UsaidError(f"{source}: no image in this folder; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
        if destination.is_file():
            raise UsaidError(f"{destination}: is a file; give a folder for the images of {source}")
        if len({image.stem for image in images}) < len(images):
            raise UsaidError(f"{source}: two images differ by suffix only and would become one PNG; rename one")
        return [(image, destination / f"{image.stem}.png") for image in images]
    if not source.is_file():
        raise UsaidError(f"{source}: no such file or folder")
    if destination.is_dir():
        return [(source, destination / f"{source.stem}.png")]
    if destination.suffix.lower() != ".png":
        raise UsaidError(f"{destination}: the result is written as PNG; give a name that ends in .png, or a folder")
    return [(source, destination)]
