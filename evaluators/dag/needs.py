"""What an experiment reads from outside, whether it is there, and how to get it: nothing is decoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluators.dag.dag import Dag
from usaid.datasets.sources import WEIGHTS, source_of
from usaid.datasets.status import split_status
from usaid.registries import BENCHMARKS, DATASETS


@dataclass(frozen=True)
class Need:
    """What an experiment reads and no job of it makes: a split of a data set, a file.

    Attributes:
        name: what it is called.
        what: what it is.
        state: whether it is there.
        found: images that are there; None: it is no set of images.
        official: images of the official split.
        size: bytes still to download; None: unknown.
        can_be_fetched: whether ``usaid data fetch`` brings it.
        cure: how to get it; empty if it is there.
        licence: of its publisher.
        citation: the work to cite.
        trust: what vouches for its bytes.
    """

    name: str
    what: str
    state: Literal["there", "part", "missing"]
    found: int | None
    official: int | None
    size: int | None
    can_be_fetched: bool
    cure: str
    licence: str
    citation: str
    trust: str


def needs_of(dag: Dag) -> list[Need]:
    """All that an experiment reads from outside. Generated data sets are no needs."""
    if dag.is_generated:
        return []
    return [*_splits(dag), *_weights(dag)]


def _splits(dag: Dag) -> Iterator[Need]:
    settings, read = dag.experiment.benchmarks, {}
    for name, of in settings.items():
        card = BENCHMARKS[name]
        read |= {
            f"{card.dataset}/{split}": None for split in ("train", card.split) if split == card.split or of.is_trained
        }
    read |= {entry.train.images: None for entry in dag.entries.values() if entry.train is not None}
    counted = set()
    for images in read:
        dataset, split = images.split("/")
        status = split_status(DATASETS[dataset], Path(dag.data_root), split)
        state = "there" if status.complete else "part" if status.found else "missing"
        size = 0 if state == "there" or dataset in counted else _size_of(dataset)
        counted.add(dataset)
        by_hand = not source_of(dataset) or "by_hand" in source_of(dataset)
        yield Need(images, "images", state, status.found, status.official, size, not by_hand, status.cure, "", "", "")


def _weights(dag: Dag) -> Iterator[Need]:
    below = f"{dag.data_root}/"
    for name in WEIGHTS:
        for entry in source_of(name).get("files", ()):
            path = below + entry["place_at"]
            if path in _files_of(dag) and not Path(path).is_file():
                cure = f"usaid data fetch {name} --data-root {dag.data_root}"
                yield Need(entry["place_at"], "weights", "missing", None, None, entry["size"], True, cure, "", "", "")


def _files_of(dag: Dag) -> set[str]:
    experiment = dag.experiment
    judges = {experiment.benchmarks[name].judge_file(name, experiment.places) for name in experiment.benchmarks}
    return {str(file) for file in judges} | {file for name in dag.entries for file in dag.checkpoints_of(name).values()}


def _size_of(dataset: str) -> int | None:
    sizes = [entry["size"] for key in ("archives", "files") for entry in source_of(dataset).get(key, ())]
    return sum(sizes) if sizes and None not in sizes else None
