"""Splits opened by name, and as an experiment names them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kinds.readers import WIDTH, picture, refusal, save, save_text

from usaid.datasets.loading import load, load_for, load_images
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import checked_experiment
from usaid.registries import DATASETS

FOLDERS = {"train": "Training", "val": "Validation"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images, 8 * WIDTH wide, of each split of ISIC 2018, and lists."""
    for folder in FOLDERS.values():
        for number in (5, 7):
            name = f"ISIC_000000{number}"
            pixels = np.tile(picture(number), (8, 8, 1))
            save(tmp_path / f"isic2018/ISIC2018_Task1-2_{folder}_Input/{name}.jpg", pixels)
            mask = np.zeros(pixels.shape[:2], np.uint8)
            save(tmp_path / f"isic2018/ISIC2018_Task1_{folder}_GroundTruth/{name}_segmentation.png", mask)
    save_text(tmp_path / "all.txt", "ISIC_0000005\nISIC_0000007\n")
    save_text(tmp_path / "one.txt", "ISIC_0000007\n")
    return tmp_path


def experiment_on(root: Path, **settings: Any) -> Experiment:
    return checked_experiment(
        {
            "experiment": "test",
            "data_root": str(root),
            "subsets": {"isic2018/train": "all.txt", "isic2018/val": "all.txt"},
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {"isic_segmentation": {"sigmas": [25], "segmenter": {"checkpoint": "pspnet.pt"}} | settings},
        }
    )


def test_every_data_set_of_the_paper_has_a_reader() -> None:
    assert {"voc2012", "kodak", "isic2018", "deepglobe", "cifar100", "coco"} <= set(DATASETS.own)


def test_unknown_data_sets_are_refused(tmp_path: Path) -> None:
    message = refusal(lambda: load("imagenet", tmp_path, "val"))
    assert message == f"imagenet: no data set of this name; one of {', '.join(DATASETS)}"


def test_a_list_lies_below_the_data_root_or_below_the_working_folder(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    save_text(elsewhere / "mine.txt", "ISIC_0000005\n")
    save_text(elsewhere / "one.txt", "ISIC_0000005\n")
    monkeypatch.chdir(elsewhere)
    assert load("isic2018", root, "train", "mine.txt").ids == ("ISIC_0000005",)
    assert load("isic2018", root, "train", "one.txt").ids == ("ISIC_0000007",)  # the data root's comes first
    assert load("isic2018", root, "train", elsewhere / "one.txt").ids == ("ISIC_0000005",)


def test_an_experiment_names_lists(root: Path) -> None:
    experiment = experiment_on(root)
    assert load_for(experiment, "isic2018", "train").ids == ("ISIC_0000005", "ISIC_0000007")
    save_text(root / "all.txt", "ISIC_0000005\n")
    assert load_for(experiment, "isic2018", "train").ids == ("ISIC_0000005",)
    assert load_images(experiment, "isic2018/val").ids == ("ISIC_0000005",)


def test_a_benchmark_can_have_a_list_and_a_size_of_its_own(root: Path) -> None:
    experiment = experiment_on(root, subset="one.txt", longest_side=4 * WIDTH)
    scored = load_for(experiment, "isic2018", "val", "isic_segmentation")
    assert scored.ids == ("ISIC_0000007",)
    assert scored["ISIC_0000007"].image.shape[1] == 4 * WIDTH
    trained_on = load_for(experiment, "isic2018", "train", "isic_segmentation")
    assert trained_on.ids == ("ISIC_0000005", "ISIC_0000007")
    assert trained_on["ISIC_0000007"].image.shape[1] == 4 * WIDTH
    others = load_for(experiment, "isic2018", "val")
    assert (len(others), others.view) == (2, None)
