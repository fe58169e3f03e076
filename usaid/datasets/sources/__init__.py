"""Where to get each data set and each set of weights: a YAML file each, whose keys are explained here.

* ``archives``: fetched to ``DATA_ROOT/downloads``, then unpacked below ``DATA_ROOT`` at ``unpack_to``; ``only``: the
  one member that is needed.
* ``files``: fetched to ``place_at`` below ``DATA_ROOT``.
* ``by_hand``: what to do where no program may fetch.
* ``splits``: those that the archives bring, if not all; ``other_splits``: what to do for the others.
* ``licence``: of what is fetched or placed; ``"none given"`` where its publisher gives none.
* ``citation``: the work to cite.

Of each archive and file:

* ``urls``: mirrors, tried in order.
* ``sha256``: of the whole file, or its first digits where the publisher tells no more (torchvision, in the file's
  name); null: we know of no published hash, so the hash of the first download is recorded beside the file
  (``<file>.sha256``) and checked from then on: trust on first use.
* ``size``: in bytes; null: unknown.
* ``about``, if the size is not known: in bytes, as its publisher's page says, rounded: for estimates alone.
* ``splits``, if need be: those that it is for; else all that the source has.
* ``at_most``, if need be: bytes that are taken of a file of unknown size (else ``mirrors.AT_MOST``).
* ``unpacked_at_most``, if need be: bytes that an archive's files may have in all (else what
  :func:`usaid.datasets.archives.unpack` allows).
"""

import re
from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import Any

import yaml

from usaid.errors import UsaidError
from usaid.registries import DATASETS

WEIGHTS = ("released", "resnet101", "yolov3", "yolov3u", "niqe_live", "niqe_matlab")
"""What can be fetched beside data sets: checkpoints, encoders, detectors, parameters of NIQE."""


def source_names() -> tuple[str, ...]:
    """Data sets that say where they come from, and weights."""
    return (*(name for name, card in DATASETS.items() if card.sources is not None), *WEIGHTS)


def is_fetchable(name: str) -> bool:
    """Whether a program may fetch it: it is known where it is, and its publisher asks for no account."""
    source = source_of(name)
    return bool(source) and "by_hand" not in source


@cache
def source_of(name: str) -> dict[str, Any]:
    """Where a data set or a set of weights comes from; empty for a data set that does not say.

    Raises:
        UsaidError: the file that its card names cannot be read.
    """
    place = f"{__name__}:{name}.yaml" if name in WEIGHTS else DATASETS[name].sources
    if place is None:
        return {}
    package, _, file = place.partition(":")
    try:
        content = yaml.safe_load(resources.files(package).joinpath(file).read_text(encoding="utf-8"))
    except (ImportError, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsaidError(f"{place}: cannot be read ({reason}); it must say where to get {name}") from None
    if not isinstance(content, dict):
        raise UsaidError(f"{place}: holds no keys; it must say where to get {name}")
    for key in ("licence", "citation"):
        if not isinstance(content.get(key, ""), str):
            raise UsaidError(f"{place}: {key}: must be text, not {content[key]!r}")
    for key, where in (("archives", "unpack_to"), ("files", "place_at")):
        entries = content.get(key, [])
        for entry in entries if isinstance(entries, list) else [entries]:
            if wrong := _what_is_wrong(entry, where):
                raise UsaidError(f"{place}: {key}: {wrong}; usaid/datasets/sources/__init__.py explains the keys")
    return content


def _what_is_wrong(entry: Any, where: str) -> str:
    """What is wrong with an archive or a file of a source; empty if nothing is."""
    if not isinstance(entry, dict) or not {"urls", "sha256", "size", where} <= entry.keys():
        return f"an entry needs the keys urls, sha256, size and {where}"
    urls, sha256, path = entry["urls"], entry["sha256"], entry[where]
    if not isinstance(urls, list) or not urls or not all(_is_address(url) for url in urls):
        return f"urls must be a list of http(s) addresses, not {urls!r}"
    if sha256 is not None and not (isinstance(sha256, str) and re.fullmatch("[0-9a-fA-F]{6,64}", sha256)):
        return f"sha256 must be hexadecimal digits in quotes or null, not {sha256!r}"
    for key in ("size", "about", "at_most", "unpacked_at_most"):
        if entry.get(key) is not None and (type(entry[key]) is not int or entry[key] <= 0):
            return f"{key} must be a number of bytes, not {entry[key]!r}"
    splits = entry.get("splits", [])
    if not isinstance(splits, list) or not all(isinstance(split, str) for split in splits):
        return f"splits must be a list of names, not {splits!r}"
    if not isinstance(path, str) or PurePath(path).is_absolute() or ".." in PurePath(path).parts:
        return f"{where} must be a path below the data root, not {path!r}"
    return ""


def _is_address(url: Any) -> bool:
    return isinstance(url, str) and url.startswith(("http://", "https://"))


def files_of(name: str) -> tuple[str, ...]:
    """Where the files of a set of weights are placed, below ``data_root``."""
    return tuple(entry["place_at"] for entry in source_of(name).get("files", ()))
