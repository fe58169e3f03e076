"""People's image files in the depth, with the alpha and in the colour profile that they have: for `usaid denoise`."""

import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from usaid.errors import UsaidError
from usaid.files import written_atomically
from usaid.images import FORMATS, decoding

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
"""PNG's chunks that say which colours the numbers mean."""
OURS = (b"tEXt", b"Software\0usaid denoise")
"""The chunk that tells a file of `usaid denoise`, which it may replace, from all others."""
ORIENTATION = 274
"""EXIF and TIFF tag: how the stored pixels are turned."""
BITS_OF_TIFF = 258
"""TIFF tag: bits of each channel."""
NATIVE_LOWER = "B" if sys.byteorder == "little" else "L"
LOWER_BYTES = {
    "LA;16B": "RGBA",
    **{f"{mode};16B": f"{mode};16L" for mode in ("RGB", "RGBA")},
    **{f"{mode};16L": f"{mode};16B" for mode in ("RGB", "RGBA")},
    **{f"{mode};16N": f"{mode};16{NATIVE_LOWER}" for mode in ("RGB", "RGBA")},
}
"""Pillow's name of a layout of 16 bits a channel -> the name by which it takes the lower of the two bytes.

Of "grey and alpha" the four bytes are taken as if they were four channels.
"""
WHITE_IS_ZERO = (262, 0)
"""TIFF tag and value: Pillow inverts 8-bit pixels by it, 16-bit ones not."""


@dataclass(frozen=True)
class Picture:
    """An image upright, with what a viewer needs to show it."""

    colours: np.ndarray
    """uint8 or uint16 (H, W, 1) for grey or (H, W, 3) for RGB."""
    alpha: np.ndarray | None
    """(H, W, 1) of the same type: opacity."""
    colour_chunks: tuple[tuple[bytes, bytes], ...]
    """PNG chunks (name, data) that say which colours the numbers mean: an ICC profile, a gamma."""


def read_picture(path: Path) -> Picture:
    """Decode an image file with nothing lost but what only describes it (date, place, comments, resolution).

    It is turned upright as its EXIF orientation asks. 1-bit images become 8-bit grey, palettes RGB. Of a camera's
    MPO file the first picture is read, which is what other programs show.

    Raises:
        UsaidError: as :func:`usaid.images.open_image`; several pictures in one file; or pixels whose colours or
            depth would be lost: CMYK, 12-bit, 32-bit and float values, 16-bit RGB in a PPM. Names the mode.
    """
    with decoding(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters in Pillow's warnings comes as an error too
        with _opened(path) as image:
            pictures = getattr(image, "n_frames", 1)
            if pictures > 1 and image.format != "MPO":
                raise UsaidError(f"{path}: {pictures} pictures in one {image.format} file; save each in its own")
            deep = _is_deep(path, image)
            image.load()
            pixels = _deep_pixels(path, image) if deep else _byte_pixels(image)
            pixels = _upright(pixels, _orientation(image))
            chunks = _colour_chunks(path, image)
    colours = 1 if pixels.shape[2] < 3 else 3
    alpha = pixels[..., colours:] if pixels.shape[2] > colours else None
    return Picture(pixels[..., :colours], alpha, chunks)


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """An image, not yet loaded; given a path, Pillow maps a TIFF into memory and gets turned ones wrong."""
    with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
        yield image


def _colour_chunks(path: Path, image: ImageFile) -> tuple[tuple[bytes, bytes], ...]:
    if image.format == "PNG":
        return tuple(chunk for chunk in png_chunks(path) if chunk[0] in COLOUR_CHUNKS)
    profile = image.info.get("icc_profile")
    return ((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)),) if profile else ()


def _arguments(image: ImageFile) -> tuple[Any, ...]:
    """What Pillow tells the decoder of an opened, not yet loaded image; mostly, the layout of its pixels is first."""
    arguments = image.tile[0].args if image.tile else ""
    return (arguments,) if isinstance(arguments, str) else tuple(arguments or ("",))


def _is_deep(path: Path, image: ImageFile) -> bool:
    """Whether an opened, not yet loaded image has 16 bits a channel, whatever Pillow would make of them.

    Raises:
        UsaidError: its pixels cannot be read without loss.
    """
    arguments = _arguments(image)
    stored = arguments[0] if isinstance(arguments[0], str) else ""  # a GIF begins with the bits of its codes
    deep = "16" in stored
    if image.format == "PPM":
        deep |= isinstance(arguments[-1], int) and arguments[-1] > 255
    if image.format == "TIFF":
        deep |= max(image.tag_v2.get(BITS_OF_TIFF, (1,))) > 8  # type: ignore[attr-defined]
    if image.mode.startswith("I;16") and stored != "I;12":
        return True
    if image.mode == "I" and (image.format in ("PNG", "PPM") or stored == "I;16B"):
        return True
    if image.mode[0] in "IF":
        what = "12-bit" if stored == "I;12" else "signed, 32-bit or float"
        raise UsaidError(f"{path}: mode {image.mode}: {what} values, whose white is not known; scale to 16-bit grey")
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa"):
        raise UsaidError(f"{path}: mode {image.mode}: convert it to RGB by its colour profile, in an image editor")
    if deep and stored not in LOWER_BYTES:
        raise UsaidError(f"{path}: mode {image.mode} of 16 bits a channel: save it as a 16-bit PNG")
    return deep


def _byte_pixels(image: ImageFile) -> np.ndarray:
    """uint8 (H, W, 1 to 4): L, LA, RGB or RGBA of a loaded image; a colour declared transparent becomes alpha."""
    grey = image.mode in ("1", "L", "LA", "La")
    alpha = image.has_transparency_data or image.mode in ("La", "RGBa")
    pixels = np.asarray(image.convert(("L" if grey else "RGB") + ("A" if alpha else "")))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _deep_pixels(path: Path, image: ImageFile) -> np.ndarray:
    """uint16 (H, W, 1 to 4) of a loaded image, as :func:`_byte_pixels`."""
    if image.mode[0] == "I":
        pixels = np.asarray(image).astype(np.uint16)[..., None]
        tag, white_is_zero = WHITE_IS_ZERO
        if image.format == "TIFF" and image.tag_v2.get(tag) == white_is_zero:  # type: ignore[attr-defined]
            pixels = 65535 - pixels
    else:
        pixels = _deep_colours(path, image)
    transparent = image.info.get("transparency")
    if transparent is not None and pixels.shape[2] in (1, 3):
        alpha = np.where((pixels == np.uint16(transparent)).all(axis=2, keepdims=True), 0, 65535)
        pixels = np.concatenate([pixels, alpha.astype(np.uint16)], axis=2)
    return pixels


def _deep_colours(path: Path, image: ImageFile) -> np.ndarray:
    """uint16 (H, W, 2 to 4) of a loaded image: Pillow keeps the upper bytes, and is asked for the lower ones too."""
    with _opened(path) as again:
        stored = _arguments(again)[0]
        lower = LOWER_BYTES[stored]
        again.tile = [tile._replace(args=(lower, *_arguments(again)[1:])) for tile in again.tile]
        again.load()
        second = np.array(again)
    if stored == "LA;16B":
        return second.view(">u2").astype(np.uint16)
    return np.asarray(image).astype(np.uint16) << 8 | second


def _orientation(image: ImageFile) -> int:
    """EXIF orientation of a loaded image, 1 to 8 (Pillow has turned a TIFF by then); 1 where there is none to read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged EXIF block says nothing
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror (H, W, C) pixels as an EXIF orientation asks."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def write_picture(path: Path, picture: Picture) -> None:
    """Write a PNG of 8 or 16 bits a channel, atomically (Pillow writes 16 bits for grey only).

    Raises:
        UsaidError: it cannot be written there; names the file and why.
    """
    pixels = picture.colours if picture.alpha is None else np.concatenate([picture.colours, picture.alpha], axis=2)
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = 2  # each row is stored as the difference from the row above
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">2I5B", width, height, 8 * pixels.dtype.itemsize, colour_type, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        *picture.colour_chunks,
        OURS,
        (b"IDAT", zlib.compress(filtered.tobytes())),
        (b"IEND", b""),
    ]
    with written_atomically(path) as temporary, open(temporary, "wb") as file:
        file.write(SIGNATURE)
        for name, data in chunks:
            checksum = zlib.crc32(data, zlib.crc32(name))
            file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum))


def png_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Name and data of a PNG file's chunks before its pixels; nothing for another file."""
    with open(path, "rb") as file:
        if file.read(len(SIGNATURE)) == SIGNATURE:
            yield from _chunks(file)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while len(start := file.read(8)) == 8 and start[4:] != b"IDAT":
        yield start[4:], file.read(int.from_bytes(start[:4], "big"))
        file.read(4)  # the checksum


def is_ours(path: Path) -> bool:
    """Whether `usaid denoise` wrote a file; not of one that cannot be read."""
    try:
        return OURS in png_chunks(path)
    except OSError:
        return False
