"""What the viewer's script is told, as plain data that JSON can hold."""

import math
from collections.abc import Sequence
from typing import Any

from usaid.registries import BENCHMARKS, DATASETS, METRICS
from usaid.report.page.viewer.pixels import PixelStore
from usaid.report.page.viewer.sources import Experiment, Scene
from usaid.scores.kept_images import CLEAN, Picture, Seen

_EXPLAINED = {
    "psnr_rgb_float": "output clamped to [0, 1], not rounded, over R, G and B together",
    "ssim_skimage7": "scikit-image's, uniform 7x7 window",
    "niqe_live": "with the parameters of the LIVE release",
    "niqe_matlab": "with MATLAB's parameters, the paper's",
    "niqe_fitted": "with a model fitted to this experiment's own clean images",
    "miou_per_image": "over the classes that occur in this image or its prediction",
    "top1": "100 if the first class named is the true one, else 0",
    "top5": "100 if one of the first five classes named is the true one, else 0",
}


def contents_of(
    experiments: Sequence[Experiment], scenes: Sequence[Sequence[Scene]], store: PixelStore
) -> dict[str, Any]:
    """All that is shown: images by number, metrics by convention, and for each experiment its scenes."""
    pictures = [picture for some in scenes for scene in some for picture in scene.pictures.values()]
    conventions = dict.fromkeys(name for picture in pictures for name in picture.scores)
    return {
        "images": store.images,
        "metrics": {name: _metric(name) for name in conventions},
        "experiments": [
            _experiment(experiment, some, store) for experiment, some in zip(experiments, scenes, strict=True) if some
        ],
    }


def _experiment(experiment: Experiment, scenes: Sequence[Scene], store: PixelStore) -> dict[str, Any]:
    taken = {scene.benchmark for scene in scenes}
    benchmarks = dict.fromkeys(scene.benchmark for scene in experiment.scenes if scene.benchmark in taken)
    return {
        "name": experiment.source.name,
        "key": experiment.source.key,
        "title": experiment.source.title,
        "denoisers": [{"name": name, "title": title} for name, title in experiment.titles.items()],
        "benchmarks": [{"name": name, "title": _title(name)} for name in benchmarks],
        "scenes": [_scene(scene, store) for scene in sorted(scenes, key=lambda one: (one.image_id, one.sigma))],
    }


def _scene(scene: Scene, store: PixelStore) -> dict[str, Any]:
    some = next(iter(scene.pictures.values()))
    clean = scene.pictures.get(CLEAN)
    return {
        "benchmark": scene.benchmark,
        "image": scene.image_id,
        "sigma": scene.sigma,
        "why": [*scene.why],
        "size": [*some.size],
        "window": [*scene.window],
        "overview": store.overview(clean.overview) if clean else None,
        "truth": _seen(clean.truth, store) if clean else None,
        "pictures": {name: _picture(picture, store) for name, picture in scene.pictures.items()},
    }


def _picture(picture: Picture, store: PixelStore) -> dict[str, Any]:
    return {
        "pixels": store.pixels(picture.pixels),
        "draw": picture.draw,
        "told": picture.told_sigma,
        "scores": {name: _number(value) for name, value in picture.scores.items()},
        "seen": _seen(picture.seen, store),
    }


def _seen(seen: Seen | None, store: PixelStore) -> dict[str, Any] | None:
    if seen is None:
        return None
    boxes = None if seen.boxes is None else [[*box] for box in seen.boxes]
    return {"labels": store.labels(seen.labels), "boxes": boxes, "classes": [*seen.classes], "text": seen.text}


def _number(value: float | None) -> float | str | None:
    """A score in JSON, which has no infinity: there it is the text that scripts read as one."""
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _metric(convention: str) -> dict[str, Any]:
    """How a score is printed: as the card of its metric says; if no card has the convention, that of its first word."""
    cards = [card for card in METRICS.values() if convention in {own.name for own in card.conventions}]
    card = next(iter(cards), METRICS.get(convention.partition("_")[0]))
    shown = {"title": convention, "unit": "", "digits": 4, "scale": 1.0, "better": ""}
    if card is not None:
        shown = {name: getattr(card, name) for name in shown}
    return {**shown, "explained": _EXPLAINED.get(convention, "")}


def _title(benchmark: str) -> str:
    """``"Kodak (kodak_quality)"``; a benchmark that no card knows has its name only."""
    card = BENCHMARKS.get(benchmark)
    data_set = None if card is None else DATASETS.get(card.dataset)
    return benchmark if card is None or data_set is None else f"{data_set.title} ({benchmark})"
