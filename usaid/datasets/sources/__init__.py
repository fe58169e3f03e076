"""Where to get each data set and each set of weights: a YAML file each, whose keys are explained here.

* ``archives``: fetched to ``DATA_ROOT/downloads``, then unpacked below ``DATA_ROOT`` at ``unpack_to``; ``only``: the
  one member that is needed.
* ``files``: fetched to ``place_at`` below ``DATA_ROOT``.
* ``by_hand``: what to do where no program may fetch.
* ``splits``: those that the archives bring, if not all; ``other_splits``: what to do for the others.

Of each archive and file:

* ``urls``: mirrors, tried in order.
* ``sha256``: of the whole file, or its first digits where the publisher tells no more (torchvision, in the file's
  name); null: we know of no published hash, so the hash of the first download is recorded beside the file
  (``<file>.sha256``) and checked from then on: trust on first use.
* ``size``: in bytes; null: unknown.
"""

from functools import cache
from importlib import resources
from typing import Any

import yaml

from usaid.errors import UsaidError
from usaid.registries import DATASETS

WEIGHTS = ("released", "resnet101", "yolov3", "yolov3u", "niqe_live", "niqe_matlab")
"""What can be fetched beside data sets: checkpoints, encoders, detectors, parameters of NIQE."""


def source_names() -> tuple[str, ...]:
    """Data sets that say where they come from, and weights."""
    return (*(name for name, card in DATASETS.items() if card.sources is not None), *WEIGHTS)


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
    return content


def files_of(name: str) -> tuple[str, ...]:
    """Where the files of a set of weights are placed, below ``data_root``."""
    return tuple(entry["place_at"] for entry in source_of(name).get("files", ()))
