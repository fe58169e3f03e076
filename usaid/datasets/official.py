"""Whether images on disk are those that their data set's name promises: official sizes and published hashes."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from PIL import Image

from usaid.datasets.base import Dataset
from usaid.datasets.sources import source_of
from usaid.files import sha256_of_file

NAMED = 3
"""Files of a kind that a sentence names."""


def differences_of(dataset: Dataset) -> list[str]:
    """How the images of a split differ from the official ones, for footnotes of its scores (:func:`differences`)."""
    files = [path for image_id in dataset.ids for path in dataset.files(image_id)[:1]]
    return differences(dataset.name, dataset.data_root, files, dataset.official_sizes)


def differences(name: str, data_root: Path, files: Iterable[Path], sizes: Collection[tuple[int, int]]) -> list[str]:
    """How files differ from the official ones; nothing is decoded, and only files with a published hash are read.

    Args:
        name: of the data set, whose sources may publish hashes of single files.
        data_root: below which they lie.
        files: of images; those that are missing are passed over.
        sizes: (width, height) of the official images, in pixels; empty: they have many.

    Returns:
        One sentence without its stop for each kind of difference, as footnotes say it; none if there is none.

    Raises:
        UsaidError: the card of the data set names sources that cannot be read.
    """
    there = [path for path in files if path.is_file()]
    other_size = dict(_of_other_size(there, sizes)) if sizes else {}
    hashes = {data_root / file["place_at"]: file["sha256"] for file in source_of(name).get("files", ())}
    candidates = [path for path in there if path not in other_size and hashes.get(path)]
    other_bytes = [path for path in candidates if not sha256_of_file(path).startswith(hashes[path])]
    sentences = []
    if other_size:
        official = " or ".join(f"{width}x{height}" for width, height in sizes)
        named = _some(f"{path.name}: {width}x{height}" for path, (width, height) in other_size.items())
        sentences.append(f"{len(other_size)} of {len(there)} images of {name} are not {official} pixels ({named})")
    if other_bytes:
        named = _some(path.name for path in other_bytes)
        sentences.append(f"{len(other_bytes)} of {len(there)} files of {name} are not the published ones ({named})")
    return sentences


def _of_other_size(files: Iterable[Path], sizes: Collection[tuple[int, int]]) -> Iterator[tuple[Path, tuple[int, int]]]:
    for path in files:
        try:
            with Image.open(path) as image:
                size = image.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # the reader says what is wrong with it
        if size not in sizes:
            yield path, size


def _some(names: Iterable[str]) -> str:
    """The first of some names, and that there are more."""
    every = list(names)
    return ", ".join([*every[:NAMED], *["..."] * (len(every) > NAMED)])
