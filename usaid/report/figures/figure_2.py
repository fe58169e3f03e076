"""The paper's Figure 2, from three learning curves: what was drawn as CSV, the picture, and whether its order holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from usaid.errors import UsaidError, one_line
from usaid.files import written_atomically
from usaid.registries import DATASETS
from usaid.report.figures.drawing import drawing, save
from usaid.segmentation.supervisions import SUPERVISIONS, read_record, record_beside

_LOOKS = {
    "ground_truth": ("ground truth", "#0072B2", "-"),
    "quarters": ("quarters permuted", "#D55E00", "--"),
    "pixels": ("pixels permuted", "#009E73", (0, (1, 1))),
}
"""Label, colour (Okabe and Ito's, for all kinds of colour vision) and dashes, for print without colour."""

_SHARED = ("settings", "data_source", "subset", "images_sha256", "encoder_sha256", "n_images", "n_left_out")
"""What the three runs have to have in common to be compared."""


@dataclass(frozen=True)
class Ordering:
    """Whether the supervisions are in the paper's order.

    Attributes:
        last_tenth: mean loss of each supervision over the last tenth of the steps, in nats.
        all_steps: the same over all steps: low if the loss falls early.
    """

    last_tenth: dict[str, float]
    all_steps: dict[str, float]

    @property
    def holds(self) -> bool:
        """Ground truth below quarters below pixels, in both means."""
        return all(
            means["ground_truth"] < means["quarters"] < means["pixels"] for means in (self.last_tenth, self.all_steps)
        )


def ordering(curves: pd.DataFrame) -> Ordering:
    """Compare the learning curves of Figure 2.

    Args:
        curves: a ``figure_2.csv``, or :func:`read_curves`: columns ``supervision``, ``step`` and ``loss``, the mean
            loss since the row before.

    Raises:
        UsaidError: a supervision is missing.
    """
    groups = dict(iter(curves.groupby("supervision")))
    if missing := [name for name in SUPERVISIONS if name not in groups]:
        raise UsaidError(f"Figure 2: no learning curve of supervision {missing[0]!r}; train it")
    return Ordering(
        last_tenth={name: _mean_loss(groups[name], 0.1) for name in SUPERVISIONS},
        all_steps={name: _mean_loss(groups[name], 1) for name in SUPERVISIONS},
    )


def read_curves(curves: Mapping[str, Path]) -> pd.DataFrame:
    """Learning curves, supervision -> CSV, as one table: ``supervision``, ``step``, ``loss``.

    Raises:
        UsaidError: one is missing or damaged.
    """
    parts = [_read_curve(curves[name]).assign(supervision=name) for name in SUPERVISIONS if name in curves]
    return pd.concat(parts, ignore_index=True)[["supervision", "step", "loss"]]


def _read_curve(path: Path) -> pd.DataFrame:
    try:
        curve = pd.read_csv(path, encoding="utf-8", dtype={"step": int, "loss": float})[["step", "loss"]]
    except (OSError, LookupError, TypeError, ValueError, OverflowError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")[:200]
        raise UsaidError(f"{path}: no learning curve ({reason}); delete it, and train it again") from None
    if curve.empty or curve.isna().any(axis=None):
        raise UsaidError(f"{path}: a learning curve without numbers; delete it, and train it again")
    return curve


def write_figure_2(curves: Mapping[str, Path], folder: str | Path) -> None:
    """Write ``figure_2.csv``, ``.png``, ``.pdf`` and ``.json`` (means, verdict and provenance) to a folder.

    Args:
        curves: supervision -> CSV that :func:`usaid.segmentation.convergence.train_convergence` wrote, with its record
            beside it.
        folder: where to write. The same curves give the same bytes.

    Raises:
        UsaidError: a curve is missing or unfinished, or they are of different settings, images or encoders.
    """
    records = {name: read_record(path) for name, path in curves.items()}
    table = read_curves(curves)
    means = ordering(table)
    shared = _shared(curves, records)
    _check_finished(curves, table, shared["settings"]["steps"])
    verdict = {
        "ordering_holds": means.holds,
        "mean_loss": {"last_tenth": means.last_tenth, "all_steps": means.all_steps},
        "n_official": DATASETS["voc2012"].splits["train"],
        **shared,
        "provenance": {name: {k: v for k, v in record.items() if k not in shared} for name, record in records.items()},
    }
    stem = Path(folder) / "figure_2"
    with written_atomically(stem.with_suffix(".csv")) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")
    with drawing():
        save(draw_figure_2(table, verdict), stem)
    with written_atomically(stem.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(verdict, indent=1) + "\n", encoding="utf-8")


def draw_figure_2(table: pd.DataFrame, runs: Mapping[str, Any]) -> Figure:
    """Training loss over iterations for the three supervisions.

    Args:
        table: as :func:`read_curves`.
        runs: their ``settings`` and ``data_source``, ``n_images`` and ``n_official``.
    """
    settings = runs["settings"]
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    rows = table.groupby("supervision")
    for name, (label, colour, dashes) in _LOOKS.items():
        curve = rows.get_group(name)
        axes.plot(curve["step"], curve["loss"], label=label, color=colour, linestyle=dashes, linewidth=1.6)
    every = int(table["step"].iloc[0])
    axes.set_xlabel("iteration")
    axes.set_ylabel("training loss (nats)" + (f",\nmean of {every} iterations" if every > 1 else ""))
    axes.set_xlim(0, settings["steps"])
    axes.set_ylim(bottom=0)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    images = "VOC 2012 train" if runs["data_source"] == "official" else "Generated images"
    number = f"n = {runs['n_images']:,} of {runs['n_official']:,}"
    axes.set_title(f"{images}, {number}; encoder {settings['encoder']}", loc="left")
    return figure


def _mean_loss(curve: pd.DataFrame, part: float) -> float:
    """Mean loss over the last part of the steps; a row counts as often as it has steps in there."""
    steps, loss = curve["step"].to_numpy(float), curve["loss"].to_numpy(float)
    begins = np.concatenate([[0], steps[:-1]]).clip(min=(1 - part) * steps[-1])
    return float(np.average(loss, weights=(steps - begins).clip(min=0)))


def _shared(curves: Mapping[str, Path], records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the three runs have in common; curves of runs that differ in it are never drawn together."""
    first = records[SUPERVISIONS[0]]
    for name in SUPERVISIONS[1:]:
        for key in _SHARED:
            if records[name][key] != first[key]:
                both = " and ".join(record_beside(curves[run]).name for run in (SUPERVISIONS[0], name))
                raise UsaidError(f"Figure 2: {both} differ in {key!r}; train both alike")
    return {key: first[key] for key in _SHARED}


def _check_finished(curves: Mapping[str, Path], table: pd.DataFrame, steps: int) -> None:
    for name, last in table.groupby("supervision")["step"].max().items():
        if last != steps:
            raise UsaidError(f"{curves[str(name)]}: ends at step {last}, its record says {steps}; train it again")
