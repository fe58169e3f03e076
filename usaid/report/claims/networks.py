"""Sentences on another network than the paper's: which columns of an experiment are trained as its own two are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from usaid.experiment.seeds import without_seed
from usaid.paper.claims import ANOTHER_NETWORK, Claim
from usaid.report.statistics.sections import ScoreFiles

Columns = Mapping[str, str]
"""Who a sentence speaks of -> the column that it is in an experiment."""

_PAPERS: Columns = {"another_unsupervised": "u_said", "another_mse": "cdncnn_b"}


def other_networks(files: ScoreFiles) -> list[Columns]:
    """The networks of an experiment that the suite trained by both losses, and alike in all else.

    Score files say it: the recipe of their denoiser names its loss, which those of the paper's methods do not. Of
    several training seeds the column of the lowest stands for all.
    """
    entries = {
        denoiser: scores.provenance.get("entry", {})
        for of_benchmark in files.main.values()
        for denoiser, scores in of_benchmark.items()
    }
    of_networks = {
        name: entry for name, entry in entries.items() if {"recipe", "loss"} <= (entry.get("train") or {}).keys()
    }
    found: dict[str, dict[str, str]] = {}
    for denoiser, entry in sorted(of_networks.items(), key=lambda item: (item[1]["train"]["seed"], item[0])):
        found.setdefault(_network(entry), {}).setdefault(entry["train"]["loss"], denoiser)
    return [
        {name: columns[loss] for name, loss in ANOTHER_NETWORK.items()}
        for columns in found.values()
        if columns.keys() >= {*ANOTHER_NETWORK.values()}
    ]


def on_networks(claim: Claim, networks: Sequence[Columns]) -> Claim:
    """A sentence on another network as one on each of an experiment's; the same sentence where there is none."""
    return _with(claim, networks) if networks and is_on_another(claim) else claim


def on_the_papers(claim: Claim, networks: Sequence[Columns]) -> Claim:
    """The same sentence on U-SAID and CDnCNN-B: part for part what :func:`on_networks` makes of it."""
    return _with(claim, [_PAPERS] * len(networks))


def is_on_another(claim: Claim) -> bool:
    """Whether a sentence is on another network than the paper's."""
    return any({part.better, part.than} & ANOTHER_NETWORK.keys() for part in claim.parts)


def _with(claim: Claim, networks: Sequence[Columns]) -> Claim:
    """A sentence with the columns of each network in the place of the one that it speaks of."""
    parts = [
        replace(part, better=columns.get(part.better, part.better), than=columns.get(part.than, part.than))
        for columns in networks
        for part in claim.parts
    ]
    return replace(claim, parts=tuple(parts))


def _network(entry: Mapping[str, Any]) -> str:
    """What an entry's network is trained from but for loss and seed, as text."""
    train = {key: value for key, value in entry["train"].items() if key != "loss"}
    return without_seed({**entry, "train": train, "benchmarks": None, "sigmas": None})
