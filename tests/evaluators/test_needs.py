"""What an experiment reads from outside: all of it, nothing else, and whether it is there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evaluators.dag.dag import Dag
from evaluators.dag.needs import Need, needs_of, to_fetch
from usaid.datasets.items import FIRST_USE, NONE_GIVEN, WHOLE_HASH, items_of
from usaid.datasets.miniature.writer import write_miniature
from usaid.experiment.reading import checked_experiment, read_experiment

CONFIG = Path(__file__).parents[2] / "config"
CLASSIFIER = {"network": "resnet8", "checkpoint": "mine.pth", "mean": [0.5] * 3, "std": [0.5] * 3}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def needs(**changes: Any) -> dict[str, Need]:
    """What a small experiment needs, by name."""
    experiment = {
        "experiment": "small",
        "data_root": "data",
        "denoisers": {"noisy": {"method": "noisy"}},
        "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    }
    return {need.name: need for need in needs_of(Dag(checked_experiment(experiment | changes)))}


def write_kodak(root: Path, count: int) -> None:
    root.joinpath("kodak").mkdir(parents=True)
    for number in range(1, count + 1):
        Image.new("RGB", (8, 8)).save(root / f"kodak/kodim{number:02d}.png")


def test_needs_no_torch() -> None:
    code = "import sys, evaluators.dag.needs; print(json.dumps(sorted(sys.modules)))".replace("sys, ", "json, sys, ")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CONFIG.parent)
    assert {"torch", "pandas", "snakemake"} & set(json.loads(done.stdout)) == set()


class TestWhatItReads:
    """Splits, files and packages by name."""

    def test_one_benchmark_needs_its_split_and_its_judges_file(self) -> None:
        assert [*needs()] == ["kodak/all", "niqe/niqe_live_pris_params.npz"]
        assert [*needs(niqe="niqe_matlab")] == ["kodak/all", "niqe/niqe_matlab_params.mat"]
        assert [*needs(niqe="niqe_fitted")] == ["kodak/all", "voc2012/train"]

    def test_a_judge_that_is_named_needs_no_training_images(self) -> None:
        named = needs(benchmarks={"cifar100_classification": {"sigmas": [25], "classifier": CLASSIFIER}})
        assert [*named] == ["cifar100/test", "mine.pth"]
        trained = {"cifar100_classification": {"sigmas": [25], "classifier": {"network": "resnet8", "train": {}}}}
        assert [*needs(benchmarks=trained)] == ["cifar100/train", "cifar100/test"]

    def test_an_encoder_from_a_package_is_no_download(self) -> None:
        segmenter = {"network": "fpn", "encoder": "efficientnet_lite0", "train": {}}
        found = needs(benchmarks={"voc_segmentation": {"sigmas": [25], "segmenter": segmenter}})
        assert [*found] == ["voc2012/train", "voc2012/val", "efficientnet_lite0"]
        named = segmenter | {"encoder_weights": "weights/own.pth"}
        found = needs(benchmarks={"voc_segmentation": {"sigmas": [25], "segmenter": named}})
        assert [*found] == ["voc2012/train", "voc2012/val", "weights/own.pth"]

    def test_generated_data_are_no_need(self) -> None:
        dag = Dag(read_experiment(CONFIG / "smoke.yaml"))
        assert [need.name for need in needs_of(dag)] == ["efficientnet_lite0"]

    def test_scores_of_an_earlier_run_are_one(self, folder: Path) -> None:
        scores = folder / "earlier/scores/kodak_quality"
        scores.mkdir(parents=True)
        entry = {"method": "noisy", "scores_from": "earlier"}
        assert needs(denoisers={"noisy": entry})["earlier/scores/kodak_quality/noisy.parquet"].state == "missing"
        scores.joinpath("noisy.parquet").touch()
        assert needs(denoisers={"noisy": entry})["earlier/scores/*/noisy.parquet"].state == "there"

    @pytest.mark.parametrize("name", ["paper", "released", "released_code"])
    def test_what_the_full_experiments_read_is_fetched_or_needs_an_account(self, name: str) -> None:
        """No file that nobody publishes."""
        missing = needs_of(Dag(read_experiment(CONFIG / f"{name}.yaml")))
        by_hand = [need for need in missing if not need.can_be_fetched]
        assert {need.name.partition("/")[0] for need in by_hand} == {"deepglobe"}
        assert all("account" in need.cure for need in by_hand)
        assert set(to_fetch(missing)) == {"voc2012", "kodak", "cifar100", "isic2018", "coco", "niqe_live"} | (
            {"yolov3", "resnet101"} | ({"released"} if name == "released" else set())
        )
        assert all(need.licence != NONE_GIVEN and need.citation != NONE_GIVEN for need in missing)


class TestWhetherItIsThere:
    """State, counts and sizes."""

    def test_images_are_counted(self, folder: Path) -> None:
        write_kodak(folder / "data", 23)
        kodak = needs()["kodak/all"]
        assert (kodak.state, kodak.found, kodak.official, kodak.can_be_fetched) == ("part", 23, 24, True)
        assert kodak.cure == "usaid data fetch kodak --data-root data"
        (last,) = [item for item in items_of("kodak") if item.place == "kodak/kodim24.png"]
        assert kodak.size == last.size

    def test_a_list_of_ids_is_all_that_is_wanted(self, folder: Path) -> None:
        write_kodak(folder / "data", 3)
        (folder / "two.txt").write_text("kodim01\nkodim03\n")
        found = needs(subsets={"kodak/all": "two.txt"})
        assert (found["kodak/all"].state, found["kodak/all"].found, found["kodak/all"].official) == ("there", 2, 2)
        assert found["two.txt"].state == "there"
        (folder / "two.txt").write_text("kodim01\nkodim04\n")
        assert needs(subsets={"kodak/all": "two.txt"})["kodak/all"].found == 1

    def test_where_the_list_is_missing_it_is_missing_itself(self, folder: Path) -> None:
        write_kodak(folder / "data", 24)
        found = needs(subsets={"kodak/all": "no.txt"})
        assert (found["kodak/all"].state, found["kodak/all"].official) == ("there", 24)
        assert (found["no.txt"].state, found["no.txt"].can_be_fetched) == ("missing", False)
        assert found["no.txt"].cure == "put it at no.txt, or correct the key that names it"

    def test_all_is_there_in_generated_data(self, folder: Path) -> None:
        write_miniature(folder / "data")
        shutil.rmtree(folder / "data/isic2018/ISIC2018_Task1-2_Validation_Input")
        segmenter = {"network": "pspnet", "encoder": "efficientnet_lite0", "train": {}}
        found = needs(benchmarks={"isic_segmentation": {"sigmas": [25], "segmenter": segmenter}})
        assert found["isic2018/train"].state == "part"
        assert (found["isic2018/val"].state, found["isic2018/val"].found) == ("missing", 0)

    def test_a_folder_that_cannot_be_read_is_said(self, folder: Path) -> None:
        write_miniature(folder / "data")
        (folder / "data/coco/annotations/instances_val2017.json").write_text("{")
        found = needs(benchmarks={"coco_detection": {"sigmas": [25], "detector": {"network": "yolov3u"}}})
        assert found["coco/val"].state == "missing"
        assert "instances_val2017.json: is not JSON" in found["coco/val"].cure
        assert found["coco/val"].cure.endswith("usaid data fetch coco --data-root data")

    def test_what_is_shared_is_downloaded_once(self) -> None:
        segmenter = {"network": "fpn", "train": {}}
        found = needs(benchmarks={"voc_segmentation": {"sigmas": [25], "segmenter": segmenter}})
        (archive,) = items_of("voc2012")
        assert (found["voc2012/train"].size, found["voc2012/val"].size) == (archive.size, 0)
        assert to_fetch(found.values()) == {"voc2012": {"train", "val"}, "resnet101": None}

    def test_what_came_in_part_is_not_downloaded_again(self, folder: Path) -> None:
        part = folder / "data/niqe/niqe_live_pris_params.npz.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(bytes(850))
        need = needs()["niqe/niqe_live_pris_params.npz"]
        assert (need.state, need.size) == ("part", 11000)

    def test_what_nobody_vouches_for_says_so_until_it_is_pinned(self, folder: Path) -> None:
        name = "niqe/niqe_matlab_params.mat"
        assert needs(niqe="niqe_matlab")[name].trust == FIRST_USE
        assert needs()["niqe/niqe_live_pris_params.npz"].trust == WHOLE_HASH
        (folder / "data").mkdir()
        (folder / "data/pins.sha256").write_text(f"# mine\n{'a' * 64}  {name}\n")
        assert needs(niqe="niqe_matlab")[name].trust == "pinned by you (data/pins.sha256, line 2)"
