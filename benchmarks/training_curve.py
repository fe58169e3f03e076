"""PSNR against training steps: the snapshots of an experiment's denoisers, scored on Kodak.

    python benchmarks/training_curve.py config/reference_training.yaml --data-root data [--images 8] [--sigma 25]

Scores `weights/NAME.STEP.safetensors` of each denoiser whose recipe has `snapshots`, and its final weights, on the same
images with the same noise. Writes `curve/psnr.csv` (a row for each image), `psnr.md` (means and differences) and
`psnr.png` (the plot) below the experiment's results. It can run beside the training and again later: what is in
the CSV file already, of the same weights, is not scored again, and snapshots that are not there yet are named.
"""

import argparse
import itertools
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy import stats

from evaluators.metrics.psnr_ssim import psnr_rgb_float
from usaid.datasets.kodak import Kodak
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.denoisers.facts import title_of
from usaid.devices import pick_device
from usaid.errors import UsaidError
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import as_config, checked_experiment, read_experiment
from usaid.files import sha256_of_file, written_atomically
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.report.figures.drawing import PAGE as PAGE_WIDTH
from usaid.report.figures.drawing import drawing, looks
from usaid.report.text_files import write_texts
from usaid.tensors import to_unit_range
from usaid.training.loop import decayed

METRIC = "psnr_rgb_float"
EARLY = 1 / 8
"""Of the steps, those whose differences are not drawn."""

TICKS = (125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
COLUMNS = ["denoiser", "step", "weights_sha256", "sigma", "image_id", METRIC]


PAGE = f"""# PSNR against training steps

{{where}}; noise draw 0; PSNR in dB, `{METRIC}`. Differences are of the same images, with 95 % t-intervals over
images. Of each denoiser there is one training, so they say nothing of another seed. Made with

    {{command}}

{{table}}

![PSNR over steps](psnr.png)
"""


class Snapshot(NamedTuple):
    """Weights of a denoiser after a step; its final ones are after the last."""

    denoiser: str
    step: int
    weights: Path


def snapshots_of(experiment: Experiment) -> list[Snapshot]:
    """All that the experiment's recipes ask for, whether they are there or not; early steps first."""
    found = []
    for name, entry in experiment.denoisers.items():
        steps = getattr(entry.train, "snapshots", ())
        last = getattr(entry.train, "steps", None)
        if not steps or last is None:
            continue
        weights = Path(experiment.results, "weights", f"{name}.safetensors")
        found += [
            Snapshot(name, step, weights.with_name(f"{name}.{step}.safetensors")) for step in steps if step < last
        ]
        found.append(Snapshot(name, last, weights))
    return sorted(found, key=lambda snapshot: snapshot.step)


def rows_of(
    experiment: Experiment, snapshot: Snapshot, sigma: float, image_ids: Sequence[str]
) -> Iterator[dict[str, object]]:
    """PSNR of each image at one sigma (0-255 scale), noise draw 0, as the experiment's own scores have it."""
    entry, device = experiment.denoisers[snapshot.denoiser], pick_device(experiment.device)
    denoiser = build_denoiser(entry.method, snapshot.weights, device, experiment.precision, entry.options, entry.adapt)
    kodak, sha256 = Kodak(experiment.data_root, "all"), sha256_of_file(snapshot.weights)
    for image_id in image_ids:
        clean = to_unit_range(kodak[image_id].image)
        noisy = clean + gaussian_noise("kodak", image_id, sigma, 0, *clean.shape[2:])
        output = denoised(snapshot.denoiser, denoiser, noisy.to(device)).cpu()
        values = (snapshot.denoiser, snapshot.step, sha256, sigma, image_id, psnr_rgb_float(output, clean).item())
        yield dict(zip(COLUMNS, values, strict=True))


def scored(path: Path) -> pd.DataFrame:
    """The rows of an earlier call; none: an empty table.

    Raises:
        UsaidError: a file of something else.
    """
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    try:
        rows = pd.read_csv(path)
        return rows[COLUMNS].astype({"step": int, "sigma": float, METRIC: float})
    except (KeyError, ValueError):  # columns or values that are none of ours
        raise UsaidError(f"{path}: not written by this script; delete it to score all again") from None


def score_missing(experiment: Experiment, path: Path, sigma: float, image_ids: Sequence[str]) -> pd.DataFrame:
    """Score what the CSV file lacks, write it after each snapshot, and name the snapshots that are not there.

    Rows of weights that are no longer there, or are others by now, are dropped.

    Returns:
        The rows of this sigma and these images.
    """
    done, parts = scored(path), []
    for snapshot in snapshots_of(experiment):
        if not snapshot.weights.is_file():
            print(f"{snapshot.weights}: not there yet", file=sys.stderr, flush=True)
            continue
        own = (done["denoiser"] == snapshot.denoiser) & (done["step"] == snapshot.step)
        kept = done[own & (done["weights_sha256"] == sha256_of_file(snapshot.weights))]
        there = set(kept.loc[kept["sigma"] == sigma, "image_id"])
        missing = [image_id for image_id in image_ids if image_id not in there]
        rows = list(rows_of(experiment, snapshot, sigma, missing)) if missing else []
        parts.append(pd.concat([kept, pd.DataFrame(rows, columns=COLUMNS)] if rows else [kept], ignore_index=True))
        done = done[~own]
        if rows:
            mean = parts[-1].loc[parts[-1]["sigma"] == sigma, METRIC].mean()
            print(f"{snapshot.denoiser}, step {snapshot.step}: {mean:.3f} dB", file=sys.stderr, flush=True)
            write(pd.concat([*parts, done], ignore_index=True), path)
    whole = pd.concat(parts, ignore_index=True) if parts else scored(path).head(0)
    write(whole, path)
    return whole[(whole["sigma"] == sigma) & whole["image_id"].isin(image_ids)]


def write(rows: pd.DataFrame, path: Path) -> None:
    """The CSV file, by denoiser, step, sigma and image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    typed = rows.astype({"step": int, "sigma": float, METRIC: float})  # empty tables have no types
    ordered = typed.sort_values(["denoiser", "step", "sigma", "image_id"], kind="stable")
    with written_atomically(path) as temporary:
        ordered.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")


def released_psnr(folder: Path, denoisers: Sequence[str], sigma: float, image_ids: Sequence[str]) -> dict[str, float]:
    """Mean PSNR of the released checkpoints on the same images with the same noise; without those not scored."""
    means = {}
    for name in denoisers:
        path = folder / f"scores/kodak_quality/{name}.parquet"
        if path.is_file():
            rows = pd.read_parquet(path)
            rows = rows[(rows["sigma"] == sigma) & (rows["draw"] == 0) & rows["image_id"].isin(image_ids)]
            if set(rows["image_id"]) == set(image_ids):
                means[name] = float(rows[METRIC].mean())
    return means


# ------------------------------------------------------------------------------------------------ what people read


def titles_of(experiment: Experiment, names: Sequence[str]) -> dict[str, str]:
    """What tables call the denoisers."""
    entries = experiment.denoisers
    return {name: title_of(entries[name].title, entries[name].card.facts, name) for name in names}


def interval(differences: Sequence[float]) -> str:
    """Mean of paired differences over images with its 95 % t-interval: ``"+0.12 [+0.05, +0.19]"``."""
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.2f}"
    half = stats.t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]"


def table(rows: pd.DataFrame, experiment: Experiment, released: dict[str, float]) -> list[str]:
    """Lines of Markdown: a row for each step, means and paired differences, and the released checkpoints below."""
    wide = rows.pivot_table(index=["step", "image_id"], columns="denoiser", values=METRIC)
    names = [name for name in experiment.denoisers if name in wide]
    titles = titles_of(experiment, names)
    pairs = [(b, a) for a, b in itertools.combinations(names, 2)]
    head = ["step", "learning rate", *titles.values(), *(f"{titles[a]} - {titles[b]}" for a, b in pairs)]
    lines = [f"| {' | '.join(head)} |", f"|{'---:|' * len(head)}"]
    rate = learning_rate(experiment, names[0])
    for step, of_step in wide.groupby(level="step"):
        means = ["" if of_step[name].isna().any() else f"{of_step[name].mean():.2f}" for name in names]
        both = [(of_step[a] - of_step[b]).dropna() for a, b in pairs]
        cells = [f"{step:,}", f"{rate(int(step)):g}", *means, *(interval([*d]) if len(d) else "" for d in both)]
        lines.append(f"| {' | '.join(cells)} |")
    if released:
        means = [f"{released[name]:.2f}" if name in released else "" for name in names]
        both = [f"{released[a] - released[b]:+.2f}" if {a, b} <= released.keys() else "" for a, b in pairs]
        lines.append(f"| {' | '.join(['released checkpoints', '', *means, *both])} |")
    return lines


def learning_rate(experiment: Experiment, denoiser: str) -> Callable[[int], float]:
    """Step -> learning rate of a denoiser's training."""
    recipe = experiment.denoisers[denoiser].train
    fractions = [end / recipe.epochs for end in recipe.milestones if end < recipe.epochs]
    return decayed(recipe.learning_rate, fractions, recipe.steps)


def draw(rows: pd.DataFrame, experiment: Experiment, released: dict[str, float], where: str) -> Figure:
    """Left: PSNR over steps; dashes: released checkpoints. Right: distance to the first denoiser, without the early
    steps, where nothing is decided yet. Grey lines: the learning rate falls.
    """
    figure = Figure(figsize=(PAGE_WIDTH, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    means = rows.pivot_table(index="step", columns="denoiser", values=METRIC)
    names = [name for name in experiment.denoisers if name in means]
    titles, first = titles_of(experiment, names), names[0]
    late = means[means.index >= EARLY * means.index[-1]]
    for name, look in looks(names).items():
        line = {"color": look.colour, "marker": look.marker, "markersize": 4, "linewidth": 1.3}
        curve, distance = means[name].dropna(), (late[name] - late[first]).dropna()
        left.plot(curve.index, curve.values, label=titles[name], **line)
        right.plot(distance.index, distance.values, **line)
        if name in released:
            left.axhline(released[name], color=look.colour, linestyle="--", linewidth=0.8)
        if {name, first} <= released.keys():
            right.axhline(released[name] - released[first], color=look.colour, linestyle="--", linewidth=0.8)
    if released:
        left.plot([], [], color="0.4", linestyle="--", linewidth=0.8, label="released checkpoint")
    recipe = experiment.denoisers[first].train
    for axes, shown in ((left, means), (right, late)):
        for end in recipe.milestones:
            if shown.index[0] <= end / recipe.epochs * recipe.steps <= shown.index[-1]:
                axes.axvline(end / recipe.epochs * recipe.steps, color="0.8", linewidth=0.8, zorder=0)
        axes.set_xscale("log")
        ticks = [step for step in TICKS if shown.index[0] <= step <= shown.index[-1]]
        axes.set_xticks(ticks, [f"{step:,}" for step in ticks])
        axes.minorticks_off()
        axes.set_xlabel("training step")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.93", linewidth=0.6)
    left.set_ylabel("PSNR (dB)")
    left.legend(frameon=False, loc="lower right")
    left.set_title(where, loc="left")
    right.set_title(f"PSNR minus {titles[first]}'s (dB)", loc="left")
    return figure


def main() -> None:
    """Score what is there, and write the three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", nargs="+", help="YAML files; later ones override")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder with kodak/")
    parser.add_argument("--images", type=int, default=8, help="so many of Kodak's, evenly spread")
    parser.add_argument("--sigma", type=float, default=25.0, help="noise level, 0-255 scale")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--released", type=Path, default=Path("results/reference/released"), help="scored checkpoints")
    options = parser.parse_args()
    if options.images < 1:
        parser.error(f"--images {options.images}: must be 1 or more")
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    config = as_config(read_experiment(*options.experiment)) | {"data_root": str(options.data_root)}
    experiment = checked_experiment(config)
    kodak = Kodak(options.data_root, "all")
    n = min(options.images, len(kodak))
    image_ids = [kodak.ids[place * len(kodak) // n] for place in range(n)]
    stem = Path(experiment.results, "curve/psnr")
    rows = score_missing(experiment, stem.with_suffix(".csv"), options.sigma, image_ids)
    if rows.empty:
        sys.exit(f"{experiment.results}/weights: no snapshots; train denoisers whose recipe has 'snapshots'")
    denoisers = [name for name in experiment.denoisers if name in set(rows["denoiser"])]
    released = released_psnr(options.released, denoisers, options.sigma, image_ids)
    where = f"{n} of {len(kodak)} Kodak images, sigma {options.sigma:g}"
    with drawing(), written_atomically(stem.with_suffix(".png")) as temporary:
        figure = draw(rows, experiment, released, where)
        figure.savefig(temporary, format="png", metadata={"Software": None}, dpi=200)
    command = f"python benchmarks/training_curve.py {' '.join(options.experiment)} --data-root /folder/with/the/data"
    text = PAGE.format(
        where=f"{where}: {', '.join(image_ids)}",
        command=f"{command} --images {options.images} --sigma {options.sigma:g}",
        table="\n".join(table(rows, experiment, released)),
    )
    write_texts({stem.with_suffix(".md"): text})
    print(f"{stem}.csv, .md and .png written")


if __name__ == "__main__":
    from one_line import one_line_errors

    with one_line_errors():
        main()
