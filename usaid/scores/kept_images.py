"""Images that an experiment keeps to be looked at: one archive a denoiser, lossless, with what its judges said of them.

An archive is a ZIP file: ``pictures.json`` says what is in it, images are WebP without loss, label maps PNG. All pixels
are those of the output, clamped to [0, 1] and rounded to 8 bits; none is resized but those of an overview.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from usaid.errors import UsaidError, reason_of
from usaid.files import written_atomically

CONTENTS = "pictures.json"
VERSION = 1
LARGEST = 1 << 27
"""Bytes of a file in an archive, unpacked."""

_NOTHING_CHANGES = (1980, 1, 1, 0, 0, 0)
"""The time stamp of all files in an archive: the same pictures give the same bytes."""


class Window(NamedTuple):
    """A part of an image, in its own pixels; ``left`` and ``top`` are of its upper left corner."""

    left: int
    top: int
    width: int
    height: int


class Box(NamedTuple):
    """An object in an image: corner and size in pixels of the whole image; a score in [0, 1], None for a true one."""

    left: float
    top: float
    width: float
    height: float
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Seen:
    """What a judge sees in a whole image, or what is true of it; at most one of both is there.

    Attributes:
        labels: uint8 (H, W), a class for each pixel; 255: none.
        boxes: detected or true objects.
        classes: names of the classes of ``labels``, by number.
        text: in words, for a judge that says one thing of an image: ``"cat (0.93)"``.
    """

    labels: np.ndarray | None = None
    boxes: tuple[Box, ...] | None = None
    classes: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Picture:
    """One image under one condition, as a denoiser left it.

    Attributes:
        benchmark: whose image and judge.
        image_id: in the words of its data set.
        sigma: noise level, 0-255 scale.
        why: why it was kept: ``"first"``, ``"median"``, ``"worst"``, ``"figure_4"``, ...
        size: width and height of the whole image.
        window: the part of it that was kept; the whole image if it has its size.
        pixels: uint8 (window height, window width, 3), RGB.
        draw: index of the noise realisation.
        told_sigma: what a non-blind denoiser was told, 0-255 scale; None: it is blind.
        scores: convention -> score of the *whole* image, in the unit of the metric's card; None: undefined; an infinite
            PSNR is ``inf``.
        seen: what the judge sees in the whole image.
        truth: what is true of it; only pictures of ``clean`` have it.
        overview: the whole image made small, uint8 (h, w, 3), to show where the window is; only of ``clean``.
    """

    benchmark: str
    image_id: str
    sigma: float
    why: tuple[str, ...]
    size: tuple[int, int]
    window: Window
    pixels: np.ndarray
    draw: int = 0
    told_sigma: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    seen: Seen | None = None
    truth: Seen | None = None
    overview: np.ndarray | None = None

    @property
    def key(self) -> tuple[str, str, float]:
        """What the pictures of one image under one sigma have in common, whichever denoiser made them."""
        return self.benchmark, self.image_id, self.sigma


@dataclass(frozen=True)
class KeptImages:
    """The pictures of one denoiser.

    Attributes:
        denoiser: its name in the experiment; ``clean`` has the images without noise, and what is true of them.
        title: as tables call it.
        provenance: JSON-able: commit, weights, device ..., as score files have it.
        pictures: in order.
    """

    denoiser: str
    title: str
    provenance: Mapping[str, Any]
    pictures: tuple[Picture, ...]


def write_kept(path: str | Path, kept: KeptImages) -> None:
    """Write an archive; the same pictures give the same bytes.

    Raises:
        UsaidError: it cannot be written.
    """
    with written_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        entries = [_written(archive, index, picture) for index, picture in enumerate(kept.pictures)]
        contents = {"version": VERSION, "denoiser": kept.denoiser, "title": kept.title}
        contents |= {"provenance": dict(kept.provenance), "pictures": entries}
        _add(archive, CONTENTS, json.dumps(contents, indent=1, allow_nan=False).encode())


def read_kept(path: str | Path) -> KeptImages:
    """Read an archive.

    Raises:
        UsaidError: it is missing, damaged, or of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = json.loads(_content(archive, CONTENTS), parse_constant=_refuse)
            if contents["version"] != VERSION:
                raise UsaidError(f"version {contents['version']}, this one reads {VERSION}")
            pictures = tuple(_read(archive, entry) for entry in contents["pictures"])
        return KeptImages(str(contents["denoiser"]), str(contents["title"]), dict(contents["provenance"]), pictures)
    except Exception as error:  # whatever a damaged archive, or Pillow, raises
        raise UsaidError(f"{path}: no archive of kept images ({reason_of(error)}); delete it, and run again") from None


def _written(archive: zipfile.ZipFile, index: int, picture: Picture) -> dict[str, Any]:
    """Add the files of a picture; how the contents describe it."""
    stem = f"{picture.benchmark}/{index:03d}"
    # Of what is lossless, quality is effort: 100 takes ten times as long and saves nothing of a photograph.
    _add(archive, f"{stem}.webp", _encoded(picture.pixels, format="WEBP", lossless=True, quality=50, method=3))
    if picture.overview is not None:
        _add(archive, f"{stem}.overview.webp", _encoded(picture.overview, format="WEBP", quality=80, method=6))
    return {
        "benchmark": picture.benchmark,
        "image_id": picture.image_id,
        "sigma": picture.sigma,
        "why": [*picture.why],
        "size": [*picture.size],
        "window": [*picture.window],
        "draw": picture.draw,
        "told_sigma": picture.told_sigma,
        "scores": {name: _as_text(value) for name, value in picture.scores.items()},
        "pixels": f"{stem}.webp",
        "overview": None if picture.overview is None else f"{stem}.overview.webp",
        "seen": _seen_written(archive, f"{stem}.seen", picture.seen),
        "truth": _seen_written(archive, f"{stem}.truth", picture.truth),
    }


def _read(archive: zipfile.ZipFile, entry: Mapping[str, Any]) -> Picture:
    scores = {name: None if value is None else float(value) for name, value in entry["scores"].items()}
    width, height = map(int, entry["size"])
    window = Window(*map(int, entry["window"]))
    inside = 0 <= window.left <= width - window.width and 0 <= window.top <= height - window.height
    if not inside or min(window.width, window.height) < 1:
        raise ValueError(f"{[*window]} is no window of an image of {width} x {height}")
    return Picture(
        str(entry["benchmark"]),
        str(entry["image_id"]),
        _finite(entry["sigma"]),
        tuple(map(str, entry["why"])),
        (width, height),
        window,
        _decoded(archive, entry["pixels"], "RGB", (window.width, window.height)),
        draw=int(entry["draw"]),
        told_sigma=None if entry["told_sigma"] is None else _finite(entry["told_sigma"]),
        scores=scores,
        overview=None if entry["overview"] is None else _decoded(archive, entry["overview"], "RGB"),
        seen=_seen_read(archive, entry["seen"], (width, height)),
        truth=_seen_read(archive, entry["truth"], (width, height)),
    )


def _seen_written(archive: zipfile.ZipFile, stem: str, seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    if seen.labels is not None:
        _add(archive, f"{stem}.png", _encoded(seen.labels, format="PNG", optimize=True))
    boxes = None if seen.boxes is None else [[*box] for box in seen.boxes]
    labels = None if seen.labels is None else f"{stem}.png"
    return {"labels": labels, "boxes": boxes, "classes": [*seen.classes], "text": seen.text}


def _seen_read(archive: zipfile.ZipFile, entry: Mapping[str, Any] | None, size: tuple[int, int]) -> Seen | None:
    if entry is None:
        return None
    labels = None if entry["labels"] is None else _decoded(archive, entry["labels"], "L", size)
    boxes = None if entry["boxes"] is None else tuple(_box(*box) for box in entry["boxes"])
    return Seen(labels, boxes, tuple(map(str, entry["classes"])), str(entry["text"]))


def _box(left: float, top: float, width: float, height: float, label: str, score: float | None) -> Box:
    left, top, width, height = map(_finite, (left, top, width, height))
    return Box(left, top, width, height, str(label), None if score is None else _finite(score))


def _finite(value: Any) -> float:
    if not math.isfinite(number := float(value)):
        raise ValueError(f"{value} is not finite")
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not finite")


def _as_text(value: float | None) -> float | str | None:
    """A score in JSON, which has no infinity."""
    return value if value is None or np.isfinite(value) else str(value)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _NOTHING_CHANGES), content, zipfile.ZIP_DEFLATED)


def _encoded(pixels: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, **options)
    return stream.getvalue()


def _decoded(archive: zipfile.ZipFile, name: str, mode: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """The pixels of an image; of one that says another size, none is decoded."""
    with Image.open(io.BytesIO(_content(archive, name)), formats=("WEBP", "PNG")) as image:
        if size is not None and image.size != size:
            raise ValueError(f"{name} has {image.size} pixels, not {size}")
        if image.mode != mode:
            raise ValueError(f"{name} is {image.mode}, not {mode}")
        return np.asarray(image)


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    if (size := archive.getinfo(name).file_size) > LARGEST:
        raise ValueError(f"{name} has {size:,} bytes")
    return archive.read(name)
