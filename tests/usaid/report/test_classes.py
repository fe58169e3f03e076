"""The classes behind a mean: IoU and average precision of each, from score files worked out by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from usaid.errors import UsaidError
from usaid.report.tables.classes import write_classes
from usaid.scores.files import Scores, write_scores

COUNTS = [[8, 2, 0] + [0] * 6, [0, 0, 0, 5, 5, 0] + [0] * 3]
"""Of two images. Together class a has 8 of 15 pixels, class b 5 of 12, class c none: it does not occur."""


def score_file(folder: Path, name: str, benchmark: str, columns: dict[str, Any], **provenance: Any) -> Path:
    rows = pd.DataFrame({"image_id": ["1", "2"], "image_sha256": "0", "sigma": 25.0, "draw": 0, **columns})
    everything = {
        "experiment": "x", "benchmark": benchmark, "denoiser": name, "title": name, "entry": {}, "deviations": [],
        "judge": {"class_names": ["a", "b", "c"], "left_out": ["b"], "category_names": {"1": "person", "3": "car"}},
        "metrics": [*columns], "weights_sha256": None, "code_hash": "0",
        "dataset": {"name": "x", "split": "val", "n": 2, "n_official": 2, "subset": None, "ids_sha256": "0"},
        "config_sha256": "0", "noise_version": 1, "git": {"commit": None, "dirty": None}, "packages": {},
        "python": "3", "platform": "p", "device": "cpu", "precision": "float32", "seconds": {}, "pixels": 10,
        "pixels_per_second": 7, "failure": None,
    } | provenance  # fmt: skip
    path = folder / benchmark / f"{name}.parquet"
    write_scores(path, Scores(rows if everything["failure"] is None else rows[:0], everything))
    return path


def test_each_class_of_each_benchmark(tmp_path):
    matches = [[[1, 0.9, 1, 0], [3, 0.8, 1023, 0]], [[1, 0.7, 0, 0]]]
    found = {"matches": matches, "objects": [[[1, 1], [3, 1]], [[1, 1]]]}
    files = [
        score_file(tmp_path, "noisy", "deepglobe_segmentation", {"confusion": COUNTS}),
        score_file(tmp_path, "u_said", "deepglobe_segmentation", {"confusion": [[1] * 9] * 2}),
        score_file(tmp_path, "broken", "deepglobe_segmentation", {"confusion": COUNTS}, failure="no GPU"),
        score_file(tmp_path, "noisy", "coco_detection", found),
    ]
    write_classes(files, tmp_path)
    assert (tmp_path / "classes.csv").read_text().splitlines() == [
        "benchmark,convention,sigma,class,denoiser,value",
        "deepglobe_segmentation,miou_dataset,25,a,noisy,0.5333",
        "deepglobe_segmentation,miou_dataset,25,b,noisy,",
        "deepglobe_segmentation,miou_dataset,25,c,noisy,",
        "deepglobe_segmentation,miou_dataset,25,a,u_said,0.2000",
        "deepglobe_segmentation,miou_dataset,25,b,u_said,",
        "deepglobe_segmentation,miou_dataset,25,c,u_said,0.2000",
        "coco_detection,ap50_coco,25,person,noisy,0.5050",
        "coco_detection,ap50_coco,25,car,noisy,1.0000",
    ]
    text = (tmp_path / "classes.md").read_text().splitlines()
    assert "## deepglobe_segmentation, sigma 25, miou_dataset" in text
    assert "| a | 0.5333 | 0.2000 |" in text
    assert "| c | – | 0.2000 |" in text


def test_scores_without_classes_or_of_other_images_are_refused(tmp_path):
    with pytest.raises(UsaidError, match=r"noisy\.parquet: scores of kodak_quality have no classes"):
        write_classes([score_file(tmp_path, "noisy", "kodak_quality", {"psnr_rgb_float": 30.0})], tmp_path)
    one = score_file(tmp_path, "noisy", "voc_segmentation", {"confusion": COUNTS})
    other = score_file(tmp_path, "u_said", "voc_segmentation", {"confusion": COUNTS}, noise_version=2)
    with pytest.raises(UsaidError, match="noise_version is 1 in the first and 2 in the second"):
        write_classes([one, other], tmp_path)
