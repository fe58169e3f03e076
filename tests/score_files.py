"""Scores made by hand, for tests of what is made from score files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from usaid.report.tables.means import Means
from usaid.report.tables.metrics import metrics_named
from usaid.scores.files import Scores

PSNR = "psnr_rgb_float"

JUDGE = {"class_names": ["background", "lesion"], "category_names": {"1": "person", "2": "bicycle", "3": "car"}}


def made_scores(denoiser: str, columns: Mapping[str, Any], seed: int | None = None, **changed: Any) -> Scores:
    """Scores of a denoiser on Kodak at sigma 25.

    Args:
        denoiser: its name.
        columns: convention -> values by draw and image.
        seed: its training seed; None: it was not trained.
        changed: ``ids`` of the images (default ``"image_00"`` ...), ``sigmas``, at which the values are the same,
            ``method``, or keys of the provenance.
    """
    draws = next(iter(columns.values()))
    ids = changed.pop("ids", [f"image_{index:02}" for index in range(len(draws[0]))])
    rows = [
        {"image_id": ids[image], "image_sha256": ids[image], "sigma": float(sigma), "draw": draw}
        | {name: values[draw][image] for name, values in columns.items()}
        for sigma in changed.pop("sigmas", (25.0,))
        for draw in range(len(draws))
        for image in range(len(ids))
    ]
    entry = {"method": changed.pop("method", denoiser), "title": denoiser}
    dataset = {"name": "kodak", "split": "all", "n": len(ids), "n_official": 24, "subset": None, "ids_sha256": "0"}
    provenance = {
        "experiment": "made", "benchmark": "kodak_quality", "denoiser": denoiser, "title": denoiser,
        "entry": entry if seed is None else entry | {"train": {"seed": seed, "steps": 7}},
        "metrics": [*columns], "deviations": [], "judge": JUDGE, "dataset": dataset,
        "weights_sha256": None, "code_hash": "0", "config_sha256": "0", "noise_version": 1,
        "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "p", "device": "cpu",
        "precision": "float32", "seconds": {}, "pixels": 10, "pixels_per_second": 7, "failure": None,
    } | changed  # fmt: skip
    kept = rows if provenance["failure"] is None else []
    return Scores(pd.DataFrame(kept, columns=[*rows[0]]), provenance)


def means_of(*scores: Scores, metrics: Sequence[str] = ("psnr",), **options: Any) -> Means:
    """What a table shows of some denoisers; options as :class:`Means` takes them."""
    by_denoiser = {own.provenance["denoiser"]: own for own in scores}
    return Means(scores[0].provenance["benchmark"], metrics_named(metrics), by_denoiser, **options)
