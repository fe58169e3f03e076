"""What docs/findings.md says is in the committed files."""

import re
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from usaid.paper.published import published

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results/reference"
CONVENTIONS = REFERENCE / "conventions"
LINES = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
TEXT = " ".join(LINES.split())
DENOISERS = {"cdncnn_b": "CDnCNN-B", "s_said": "S-SAID", "u_said": "U-SAID"}

NUMBER = r"[+-]?\d+\.\d+"
INTERVAL = re.compile(rf"({NUMBER})(?: dB| points)? \[({NUMBER}), ({NUMBER})\]")
SECTIONS = {part.partition("\n")[0]: " ".join(part.split()) for part in LINES.split("\n## ")}
INTERVALS = [(title, found) for title, text in SECTIONS.items() for found in sorted(set(INTERVAL.findall(text)))]


# ------------------------------------------------------------------------------------------------ intervals


def of_statistics() -> Iterator[tuple[float, float, float]]:
    """Every score and difference of the committed runs."""
    for path in REFERENCE.glob("*/statistics/*.csv"):
        yield from pd.read_csv(path)[["value", "low", "high"]].dropna().itertuples(index=False, name=None)


def over_images(values: pd.Series) -> tuple[float, float, float]:
    """A mean and its 95 % interval, Student's t."""
    values = values.dropna()
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return values.mean(), values.mean() - half, values.mean() + half


def of_niqe() -> Iterator[tuple[float, float, float]]:
    """Each convention minus ours, and U-SAID minus S-SAID under each."""
    rows = pd.read_csv(CONVENTIONS / "niqe_conventions.csv").set_index("image")
    for _, own in rows.groupby("sigma"):
        scores = {name: group.drop(columns=["sigma", "denoiser"]) for name, group in own.groupby("denoiser")}
        differences = [own.sub(own["ours"], axis=0) for own in scores.values()]
        if "u_said" in scores:
            differences.append(scores["u_said"] - scores["s_said"])
        for difference in differences:
            yield from (over_images(difference[name]) for name in difference)


def of_ssim() -> Iterator[tuple[float, float, float]]:
    """Each convention of SSIM and of PSNR minus ours."""
    rows = pd.read_csv(CONVENTIONS / "ssim_conventions.csv")
    for _, own in rows.groupby(["dataset", "sigma", "denoiser"]):
        for metric in ("ssim", "psnr"):
            scores = own.filter(regex=f"^{metric}_").dropna(axis=1)
            yield from (over_images(scores[name] - scores[f"{metric}_ours"]) for name in scores)


def of_table_1() -> Iterator[tuple[float, float, float]]:
    """Where the means of all of Table I's images would lie."""
    for row in pd.read_csv(CONVENTIONS / "table_1_sample.csv").itertuples():
        yield row.mean, row.mean - row.half_width, row.mean + row.half_width


def of_table_5() -> Iterator[tuple[float, float, float]]:
    """The differences in three conventions of mIoU."""
    rows = pd.read_csv(CONVENTIONS / "table_5_conventions.csv")[["value", "low", "high"]]
    yield from rows.dropna().itertuples(index=False, name=None)


def of_table_9() -> Iterator[tuple[float, float, float]]:
    """PSNR and SSIM in each setting, and two settings' differences on the images that both have."""
    rows = pd.read_csv(CONVENTIONS / "table_9_settings_rows.csv")
    for _, own in rows.groupby(["denoiser", "sigma"]):
        for metric in ("psnr", "ssim"):
            scores = own.pivot(index="image_id", columns="setting", values=metric)
            yield from (over_images(scores[name]) for name in scores)
            pairs = (scores[first] - scores[second] for first, second in permutations(scores, 2))
            yield from (over_images(difference) for difference in pairs if difference.count() > 1)


SOURCES: dict[str, tuple[Callable[[], Iterator[tuple[float, float, float]]], ...]] = {
    "Which SSIM and PSNR are these?": (of_ssim,),
    "What does NIQE's order hang on?": (of_niqe,),
    "Which mIoU is Table V's?": (of_table_5,),
    "Which images are Table IX's?": (of_table_9, of_statistics),
    "Which images are Table I's?": (of_table_1,),
}
"""Section -> what its intervals are of; of any other the committed runs."""


@pytest.fixture(scope="module")
def estimates() -> dict[str, np.ndarray]:
    """Section -> (N, 3): value, low and high of all that it may show, and of the opposite ones."""
    made = {
        source: np.array([*source()]) for source in {of_statistics, *(own for all_ in SOURCES.values() for own in all_)}
    }
    both = {source: np.concatenate([own, -own[:, [0, 2, 1]]]) for source, own in made.items()}
    return {title: np.concatenate([both[own] for own in SOURCES.get(title, (of_statistics,))]) for title in SECTIONS}


def is_among(interval: tuple[str, ...], estimates: np.ndarray, units: int = 0) -> bool:
    """Whether an interval is one of the estimates, its value increased by units of its last digit."""
    steps = 10.0 ** -np.array([len(text.partition(".")[2]) for text in interval])
    shown = np.array(interval, dtype=float) + np.array([units, 0, 0]) * steps
    return bool((np.abs(estimates - shown) < 0.501 * steps).all(axis=1).any())


def test_intervals_are_found():
    assert len(INTERVALS) > 140
    assert {*SOURCES} <= {title for title, _ in INTERVALS}


@pytest.mark.parametrize(
    ("title", "interval"), INTERVALS, ids=lambda own: own if isinstance(own, str) else " ".join(own)
)
def test_an_interval_is_one_of_its_sources(title, interval, estimates):
    assert is_among(interval, estimates[title])


@pytest.mark.parametrize("units", [-1, 1])
def test_an_interval_with_another_value_is_not(estimates, units):
    mistaken = [interval for title, interval in INTERVALS if is_among(interval, estimates[title], units)]
    assert len(mistaken) < 0.05 * len(INTERVALS)


# ------------------------------------------------------------------------------------------------ tables


def test_verdicts_and_sentences_are_counted_right():
    verdicts = pd.read_csv(REFERENCE / "released/tables/verdicts.csv").verdict.value_counts()
    counts = [verdicts[word] for word in ("holds", "does not hold", "not comparable", "not tested")]
    said = "Of {} printed numbers {} hold, {} do not, {} are not comparable (other images, networks or conventions)"
    said += " and {} are not tested"
    assert said.format(sum(counts), *counts) in TEXT
    assert f"The {counts[-1]} printed numbers that are not tested wait for these." in TEXT
    claims = pd.read_csv(REFERENCE / "released/claims.csv")
    found = claims.verdict.value_counts()
    words = ("holds", "does not hold", "not certain", "not comparable", "not tested")
    said = "Of {} sentences {} hold, {} do not, {} are not certain, {} not comparable and {} not tested"
    assert said.format(len(claims), *(found[word] for word in words)) in TEXT
    follows = claims.print.value_counts()
    said = "{} follow from the paper's own tables, {} do not, and of {} it cannot be told"
    assert said.format(*(follows[word] for word in ("follows", "does not follow", "cannot be told"))) in TEXT
    assert f"**{follows['does not follow']} of {len(claims)} do not**" in TEXT


@pytest.mark.parametrize("sigma", [15, 25, 35])
def test_table_6_is_the_committed_one(sigma):
    cells = pd.read_csv(REFERENCE / "released/tables/table_6.csv", dtype=str, keep_default_na=False)
    for metric in ("psnr", "ssim"):
        rows = cells.query("metric == @metric and group == @group", local_dict={"metric": metric, "group": str(sigma)})
        own = rows.set_index("denoiser").loc[[*DENOISERS]]
        shown = " | ".join(f"{cell.ours} ({cell.paper})" for cell in own.itertuples())
        assert f"| {metric.upper()} | {shown} |" in TEXT


def cells_of(line: str) -> list[str]:
    """The cells of a row of Markdown."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows_of(name: str) -> list[list[str]]:
    """The rows of all tables of a committed page on conventions."""
    lines = (CONVENTIONS / f"{name}.md").read_text(encoding="utf-8").splitlines()
    return [cells_of(line) for line in lines if line.startswith("|")]


def shown_rows(title: str, first: str) -> list[list[str]]:
    """The rows of a section's table, which begins with ``first``, below its header."""
    section = LINES.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    tables = [paragraph.splitlines() for paragraph in section.split("\n\n") if paragraph.startswith(first)]
    assert len(tables) == 1
    return [cells_of(line) for line in tables[0][2:]]


@pytest.mark.parametrize(
    ("title", "first", "name", "count"),
    [
        ("Which SSIM and PSNR are these?", "| SSIM - print |", "ssim_conventions", 4),
        ("What does NIQE's order hang on?", "| sigma | denoiser |", "niqe_conventions", 9),
        ("Which images are Table IX's?", "| noise added to |", "table_9_settings", 4),
    ],
)
def test_rows_are_those_of_the_committed_page(title, first, name, count):
    shown, page = shown_rows(title, first), rows_of(name)
    assert len(shown) == count
    assert [row for row in shown if row not in page] == []


def test_orders_by_niqe_are_those_of_the_committed_page():
    page = {row[0]: row[1:] for row in rows_of("niqe_conventions") if len(row) == 7 and " < " in row[1]}
    shown = shown_rows("What does NIQE's order hang on?", "| | sigma 15 |")
    assert len(shown) == 5
    for name, *own in shown:
        assert own == [
            f"{order}, {difference}" for order, difference in zip(page[name][::2], page[name][1::2], strict=True)
        ]


def test_table_5_by_convention_is_that_of_the_committed_page():
    page = [row for row in rows_of("table_5_conventions") if row[0] == "25" and len(row) > 4]
    names = [row[1] if row[1] == "print" else f"{row[1]}, {row[2].removeprefix('miou_')}" for row in page]
    levels, differences = [], []
    for name, row in zip(names, page, strict=True):
        if len(row) == 11:
            levels.append([name, *row[3:8], re.sub("CDnCNN-B|S-SAID|U-SAID", lambda own: own[0][0], row[9]), row[10]])
        else:
            differences.append([name, *row[3:]])
    title = "Which mIoU is Table V's?"
    assert shown_rows(title, "| segmenter, convention | noisy |") == levels
    assert shown_rows(title, "| segmenter, convention | S-SAID - CDnCNN-B |") == differences


def test_the_rows_of_table_1_are_of_its_sample():
    rows = pd.read_csv(CONVENTIONS / "table_1_sample.csv", keep_default_na=False)
    shown_here = (rows["sigma"] == 25) & (rows["other"] == "") & rows["metric"].isin(["psnr", "ssim"])
    for row in rows[shown_here].itertuples():
        digits = {"psnr": 3, "ssim": 4}[row.metric]
        paper = published(1, "25", row.metric, row.denoiser)
        shown = f"{paper:.{digits}f} | {paper - row.mean:+.{digits}f} | {float(row.rest):.{digits}f} |"
        assert re.search(rf"{DENOISERS[row.denoiser]} \| {row.mean:.{digits}f} \[[^]]+\] \| {re.escape(shown)}", TEXT)


# ------------------------------------------------------------------------------------------------ sentences


def test_what_is_said_of_miou_by_convention():
    rows = pd.read_csv(CONVENTIONS / "table_5_conventions.csv")
    differences = rows[rows["minus"].notna()]
    gain = differences[differences["minus"] == "noisy"]
    said = f"CDnCNN-B is ahead of them by {gain['value'].min():.3f} to {gain['value'].max():.3f}, "
    assert said + f"in print by {gain['printed'].max():.4f} at most" in TEXT
    between = differences[differences["minus"] != "noisy"]
    without_zero = between[between["low"] * between["high"] > 0]
    page = {tuple(row[:3]): row for row in rows_of("table_5_conventions") if len(row) == 11}
    assert page["35", "c7f00197", "miou_per_image"][-2].startswith("**S-SAID > U-SAID > CDnCNN-B")
    assert f"It does so in {page['35', 'c7f00197', 'miou_per_image'][-1]} of resamples." in TEXT
    assert without_zero[["sigma", "minus"]].to_numpy().tolist() == [[25, "cdncnn_b"]]


def test_what_is_said_of_niqes_conventions():
    rows = pd.read_csv(CONVENTIONS / "niqe_conventions.csv").query(
        "denoiser in @names", local_dict={"names": [*DENOISERS]}
    )
    means = rows.groupby(["sigma", "denoiser"]).mean(numeric_only=True)
    change = means["all_matlab"] - means["ours"]
    assert f"the parameters it grows by {change.min():.3f} to {change.max():.3f}" in TEXT
    left = [own - published(6, str(sigma), "niqe", name) for (sigma, name), own in means["all_matlab"].items()]
    assert f"not known of MATLAB's function: {min(left):.3f} to {max(left):.3f}." in TEXT
    turned = means["transposed"] - means["ours"]
    assert f"its means are +{turned.min():.2f} to +{turned.max():.2f} for the three" in TEXT
    others = means[["rgb2gray", "imresize", "exact_window", "whole_blocks", "inverse"]].sub(means["ours"], axis=0)
    assert f"The other five change {others.abs().max(axis=None):.3f} or less." in TEXT


def test_what_is_said_of_letterboxes():
    cells = pd.read_csv(CONVENTIONS / "table_9_settings.csv").query("denoiser != 'noisy'")
    other_orders = set()
    for (setting, metric, sigma), own in cells.groupby(["setting", "metric", "sigma"]):
        if [*own.sort_values("ours")["denoiser"]] != [*own.sort_values("printed")["denoiser"]]:
            other_orders.add((setting, metric, sigma))
    assert other_orders == {(name, "ssim", 15) for name in ("padded", "letterbox_2019", "letterbox_darknet")}
    rows = pd.read_csv(CONVENTIONS / "table_9_settings_rows.csv").query("denoiser == 'cdncnn_b' and sigma == 25")
    images = {name: {*own["image_id"]} for name, own in rows.groupby("setting")}
    assert [len(images[name]) for name in ("letterbox_2019_float", "letterbox_2019")] == [28, 32]
    assert len(images["letterbox_2019"] & images["stored"]) == 12
    for what, count in (
        ("as its code has it", 28),
        ("rounded to 8 bits", 32),
        ("rounded, minus stored; same images", 12),
    ):
        assert f"{what} | {count} |" in TEXT
