"""Writes the generated data sets into a folder, whole or not at all, and knows again what it has written."""

import hashlib
import json
from pathlib import Path

from usaid.datasets.miniature import cifar100, coco, deepglobe, isic2018, kodak, voc2012
from usaid.datasets.miniature.encoding import VERSION, Files
from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically
from usaid.progress import progress_of

MARKER = "miniature.json"
README = """\
Miniature data sets
===================

Nothing in this folder is real data. A program (usaid.datasets.miniature) drew these pictures: scenes of overlapping
leaves whose statistics are near those of natural images, with textured discs, squares, crosses, stars and rings as
objects; skin with lesions; land from above. They lie in the official layouts of PASCAL VOC 2012, Kodak, ISIC 2018
Task 1, DeepGlobe Land Cover, CIFAR-100 and COCO 2017, so that the suite's readers, networks and judges can be tried
within minutes and without a download. Class names such as "person" or "cat" are only labels here. Scores on these
pictures say that the suite runs, and nothing about any method.
"""


def write_miniature(directory: str | Path, seed: int = 0) -> dict[str, str]:
    """Write the six miniature data sets below ``directory``, unless they are there, whole and of this version and seed.

    The marker ``miniature.json`` is written last and holds the version, the seed, the SHA-256 of each file and one
    over all of them. A directory without it is unfinished, and the next call writes it again. Equal seeds give
    equal pixels and labels; the bytes of the JPEG and PNG files are also a matter of Pillow's version.

    Args:
        directory: to become a ``data_root``; made if it does not exist.
        seed: of everything drawn, from 0; the names of the files do not depend on it.

    Returns:
        SHA-256 of each file, as 64 hexadecimal digits, by its path below ``directory``.

    Raises:
        UsaidError: ``directory`` is a file, or holds something else, which this must not overwrite.
    """
    directory = Path(directory)
    digests = find_finished(directory, seed)
    if digests is None:
        claim(directory)
        digests = {}
        with progress_of(None, "generated data", "file") as progress:
            for name, content in all_files(seed):
                digests[name] = write(directory / name, content)
                progress.update()
        listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
        total = hashlib.sha256(listing.encode()).hexdigest()
        record = {"version": VERSION, "seed": seed, "sha256": total, "files": digests}
        write(directory / MARKER, json.dumps(record, indent=1).encode())
    return digests


def find_finished(directory: Path, seed: int) -> dict[str, str] | None:
    """SHA-256 of each file of a finished miniature; None if there is none of this seed, or a file has changed."""
    try:
        record = json.loads((directory / MARKER).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if (record.get("version"), record.get("seed")) != (VERSION, seed):
        return None
    digests = record["files"]
    whole = all((directory / name).is_file() and sha256_of_file(directory / name) == digests[name] for name in digests)
    return digests if whole else None


def claim(directory: Path) -> None:
    """Make ``directory`` an unfinished miniature: with its README, and without the marker.

    Raises:
        UsaidError: it is a file, or holds files and the README of no miniature.
    """
    if directory.exists() and not directory.is_dir():
        raise UsaidError(f"{directory}: is a file; name an empty or a new folder for the miniature data sets")
    directory.mkdir(parents=True, exist_ok=True)
    readme, title = directory / "README.txt", README.splitlines()[0]
    ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(title)
    if not ours and any(not path.name.startswith(".") for path in directory.iterdir()):
        raise UsaidError(f"{directory}: holds files that are no miniature data sets; name an empty or a new folder")
    (directory / MARKER).unlink(missing_ok=True)
    write(readme, README.encode())


def write(path: Path, content: bytes) -> str:
    """Write a file, whole or not at all; its SHA-256."""
    with written_atomically(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def all_files(seed: int) -> Files:
    """Every file of the miniature but the marker."""
    yield "README.txt", README.encode()
    for dataset in (voc2012, kodak, isic2018, deepglobe, cifar100, coco):
        yield from dataset.draw(seed)
