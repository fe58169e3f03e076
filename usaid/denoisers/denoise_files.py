"""Denoise image files with a denoiser: what `usaid denoise` does."""

import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from usaid.denoisers.base import Denoiser, checked_facts, checked_told_sigma
from usaid.denoisers.contract import denoised
from usaid.denoisers.pictures import Picture, is_ours, read_picture, write_picture
from usaid.errors import UsaidError
from usaid.noise import checked_sigma, gaussian_noise

IMAGE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""Which files of a folder are taken for images, in lower or upper case."""
LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey image (ITU-R BT.601)."""
NAMES_TOLD = 3


@dataclass
class Outcome:
    """What became of the files; as text, one line."""

    destination: Path
    written: list[Path] = field(default_factory=list)
    """The denoised images; those with added noise are not counted."""
    skipped: dict[str, list[str]] = field(default_factory=dict)
    """Names of the files of a folder that were passed over, by reason."""
    failed: list[str] = field(default_factory=list)
    """One line for each image that failed."""
    names_failed: list[str] = field(default_factory=list)
    grey_by_network: int = 0
    """Grey images that a network denoised: one trained on colour noise takes noise of equal channels for detail."""

    def __str__(self) -> str:
        parts = [f"{len(self.written)} image{'' if len(self.written) == 1 else 's'} written to {self.destination}"]
        if self.grey_by_network:
            parts[0] += f" ({self.grey_by_network} grey: a network trained on colour noise may leave their noise)"
        if self.skipped:
            count = sum(map(len, self.skipped.values()))
            parts.append(f"{count} skipped: {_reasons(self.skipped)}")
        if self.failed:
            parts.append(f"{len(self.failed)} failed: {_some(self.names_failed)} (why is said above)")
        return ", ".join(parts)


def _reasons(skipped: dict[str, list[str]]) -> str:
    return "; ".join(f"{reason} ({_some(names)})" for reason, names in skipped.items())


def _some(names: list[str]) -> str:
    more = len(names) - NAMES_TOLD
    return ", ".join(names[:NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def denoise_files(
    denoiser: Denoiser,
    source: Path,
    destination: Path,
    told_sigma: float | None = None,
    added_sigma: float | None = None,
) -> Outcome:
    """Denoise one image file to a PNG file, or every image of a folder to a folder of PNGs of the same names.

    A PNG has the bits a channel, the alpha and the colour profile of its image, and stands upright. An image of a
    folder that fails does not stop the others; its reason is printed to stderr.

    Args:
        denoiser: what denoises.
        source: image file or folder (not searched recursively).
        destination: PNG file for a file (or an existing folder), folder for a folder.
        told_sigma: noise level that a non-blind method is told, 0-255 scale.
        added_sigma: first add Gaussian noise of this level, 0-255 scale, and write it as ``<name>.noisy.png`` too.

    Returns:
        What was written, skipped and failed.

    Raises:
        UsaidError: nothing there, a folder without images, an image file that fails, a negative sigma, a told sigma
            that is not above 0, a non-blind method that is not told any, or an output that would replace an input
            or a file that is not of `usaid denoise`. Nothing is written then.
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
    jobs, skipped = find_images(source, destination)
    outputs = [(image, file) for image, output in jobs for file in _files_of(output, added_sigma)]
    _refuse_equal_names(outputs)
    _refuse_loss([image for image, _ in jobs], [output for _, output in outputs])
    outcome = Outcome(destination, skipped=skipped)
    with tqdm(jobs, unit="image", disable=None) as progress:
        for image_path, output in progress:
            progress.set_postfix_str(image_path.name)
            try:
                grey = _denoise_file(denoiser, image_path, output, told_sigma, added_sigma)
                outcome.written.append(output)
                outcome.grey_by_network += grey and facts.deep_learning
            except UsaidError as error:
                if not source.is_dir():
                    raise
                progress.write(f"failed: {error}", file=sys.stderr)
                outcome.failed.append(str(error))
                outcome.names_failed.append(image_path.name)
    return outcome


def find_images(source: Path, destination: Path) -> tuple[list[tuple[Path, Path]], dict[str, list[str]]]:
    """Pairs of (image file, PNG to write), and the names of the files that are skipped, by reason.

    Raises:
        UsaidError: ``source`` is missing or holds no image, or ``destination`` does not suit it.
    """
    if source.is_dir():
        images, skipped = _images_of_folder(source)
        if destination.exists() and not destination.is_dir():
            raise UsaidError(f"{destination}: is a file; give a folder for the images of {source}")
        if destination.exists() and destination.samefile(source):
            raise UsaidError(f"{destination}: is the folder of the inputs; give another folder")
        return [(image, destination / f"{image.stem}.png") for image in images], skipped
    if not source.is_file():
        raise UsaidError(f"{source}: no such file or folder")
    if destination.is_dir():
        return [(source, destination / f"{source.stem}.png")], {}
    if destination.suffix.lower() != ".png":
        raise UsaidError(f"{destination}: the result is written as PNG; give a name that ends in .png, or a folder")
    return [(source, destination)], {}


def _images_of_folder(folder: Path) -> tuple[list[Path], dict[str, list[str]]]:
    images: list[Path] = []
    skipped: dict[str, list[str]] = {}
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UsaidError(f"{folder}: cannot be read ({error.strerror}); make it a readable folder") from None
    for path in paths:
        if path.name.startswith("."):  # macOS keeps ._a.png beside a.png
            reason = "hidden"
        elif path.is_dir():
            reason = "folders"
        elif path.suffix.lower() not in IMAGE_SUFFIXES:
            reason = "no image by their suffix"
        elif path.exists() and not path.is_file():
            reason = "no regular files"
        else:
            images.append(path)
            continue
        skipped.setdefault(reason, []).append(path.name)
    if not images:
        found = f"; skipped: {_reasons(skipped)}" if skipped else ""
        raise UsaidError(f"{folder}: no image in this folder; looked for {', '.join(IMAGE_SUFFIXES)}{found}")
    return images, skipped


def _files_of(output: Path, added_sigma: float | None) -> list[Path]:
    """What is written for an image; the denoised one is first."""
    return [output] if added_sigma is None else [output, output.with_suffix(".noisy.png")]


def _refuse_equal_names(outputs: Iterable[tuple[Path, Path]]) -> None:
    """Two (image, output) of one name would leave one file, also where upper and lower case are the same."""
    images: dict[str, Path] = {}
    for image, output in outputs:
        name = unicodedata.normalize("NFC", output.name).casefold()
        if name in images:
            both = f"{images[name].name} and {image.name}"
            raise UsaidError(f"{image.parent}: {both} would both become {output.name}; rename one")
        images[name] = image


def _refuse_loss(images: list[Path], outputs: list[Path]) -> None:
    """Outputs that would replace an image, by whatever name or link, or a file that is not ours."""
    inputs = {_identity(image): image for image in images}
    for output in outputs:
        if (identity := _identity(output)) is None:
            continue
        if identity in inputs:
            raise UsaidError(f"{output}: is the input {inputs[identity]}; give another name or folder")
        if not output.is_file() or not is_ours(output):
            raise UsaidError(f"{output}: is there already and is not of usaid denoise; move it, or give another name")


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file is on its disk, links followed; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _denoise_file(
    denoiser: Denoiser, image_path: Path, output: Path, told_sigma: float | None, added_sigma: float | None
) -> bool:
    """Write what becomes of one image; whether it is grey."""
    picture = read_picture(image_path)
    height, width, channels = picture.colours.shape
    try:
        image = _to_unit_range(picture.colours)
        if added_sigma is not None:
            noise = gaussian_noise("denoise", image_path.stem, added_sigma, 0, height, width)
            image += noise if channels == 3 else noise[:1]  # grey has one noise, not three
        noisy = _as_stored(image, picture)  # before a denoiser can change the image
        result = denoised(denoiser.facts.title, denoiser, image.to(denoiser.device), told_sigma)
        pixels = _as_stored(result, picture)
    except UsaidError as error:
        raise UsaidError(f"{image_path}: {error}") from None
    except MemoryError:
        raise UsaidError(f"{image_path}: {width}x{height} pixels do not fit in memory; cut it into parts") from None
    for file, colours in zip(_files_of(output, added_sigma), (pixels, noisy), strict=False):
        write_picture(file, replace(picture, colours=colours))
    return channels == 1


def _to_unit_range(colours: np.ndarray) -> Tensor:
    """uint8 or uint16 (H, W, 1 or 3) -> float32 (1, 3, H, W), values in [0, 1]; grey is three equal channels."""
    image = torch.from_numpy(colours.astype(np.float32)) / float(np.iinfo(colours.dtype).max)
    return image.permute(2, 0, 1)[None].repeat(1, 3 // colours.shape[2], 1, 1)


def _as_stored(image: Tensor, picture: Picture) -> np.ndarray:
    """float (1, 3, H, W) -> (H, W, 1 or 3) of the picture's type: clamped to [0, 1], scaled and rounded."""
    colours = picture.colours
    if colours.shape[2] == 1:
        weights = torch.tensor(LUMINANCE, device=image.device).view(3, 1, 1)
        image = (image * weights).sum(dim=1, keepdim=True)
    levels = image.clamp(0, 1).mul(float(np.iinfo(colours.dtype).max)).round()
    return levels[0].permute(1, 2, 0).cpu().numpy().astype(colours.dtype)
