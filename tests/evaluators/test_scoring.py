"""One job: images of one shape go together, rows come out in order, and whatever fails names its image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from evaluators import scoring
from evaluators.benchmarks import BENCHMARKS, JUDGE_MODULES, detector_cfg, detector_name, judge_path, trained_on_a_part
from evaluators.judge import Judge
from evaluators.scoring import Condition, Stopwatch, conditions_of, score_images, score_source_hash
from usaid.checkpoints import write_weights
from usaid.datasets.base import Dataset, Sample
from usaid.denoisers import build_denoiser
from usaid.denoisers.base import Denoiser, Facts
from usaid.errors import UsaidError
from usaid.scores.files import Journal
from usaid.paper.layouts import SCORE_TABLES

SHAPES = {"a": (8, 12), "b": (12, 8), "c": (8, 12), "d": (8, 12), "e": (4, 4)}


class Shapes(Dataset):
    """Five images of three shapes; the target is the image's name."""

    name, title, official_counts = "shapes", "Shapes", {"all": 5}

    def find_ids(self) -> Sequence[str]:
        return [*SHAPES]

    def read(self, image_id: str) -> Sample:
        return Sample(image_id, np.full((*SHAPES[image_id], 3), 128, np.uint8), image_id)


class Recording(Judge):
    """Notes the batches that it sees; its statistic is a list of numbers."""

    metrics = ("counts", "width")

    def __init__(self, fails_on: str = "") -> None:
        self.batches: list[str] = []
        self.fails_on = fails_on

    def look(self, denoised: torch.Tensor) -> int:
        return denoised.shape[3]

    def score(self, seen: int, denoised: torch.Tensor, clean: torch.Tensor, targets: Sequence[Any]) -> dict[str, Any]:
        self.batches.append("".join(targets))
        if self.fails_on in targets:
            raise ValueError("no such\nthing")
        return {"counts": torch.arange(2 * len(targets)).reshape(-1, 2), "width": [seen] * len(targets)}


class Told(Denoiser):
    """Non-blind; works in steps of ten, and adds to its images what it was told."""

    facts = Facts("Told", False, False, False, False, "MIT", "none")

    def __init__(self) -> None:
        self.calls: list[float | None] = []

    def hears(self, told_sigma: float) -> float:
        return round(told_sigma, -1)

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        self.calls.append(told_sigma)
        return noisy


def run(
    judge: Judge,
    folder: Path,
    sigmas: Sequence[float] = (25,),
    draws: int = 1,
    denoiser: Denoiser | None = None,
    told_sigmas: Sequence[float | str] = ("oracle",),
) -> list[dict[str, Any]]:
    denoiser = denoiser or build_denoiser("noisy")
    conditions = conditions_of(denoiser, sigmas, draws, told_sigmas)
    journal = Journal(folder / "journal", {})
    clock = Stopwatch(denoiser.device)
    try:
        rows, _ = score_images(denoiser, Shapes(folder, "all"), judge, conditions, journal, clock)
    finally:
        journal.close()
    assert {"decode", "noise", "denoiser", "network", "metric"} >= clock.seconds.keys()
    return rows


def test_images_of_one_shape_are_denoised_together_and_rows_come_in_order(tmp_path, monkeypatch):
    monkeypatch.setitem(scoring.PIXELS_PER_BATCH, "cpu", 2 * 8 * 12)
    judge = Recording()
    rows = run(judge, tmp_path, sigmas=(15, 25), draws=2)
    assert list(dict.fromkeys(judge.batches)) == ["ac", "b", "d", "e"]
    assert [(row["image_id"], row["sigma"], row["draw"]) for row in rows] == [
        (image_id, sigma, draw) for image_id in "abcde" for sigma in (15.0, 25.0) for draw in (0, 1)
    ]
    assert {(row["image_id"], row["width"]) for row in rows} == {(i, SHAPES[i][1]) for i in SHAPES}
    assert [row["counts"] for row in rows if row["image_id"] in "ac"] == [[0, 1]] * 4 + [[2, 3]] * 4


def test_few_images_wait_for_others_of_their_shape(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "WAITING", 1)
    judge = Recording()
    rows = run(judge, tmp_path)
    assert judge.batches == ["a", "b", "cd", "e"]
    assert [row["image_id"] for row in rows] == [*SHAPES]


def test_a_failing_judge_names_the_image_and_the_others_stay_scored(tmp_path, monkeypatch):
    monkeypatch.setitem(scoring.PIXELS_PER_BATCH, "cpu", 1)
    with pytest.raises(UsaidError, match=r"^image c: ValueError: no such thing$"):
        run(Recording(fails_on="c"), tmp_path)
    judge = Recording()
    assert [row["image_id"] for row in run(judge, tmp_path)] == [*SHAPES]
    assert judge.batches == ["c", "d", "e"]  # what was scored before is not scored again


def test_non_blind_methods_are_told_each_level_and_equal_cells_are_computed_once(tmp_path):
    """Settings I and II of Table IV: at sigma 25 both are one experiment."""
    told = Told()
    told.hears = lambda level: level
    rows = run(Recording(), tmp_path, (15, 25, 35), 1, told, ("oracle", 25))
    assert [(row["sigma"], row["told_sigma"]) for row in rows if row["image_id"] == "a"] == [
        (15, 15),
        (15, 25),
        (25, 25),
        (35, 35),
        (35, 25),
    ]
    batches = 3  # of images of one shape
    assert sorted(told.calls) == sorted([15, 25, 25, 35, 25] * batches)


def test_levels_that_come_to_the_same_share_one_computation_and_have_a_row_each(tmp_path):
    told, judge = Told(), Recording()
    rows = run(judge, tmp_path, (35,), 1, told, ("oracle", 38, 12))
    assert [row["told_sigma"] for row in rows if row["image_id"] == "e"] == [35, 38, 12]
    assert told.calls == [35, 12] * 3
    assert len({str(row["counts"]) for row in rows if row["image_id"] == "a" and row["told_sigma"] != 12}) == 1
    judge.batches.clear()
    assert run(judge, tmp_path, (35,), 1, told, ("oracle", 38, 12)) == rows
    assert judge.batches == [], "all of it was in the journal"


def test_blind_methods_ignore_what_they_are_told(tmp_path):
    judge = Recording()
    rows = run(judge, tmp_path, (15, 25), 1, None, ("oracle", 25))
    assert {row["told_sigma"] for row in rows} == {None}
    assert len(rows) == 2 * len(SHAPES)


def test_a_class_without_facts_is_refused():
    class Unknown(Told):
        facts = None

        def hears(self, told_sigma: float) -> float | None:
            return Denoiser.hears(self, told_sigma)

    with pytest.raises(UsaidError, match="Unknown: has no attribute 'facts'"):
        conditions_of(Unknown(), [25], 1, ["oracle"])


def test_a_told_sigma_of_zero_is_refused():
    told = Told()
    told.hears = lambda level: Denoiser.hears(told, level)
    with pytest.raises(UsaidError, match="told sigma = 0: must be a finite number > 0"):
        conditions_of(told, [0, 25], 1, ["oracle"])


def test_each_benchmark_goes_to_the_tables_that_are_made_from_it():
    for name, benchmark in BENCHMARKS.items():
        assert benchmark.tables == tuple(n for n, spec in SCORE_TABLES.items() if name in spec.benchmarks)
    assert {name for spec in SCORE_TABLES.values() for name in spec.benchmarks} == BENCHMARKS.keys()


def test_a_score_depends_on_the_code_of_its_own_judge_only():
    hashes = {name: score_source_hash("noisy", name) for name in BENCHMARKS}
    assert hashes["kodak_quality"] == hashes["voc_quality"]
    assert len(set(hashes.values())) == len(JUDGE_MODULES)


@pytest.mark.parametrize(
    ("network", "name", "cfg", "weights"),
    [
        ("darknet:yolov3,weights/yolov3.weights", "yolov3", "yolov3", "data/weights/yolov3.weights"),
        ("darknet:nets/my.cfg,nets/my.weights", "my", Path("data/nets/my.cfg"), "data/nets/my.weights"),
        ("yolov3u", "yolov3u", None, "data/weights/yolov3u.pt"),
    ],
)
def test_detectors_by_name(network, name, cfg, weights):
    assert detector_name(network) == name
    if cfg is not None:
        assert detector_cfg(network, "data") == cfg
    experiment = {"benchmarks": {"coco_detection": {"detector": {"network": network}}}}
    assert judge_path("coco_detection", experiment, "results/x", "data") == weights


def test_a_judge_that_is_trained_lies_with_the_results():
    experiment = {"benchmarks": {"voc_segmentation": {"segmenter": {"network": "fpn", "train": {}}}}}
    path = judge_path("voc_segmentation", experiment, "results/x", "data")
    assert path == "results/x/weights/voc_segmentation.safetensors"
    experiment["benchmarks"]["voc_segmentation"]["segmenter"] = {"checkpoint": "mine.safetensors"}
    assert judge_path("voc_segmentation", experiment, "results/x", "data") == "data/mine.safetensors"


def test_training_on_a_part_of_the_images_is_told(tmp_path):
    network = torch.nn.Linear(1, 1)
    for n, found in ((311, ["trained on 311 of the 1,464 images of voc2012/train"]), (1464, [])):
        write_weights(network, tmp_path / "w.safetensors", {"n_images": n, "images": "voc2012/train"})
        assert trained_on_a_part(tmp_path / "w.safetensors") == found
    assert trained_on_a_part(tmp_path / "w.safetensors", "isic2018/train") != []
    write_weights(network, tmp_path / "w.safetensors", {})
    assert trained_on_a_part(tmp_path / "w.safetensors") == []


def test_pixels_that_do_not_decode_fail_the_job_with_the_file(tmp_path):
    class Files(Shapes):
        def read(self, image_id: str) -> Sample:
            from usaid.images import read_rgb

            return Sample(image_id, read_rgb(self.data_root / f"{image_id}.png"), image_id)

    for image_id in SHAPES:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{image_id}.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:40])
    journal = Journal(tmp_path / "journal", {})
    denoiser = build_denoiser("noisy")
    conditions = [Condition(25, 0, (None,))]
    with pytest.raises(UsaidError, match=r"c\.png: does not decode"):
        score_images(denoiser, Files(tmp_path, "all"), Recording(), conditions, journal, Stopwatch(denoiser.device))
    journal.close()
