"""Which images are kept: chosen by rule from the score files, and those of the figures, as their keys name them."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evaluators.keeping.asked import benchmarks_kept, images_of_figures
from usaid.datasets.loading import load_for
from usaid.errors import UsaidError, reason_of
from usaid.failures import failure_in
from usaid.files import written_atomically
from usaid.registries import BENCHMARKS
from usaid.scores.confusion import miou_per_image
from usaid.scores.failed_levels import why_level_is_missing
from usaid.scores.files import read_scores, rows_at

if TYPE_CHECKING:
    from usaid.experiment.experiment import Experiment


@dataclass(frozen=True)
class Choice:
    """An image that is kept under one sigma, at the first noise draw.

    Attributes:
        benchmark: whose image and judge.
        image_id: in the words of its data set.
        sigma: noise level, 0-255 scale.
        why: the rules and figures that chose it: ``"first"``, ``"figure_4"``.
        whole: it is kept whole, too.
        centre: x and y, in pixels, of the middle of what a figure shows larger; None: no figure does.
    """

    benchmark: str
    image_id: str
    sigma: float
    why: tuple[str, ...]
    whole: bool = False
    centre: tuple[int, int] | None = None


@dataclass(frozen=True)
class Chosen:
    """What a whole experiment keeps.

    Attributes:
        images: in the order of benchmarks, images and sigmas.
        left_out: benchmark -> why images of it are not kept, or fewer than the rules name.
    """

    images: tuple[Choice, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def choose_images(experiment: "Experiment", scores: str | Path) -> Chosen:
    """Choose the images that an experiment keeps. A benchmark whose data are missing costs its own images only.

    Args:
        experiment: whose ``keep_images`` and ``figures`` say by which rules.
        scores: folder of its score files, ``<benchmark>/<denoiser>.parquet``.

    Raises:
        UsaidError: a figure's image is not among those of its benchmark.
    """
    of_figures = images_of_figures(experiment)
    kept, left_out = benchmarks_kept(experiment), dict[str, str]()
    images: list[Choice] = []
    for benchmark in experiment.benchmarks:
        figures = [image for image in of_figures if image.benchmark == benchmark]
        if benchmark not in kept and not figures:
            continue
        card = BENCHMARKS[benchmark]
        try:
            ids = load_for(experiment, card.dataset, card.split, benchmark).ids
        except UsaidError as error:
            left_out[benchmark] = str(error)
            continue
        choices: list[Choice] = []
        if benchmark in kept:
            by_rule, reason = _by_rules(experiment, benchmark, Path(scores), ids)
            sigmas = sorted(experiment.benchmarks[benchmark].sigmas)
            choices += [Choice(benchmark, name, sigma, why) for name, why in by_rule.items() for sigma in sigmas]
            left_out |= {benchmark: reason} if reason else {}
        for image in figures:
            if image.image_id not in ids:
                raise _unknown(image.figure, image.image_id, benchmark, ids)
            choices.append(Choice(benchmark, image.image_id, image.sigma, (image.figure,), True, image.centre))
        images += _merged(choices)
    return Chosen(tuple(images), left_out)


def _unknown(figure: str, image_id: str, benchmark: str, ids: Sequence[str]) -> UsaidError:
    nearest = difflib.get_close_matches(image_id, ids, n=3) or ids[:3]
    known = f"is not among the {len(ids)} images of {benchmark}, such as {', '.join(nearest)}"
    return UsaidError(f"figures.{figure}: {image_id!r} {known}; name one of them, or write {figure}: null")


def _merged(choices: Sequence[Choice]) -> list[Choice]:
    """Choices of one benchmark, those of the same image under the same sigma made one.

    What a figure shows larger of an image is the middle of it under all sigmas, so that they can be compared.
    """
    centres = {choice.image_id: choice.centre for choice in choices if choice.centre is not None}
    merged: dict[tuple[str, float], Choice] = {}
    for choice in choices:
        key = choice.image_id, choice.sigma
        before = merged.get(key, choice)
        why = tuple(dict.fromkeys((*before.why, *choice.why)))
        whole = before.whole or choice.whole
        merged[key] = Choice(choice.benchmark, *key, why, whole, centres.get(choice.image_id))
    return [*merged.values()]


# ------------------------------------------------------------------------------------------------ rules


def _by_rules(
    experiment: "Experiment", benchmark: str, scores: Path, ids: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], str]:
    """The images of a benchmark that the rules choose, with the rules, and why not all of them could."""
    keep = experiment.keep_images
    assert keep is not None
    places = {"first": ids[0]} if "first" in keep.rules else {}
    reason = ""
    if ranked := [rule for rule in keep.rules if rule != "first"]:
        try:
            differences = _differences(experiment, benchmark, scores)
            order = differences.sort_values(kind="stable").index
            ends = {"median": order[(len(order) - 1) // 2], "worst": order[0]}
            places |= {rule: ends[rule] for rule in ranked}
        except UsaidError as error:
            places, reason = {"first": ids[0]}, f"only the first image is kept: {error}"
    names = [places[rule] for rule in ("first", "median", "worst") if rule in places]
    return {name: tuple(rule for rule, chosen in places.items() if chosen == name) for name in names}, reason


def _differences(experiment: "Experiment", benchmark: str, scores: Path) -> pd.Series:
    """By how much the first of two denoisers scores higher, by image, at the middle one of the benchmark's sigmas.

    Images where this is no finite number are left out.

    Raises:
        UsaidError: a denoiser has no scores there, or they are not of single images.
    """
    assert experiment.keep_images is not None
    sigmas = sorted(experiment.benchmarks[benchmark].sigmas)
    sigma = sigmas[(len(sigmas) - 1) // 2]
    ours, theirs = (
        _scores_of_images(scores / benchmark / f"{name}.parquet", name, sigma)
        for name in experiment.keep_images.difference
    )
    if ours.name != theirs.name:
        raise UsaidError(f"{ours.name} and {theirs.name} are not comparable; score them with one judge")
    difference = (ours - theirs.reindex(ours.index)).replace([np.inf, -np.inf], np.nan).dropna()
    if difference.empty:
        raise UsaidError(f"no image has a difference in {ours.name} at sigma {sigma:g}")
    return difference


def _scores_of_images(path: Path, denoiser: str, sigma: float) -> pd.Series:
    """Scores of a denoiser by image, in the order of ids, named by their convention."""
    if (failure := failure_in(path)) is not None:
        raise UsaidError(f"{denoiser} has no scores ({failure})")
    if not path.exists():
        raise UsaidError(f"{denoiser} has no scores")
    rows, provenance = (scores := read_scores(path)).rows, scores.provenance
    if provenance["failure"] is not None:
        raise UsaidError(f"{denoiser} has no scores ({provenance['failure']})")
    at = rows_at(rows[rows["draw"] == 0], sigma).set_index("image_id")
    if at.empty:
        cause = why_level_is_missing(provenance, sigma, None)
        raise UsaidError(f"{denoiser} has no scores at sigma {sigma:g}" + (f" ({cause})" if cause else ""))
    if "psnr_rgb_float" in at:
        return at["psnr_rgb_float"]
    if "confusion" in at:
        left_out = left_out_numbers(provenance["judge"])
        return pd.Series(miou_per_image(np.stack([*at["confusion"]]), left_out), at.index, name="miou_per_image")
    raise UsaidError(f"{denoiser} has no PSNR and no mean IoU of single images")


def left_out_numbers(judge: Mapping[str, Sequence[str]]) -> list[int]:
    """Numbers of the classes that a mean over classes leaves out, from the record of the judge."""
    return [judge["class_names"].index(name) for name in judge.get("left_out", ())]


# ------------------------------------------------------------------------------------------------ files


def choose_images_to_file(experiment: "Experiment", scores: str | Path, output: str | Path) -> None:
    """Choose the images that an experiment keeps and write the choice as JSON; as :func:`choose_images`."""
    chosen = choose_images(experiment, scores)
    images = [vars(choice) for choice in chosen.images]
    with written_atomically(output) as temporary:
        content = json.dumps({"images": images, "left_out": chosen.left_out}, indent=1)
        temporary.write_text(content + "\n", encoding="utf-8")


def read_choice(path: str | Path) -> Chosen:
    """Read what :func:`choose_images_to_file` wrote.

    Raises:
        UsaidError: it is missing, or something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return Chosen(tuple(_choices(content["images"])), content["left_out"])
    except Exception as error:  # of whatever class it is that such a file leads to
        raise UsaidError(f"{path}: no choice of images ({reason_of(error)}); delete it, and run again") from None


def _choices(images: Sequence[Mapping[str, object]]) -> Iterator[Choice]:
    for image in images:
        lists = {name: tuple(value) for name, value in image.items() if isinstance(value, list)}
        yield Choice(**{**image, **lists})  # type: ignore[arg-type]
