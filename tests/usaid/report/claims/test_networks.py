"""The sentence on another network: which columns of an experiment it is about, its verdict, and both gains beside."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usaid.paper import claims
from usaid.report.claims import files as of_files
from usaid.report.claims.files import judge_claims, write_claims
from usaid.report.claims.networks import other_networks
from usaid.report.claims.verdicts import JudgedClaim
from usaid.report.statistics.pages import read_files

ScoreFile = Callable[..., Path]

SIGMAS = (15, 25, 35)
RANDOM = np.random.default_rng(2)
BASE = 4 + RANDOM.normal(scale=0.1, size=24)
NOISE = RANDOM.normal(scale=0.01, size=(8, 24))
NETWORK = {"method": "nets.py:UNet", "options": {"features": 8}}
TRAIN = {"recipe": "paper", "seed": 0, "steps": 5}


def columns_of(score_file: ScoreFile, gains: Mapping[str, float], entries: Mapping[str, Any]) -> list[Path]:
    """Kodak and VOC at all sigmas: a NIQE that is better by the gain of each denoiser."""
    return [
        score_file(
            benchmark,
            name,
            {sigma: {"niqe_matlab": BASE - gain + NOISE[index]} for sigma in SIGMAS},
            entry=entries.get(name, {"method": name, "train": TRAIN}),
        )
        for benchmark in ("kodak_quality", "voc_quality")
        for index, (name, gain) in enumerate(gains.items())
    ]


def trained(loss: str, **changed: Any) -> dict[str, Any]:
    """The entry of a network that the suite trained by a loss."""
    return {**NETWORK, "title": f"mine, {loss}", "train": TRAIN | {"loss": loss} | changed}


def sentence(files: list[Path]) -> JudgedClaim:
    (own,) = (judged for judged in judge_claims(read_files(files)) if judged.claim.id == "another_network")
    return own


GAINS = {"cdncnn_b": 0.0, "u_said": 0.3, "plain": 0.0, "labels": 0.5, "aware": 0.2}
ENTRIES = {"plain": trained("mse"), "labels": trained("supervised"), "aware": trained("unsupervised")}


@pytest.mark.parametrize("order", [1, -1])
def test_columns_are_found_by_what_their_files_say_of_their_training(score_file: ScoreFile, order: int) -> None:
    files = columns_of(score_file, GAINS, ENTRIES)[::order]
    assert other_networks(read_files(files)) == [{"another_unsupervised": "aware", "another_mse": "plain"}]


@pytest.mark.parametrize(
    "entry",
    [
        trained("unsupervised", steps=6),
        trained("unsupervised") | {"options": {"features": 16}},
        trained("unsupervised") | {"method": "nets.py:Other"},
        trained("unsupervised") | {"adapt": {"predicts": "noise"}},
        trained("supervised"),
        {"method": "nets.py:UNet", "train": {"loss": "unsupervised", "seed": 0}},
        {"method": "u_said", "train": TRAIN},
        {"method": "nets.py:UNet"},
    ],
)
def test_what_is_not_trained_alike_is_no_pair(score_file: ScoreFile, entry: dict[str, Any]) -> None:
    files = columns_of(score_file, {"plain": 0.0, "aware": 0.2}, {"plain": trained("mse"), "aware": entry})
    assert other_networks(read_files(files)) == []


def test_seeds_titles_and_benchmarks_make_no_other_network(score_file: ScoreFile) -> None:
    entries = {
        "plain": trained("mse") | {"benchmarks": ["kodak_quality"]},
        "plain_1": trained("mse", seed=1),
        "aware_1": trained("unsupervised", seed=1),
        "aware": trained("unsupervised"),
    }
    files = columns_of(score_file, dict.fromkeys(entries, 0.0), entries)
    assert other_networks(read_files(files)) == [{"another_unsupervised": "aware", "another_mse": "plain"}]


def test_without_another_network_it_is_not_tested(score_file: ScoreFile) -> None:
    own = sentence(columns_of(score_file, {"cdncnn_b": 0.0, "u_said": 0.3}, {}))
    assert (own.verdict, own.in_print.verdict, own.tested) == ("not tested", "not tested", [])
    missing = {finding.missing for finding in own.findings if finding.part.table == 6}
    assert missing == {"another network (unsupervised loss): not in this experiment"}


@pytest.mark.parametrize(("gain", "as_claimed"), [(0.2, 6), (-0.2, 0)])
def test_parts_are_of_the_network_and_beside_them_those_of_the_papers(
    score_file: ScoreFile, gain: float, as_claimed: int
) -> None:
    own = sentence(columns_of(score_file, GAINS | {"aware": gain}, ENTRIES))
    assert {(part.better, part.than) for part in own.claim.parts} == {("aware", "plain")}
    assert {(other.part.better, other.part.than) for other in own.beside} == {("u_said", "cdncnn_b")}
    assert len(own.tested) == 6
    assert own.n_as_claimed == as_claimed
    for finding, other in zip(own.findings, own.beside, strict=True):
        assert (finding.part.table, finding.part.group) == (other.part.table, other.part.group)
        if finding.estimate is not None and other.estimate is not None:
            assert (finding.estimate.value, other.estimate.value) == pytest.approx((gain, 0.3), abs=0.01)


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.2, "holds"), (-0.2, "does not hold"), (0.0, "not certain"), (None, "not tested")]
)
def test_verdict_of_a_network_that_is_scored_everywhere(
    score_file: ScoreFile, monkeypatch: pytest.MonkeyPatch, gain: float | None, verdict: str
) -> None:
    """On Kodak alone, by a sentence that asks for no more."""

    (own,) = (claim for claim in claims.all_claims() if claim.id == "another_network")
    of_kodak = replace(own, parts=tuple(part for part in own.parts if part.table == 6))
    monkeypatch.setattr(of_files, "all_claims", lambda: (of_kodak,))
    gains = {name: more for name, more in (GAINS | {"aware": gain}).items() if more is not None}
    assert sentence(columns_of(score_file, gains, ENTRIES)).verdict == verdict


def test_several_networks_are_all_compared(score_file: ScoreFile) -> None:
    wide = {"options": {"features": 64}}
    entries = ENTRIES | {"wide_mse": trained("mse") | wide, "wide": trained("unsupervised") | wide}
    own = sentence(columns_of(score_file, GAINS | {"wide_mse": 0.0, "wide": 0.1}, entries))
    assert [part.better for part in own.claim.parts[:: len(own.claim.parts) // 2]] == ["aware", "wide"]
    assert len(own.beside) == len(own.findings) == len(own.claim.parts)


def test_the_page_shows_both_gains_side_by_side(score_file: ScoreFile, tmp_path: Path) -> None:
    write_claims(columns_of(score_file, GAINS, ENTRIES), tmp_path)
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| Table VI, σ = 25: NIQE |"))
    assert "| aware − plain | +0.1998" in row
    assert "| U-SAID − CDnCNN-B | +0.2998" in row
    assert "mIoU | aware" not in text
    write_claims(columns_of(score_file, {"u_said": 0.0, "cdncnn_b": 0.0}, {}), tmp_path)
    assert "side by side" not in (tmp_path / "claims.md").read_text(encoding="utf-8")
