"""Hashes of what the jobs of an experiment do: code, cards, package data and lists of ids."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from usaid.cards import Method, Metric
from usaid.code_hash import hash_of_code
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.paper.layouts import TABLES, TableSpec
from usaid.registries import BENCHMARKS, DATASETS, METHODS, METRICS, load_object
from usaid.suite_files import or_of_suite


@dataclass(frozen=True)
class Job:
    """What a job reads. It is made again when one of these changes.

    Attributes:
        files: its inputs, by the names that its script knows them by.
        settings: JSON-able: what of the experiment it depends on, and nothing else.
        code: hash of its code, and of what that reads beside the inputs: package data, lists of ids.
    """

    files: Mapping[str, list[str]]
    settings: dict[str, Any]
    code: str


def list_of_ids(data_root: str | Path, subset: str | Path | None) -> list[Path]:
    """The list of ids that names the images of a split, where readers look for it; none: all images."""
    return [] if subset is None else [user_file(data_root, subset) or Path(subset)]


def user_file(data_root: str | Path, name: str | Path) -> Path | None:
    """A file of the user's, where it is looked for; None: it is in none of these places.

    Below ``data_root``, in the working folder, and among the files of the suite.
    """
    try:
        return next((path for path in (Path(data_root, name), or_of_suite(name)) if path.is_file()), None)
    except (OSError, ValueError):  # a text that cannot be a name
        return None


def files_of_onnx(path: Path) -> list[Path]:
    """The files beside an ONNX file that hold its tensors: those of large networks do not fit into it."""
    try:
        content = path.read_bytes()
        lengths = ((match.end(), content[match.end() - 1]) for match in _LOCATION.finditer(content))
        names = {f"{path.name}.data", *(content[start : start + length].decode() for start, length in lengths)}
        return sorted(beside for name in names if (beside := path.parent / name).is_file())
    except (OSError, ValueError):  # no such file, or bytes that only look like a name
        return []


_LOCATION = re.compile(rb"\x0a\x08location\x12[\x01-\x7f]")
"""Before a name in the protocol buffer: key 1 is "location", key 2 a text whose length is the last byte."""


def code_of_training(entry: DenoiserEntry, files: Iterable[Path] = ()) -> str:
    """Hash of the code that trains a denoiser: nothing of what tables say of it, and no values of its recipe.

    Args:
        entry: of the denoiser, with ``train``.
        files: the list of ids that names the images, if there is one.
    """
    recipe, card = entry.train, entry.card
    assert recipe is not None
    training = str(card.training)
    names = (training, "usaid.denoisers.weights", *([] if recipe.training is None else [recipe.training]))
    return code_on(recipe.images, *names, cards=((card.name, training),), files=files)


def of_scores(method: Method) -> tuple[object, ...]:
    """What of a method's card a score depends on: not its citation, its licence, or how it is trained."""
    facts = method.facts
    return (method.name, method.denoiser, method.packages, method.given_clean, facts and (facts.title, facts.blind))


def code_on(
    images: str,
    *names: str,
    cards: Iterable[object] = (),
    package_data: Iterable[str] = (),
    files: Iterable[Path] = (),
) -> str:
    """Hash of code that reads images: also the reader, and what that reads beside them; no title, no source."""
    name, split = images.split("/")
    dataset = DATASETS[name]
    of_images = (name, dataset.reader, dataset.classes, dataset.left_out, dataset.splits.get(split))
    return hash_of_code(
        *(*names, dataset.reader, "usaid.datasets.loading"),
        cards=(*cards, of_images),
        package_data=(*package_data, *dataset.package_data),
        files=files,
    )


def any_of(names: Iterable[str]) -> str:
    """A regular expression for one of some names; one that matches nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def cards_of_print(spec: TableSpec) -> list[object]:
    """The cards that name metrics and data sets in what is made from print."""
    assert spec.number is not None
    printed = TABLES[spec.number]
    datasets = (DATASETS[BENCHMARKS[benchmark].dataset] for benchmark in printed.benchmarks)
    return [*(METRICS[name] for name in printed.metrics), *(replace(dataset, sources=None) for dataset in datasets)]


def statistics_behind(cards: Iterable[object]) -> list[str]:
    """The code behind scores of a whole data set."""
    conventions = [convention for card in cards if isinstance(card, Metric) for convention in card.conventions]
    return [c.compute for c in conventions if c.of_whole_set and c.compute is not None]


def recipes() -> list[object]:
    """The keys of the recipes that methods come with, by name: what verdicts compare a training with."""
    classes = distinct(card.recipe for card in METHODS.own.values() if card.recipe is not None)
    return [load_object(recipe).by_name() for recipe in classes]


def distinct(values: Iterable[str]) -> list[str]:
    """Each value once, in the order in which they come."""
    return [*dict.fromkeys(values)]
