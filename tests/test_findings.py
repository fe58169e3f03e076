"""What docs/findings.md says is in the committed files."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results/reference"
TEXT = " ".join((ROOT / "docs/findings.md").read_text(encoding="utf-8").split())

NUMBER = r"[+-]?\d+\.\d+"
INTERVALS = sorted(set(re.findall(rf"({NUMBER})(?: dB| points)? \[({NUMBER}), ({NUMBER})\]", TEXT)))


@pytest.fixture(scope="module")
def estimates() -> np.ndarray:
    """(N, 3): value, low and high of every score and difference of the committed runs, and of the opposite ones."""
    tables = [pd.read_csv(path)[["value", "low", "high"]] for path in REFERENCE.glob("*/statistics/*.csv")]
    own = pd.concat(tables).dropna().to_numpy()
    return np.concatenate([own, -own[:, [0, 2, 1]]])


def test_intervals_are_found():
    assert len(INTERVALS) > 60


@pytest.mark.parametrize("interval", INTERVALS, ids=" ".join)
def test_an_interval_is_one_of_the_statistics(interval, estimates):
    shown, digits = np.array(interval, dtype=float), [len(text.partition(".")[2]) for text in interval]
    off = np.abs(estimates - shown) - 0.501 * 10.0 ** -np.array(digits)
    assert (off < 0).all(axis=1).any()


def test_verdicts_and_sentences_are_counted_right():
    verdicts = pd.read_csv(REFERENCE / "released/tables/verdicts.csv").verdict.value_counts()
    counts = [verdicts[word] for word in ("holds", "does not hold", "not comparable", "not tested")]
    said = "Of {} printed numbers {} hold, {} do not, {} are not comparable (other images, networks or conventions)"
    said += " and {} are not tested"
    assert said.format(sum(counts), *counts) in TEXT
    claims = pd.read_csv(REFERENCE / "released/claims.csv")
    found = claims.verdict.value_counts()
    words = ("holds", "does not hold", "not certain", "not comparable", "not tested")
    said = "Of {} sentences {} hold, {} do not, {} are not certain, {} not comparable and {} not tested"
    assert said.format(len(claims), *(found[word] for word in words)) in TEXT
    follows = claims.print.value_counts()
    said = "{} follow from the paper's own tables, {} do not, and of {} it cannot be told"
    assert said.format(*(follows[word] for word in ("follows", "does not follow", "cannot be told"))) in TEXT


@pytest.mark.parametrize("sigma", [15, 25, 35])
def test_table_6_is_the_committed_one(sigma):
    cells = pd.read_csv(REFERENCE / "released/tables/table_6.csv", dtype=str, keep_default_na=False)
    for metric in ("psnr", "ssim"):
        rows = cells.query("metric == @metric and group == @group", local_dict={"metric": metric, "group": str(sigma)})
        own = rows.set_index("denoiser").loc[["cdncnn_b", "s_said", "u_said"]]
        shown = " | ".join(f"{cell.ours} ({cell.paper})" for cell in own.itertuples())
        assert f"| {metric.upper()} | {shown} |" in TEXT
