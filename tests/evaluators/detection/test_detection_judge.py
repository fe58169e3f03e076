"""The detection judge beside a plain run of pycocotools, matching worked by hand, and the results file."""

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from kinds.judges import Batch, JudgeTests
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from evaluators.detection import judge as detection_judge
from evaluators.detection import shown as detection_shown
from evaluators.detection.darknet.cfg import read_cfg
from evaluators.detection.darknet.network import Darknet, DarknetDetector
from evaluators.detection.detector import Confident, Detections
from evaluators.detection.judge import (
    NOISE_ON_STORED,
    DetectionJudge,
    coco_results,
    count_objects,
    make_judge,
    match,
    write_detections,
)
from usaid.checkpoints import write_weights
from usaid.datasets.coco import COCO as COCOReader
from usaid.datasets.coco import Instance
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment
from usaid.files import sha256_of_file
from usaid.scores.average_precision import average_precision
from usaid.scores.kept_images import Box

CATEGORY_IDS = (1, 3, 18, 44, 62, 90)
ALL = (1 << 10) - 1


class Scripted:
    """A detector that finds in the n-th image what it was told."""

    def __init__(self, findings: list[Detections], classes: int = len(CATEGORY_IDS)) -> None:
        self.findings = findings
        self.classes = classes
        self.has_objectness = any(detections.confident is not None for detections in findings)

    def __call__(self, images: torch.Tensor) -> list[Detections]:
        assert len(images) == len(self.findings)
        return self.findings


class BrightPatches:
    """A detector that finds the one bright patch of an image; it is of the first class if higher than wide."""

    classes = len(CATEGORY_IDS)
    has_objectness = True

    def __call__(self, images: torch.Tensor) -> list[Detections]:
        return [self.look(image.clamp(0, 1).mean(dim=0)) for image in images]

    def look(self, image: torch.Tensor) -> Detections:
        bright = image > 0.5
        rows, columns = bright.any(dim=1).nonzero()[:, 0], bright.any(dim=0).nonzero()[:, 0]
        (top, bottom), (left, right) = ((int(where[0]), int(where[-1]) + 1) for where in (rows, columns))
        width, height = right - left, bottom - top
        patch = found((int(width >= height), left, top, width, height, float(image[bright].mean())))
        return patch._replace(confident=Confident(*patch[:3]))


class TestDetectionJudge(JudgeTests):
    benchmarks = ("coco_detection",)
    best: ClassVar = {"ssim_skimage7": 1.0}

    def make(self) -> DetectionJudge:
        record = {"network": "patches", "category_names": {str(number): "thing" for number in CATEGORY_IDS}}
        return DetectionJudge(BrightPatches(), CATEGORY_IDS, record, ["a stand-in"])

    def batch(self) -> Batch:
        """An object of 8x4 in the first image and one of 4x10 in the second."""
        clean = torch.full((2, 3, 16, 24), 0.2)
        clean[0, :, 3:7, 5:13] = clean[1, :, 4:14, 2:6] = 0.75
        objects = (Instance(3, (5, 3, 8, 4), False, 32), Instance(1, (2, 4, 4, 10), False, 40))
        return Batch(clean, [[instance] for instance in objects])

    def test_a_case_worked_by_hand(self) -> None:
        """What is shifted by two of eight columns overlaps by 6 / 10: at 0.50, 0.55 and 0.60."""
        clean = self.batch().clean
        shifted = clean.clone()
        shifted[0] = clean[0].roll(2, dims=2)
        columns = self.scored(shifted)
        assert columns["detections"] == [[[3, 7.0, 3.0, 8.0, 4.0, 0.75]], [[1, 2.0, 4.0, 4.0, 10.0, 0.75]]]
        assert columns["matches"] == [[[3, 0.75, 0b111, 0]], [[1, 0.75, ALL, 0]]]
        assert columns["matches_2019"] == [[[3, 0.75, 1, 0]], [[1, 0.75, 1, 0]]]
        assert columns["objects"] == [[[3, 1]], [[1, 1]]]
        wrong = 2 * 2 * 4 / (16 * 24)  # the share of pixels that are off by 0.55
        assert columns["psnr_rgb_float"][0] == pytest.approx(-10 * np.log10(wrong * 0.55**2), abs=1e-4)


def judged(findings: list[Detections], targets: list[list[Instance]]) -> dict[str, list]:
    """What the judge says of grey images with these detections and objects."""
    judge = DetectionJudge(Scripted(findings), CATEGORY_IDS, {}, [])
    images = torch.full((len(targets), 3, 8, 8), 0.5)
    columns = judge.judged(images, images, targets)
    assert tuple(columns) == judge.metrics
    return columns


def found(*rows: tuple[float, ...]) -> Detections:
    """Detections from rows of class, x, y, width, height, score."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, 1:5], table[:, 5], table[:, 0].long())


def random_scene(rng: np.random.Generator) -> tuple[Detections, list[Instance]]:
    """Objects, a third of them crowds, and detections around them and elsewhere, with few different scores."""
    objects = rng.integers(0, 7) * (rng.random() < 0.8)
    classes = rng.integers(0, len(CATEGORY_IDS), int(objects))
    corners, sizes = rng.uniform(0, 60, (len(classes), 2)), rng.uniform(5, 40, (len(classes), 2))
    crowd = rng.random(len(classes)) < 0.3
    instances = [
        Instance(CATEGORY_IDS[index], (*corner.tolist(), *size.tolist()), bool(is_crowd), float(size.prod()))
        for index, corner, size, is_crowd in zip(classes, corners, sizes, crowd, strict=True)
    ]
    near = np.repeat(np.hstack([corners, sizes]), 4, axis=0)
    near = (near * rng.uniform(0.9, 1.1, near.shape)).round(3)
    far = rng.uniform(1, 50, (rng.integers(0, 30) if rng.random() < 0.8 else 0, 4))
    boxes = np.vstack([near, far])
    guesses = np.concatenate([np.repeat(classes, 4), rng.integers(0, len(CATEGORY_IDS), len(far))])
    wrong = rng.random(len(guesses)) < 0.1
    guesses[wrong] = rng.integers(0, len(CATEGORY_IDS), wrong.sum())
    scores = np.sort(rng.choice([0.1234567, 0.3, 0.5, 0.77777, 0.9], len(boxes)))[::-1]
    order = rng.permutation(len(boxes))
    rows = np.column_stack([guesses[order], boxes[order], scores])
    return found(*map(tuple, rows.tolist())), instances


def plain_precision(annotations: dict, results: str, image_ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """AP (10, K), -1 without objects, and the six first summary numbers, as pycocotools' own demonstration has them."""
    with contextlib.redirect_stdout(None):
        truth = COCO(annotations)
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.params.imgIds = image_ids
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.eval["precision"][:, :, :, 0, 2].mean(axis=1), evaluation.stats


@pytest.fixture(scope="module")
def thirty_images(tmp_path_factory):
    """Ids, judged columns, and the files of a plain pycocotools run."""
    folder = tmp_path_factory.mktemp("coco")
    rng = np.random.default_rng(3)
    findings, targets = map(list, zip(*(random_scene(rng) for _ in range(30)), strict=True))
    findings[4], targets[7], findings[9], targets[9] = found(), [], found(), []
    ids = sorted(rng.choice(10**6, 30, replace=False).tolist())
    columns = {name: [] for name in ("detections", "matches", "objects")}
    for start in range(0, 30, 7):  # batches, as a run has them
        batch = judged(findings[start : start + 7], targets[start : start + 7])
        for name, values in columns.items():
            values += batch[name]
    objects = [(image_id, one) for image_id, instances in zip(ids, targets, strict=True) for one in instances]
    annotations = [
        {"id": number, "image_id": image_id, "category_id": one.category_id, "bbox": list(one.bbox)}
        | {"iscrowd": int(one.iscrowd), "area": one.area}
        for number, (image_id, one) in enumerate(objects, 1)
    ]
    images, categories = [{"id": image_id} for image_id in ids], [{"id": number} for number in CATEGORY_IDS]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(content))
    write_detections(folder / "results.json", coco_results(map(str, ids), columns["detections"]))
    return ids, columns, str(folder / "instances.json"), str(folder / "results.json")


@pytest.mark.parametrize("chosen", [slice(None), slice(0, 11), slice(1, 30, 3), slice(20, 21)])
def test_precision_from_statistics_is_that_of_a_plain_run(thirty_images, chosen):
    ids, columns, annotations, results = thirty_images
    expected, summary = plain_precision(annotations, results, ids[chosen])
    average = average_precision(columns["matches"][chosen], columns["objects"][chosen])
    columns_of_expected = np.searchsorted(CATEGORY_IDS, average.category_ids)
    without_objects = np.isnan(average.precision)
    np.testing.assert_array_equal(without_objects, expected[:, columns_of_expected] < 0)
    difference = np.where(without_objects, 0, average.precision - expected[:, columns_of_expected])
    assert np.abs(difference).max() < 1e-12
    assert np.abs(np.array([average.ap50_95, average.ap50]) - summary[:2]).max() < 1e-12


def test_what_the_annotation_file_says_is_found_perfectly(tmp_path):
    """From the file over the reader to the number: what a detector finds that knows the file has AP50 1."""
    boxes = {3: [4, 4, 20, 20], 90: [36, 4, 20, 20]}
    annotations = [
        {"id": number, "image_id": 1, "category_id": category_id, "bbox": box, "area": 400, "iscrowd": 0}
        for number, (category_id, box) in enumerate(boxes.items())
    ]
    categories = [{"id": number, "name": str(number)} for number in CATEGORY_IDS]
    content = {"images": [{"id": 1, "width": 64, "height": 48}], "categories": categories, "annotations": annotations}
    file = tmp_path / "coco/annotations/instances_val2017.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "coco/val2017").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "coco/val2017/000000000001.jpg")
    (sample,) = COCOReader(tmp_path, "val")
    classes = torch.tensor([CATEGORY_IDS.index(category_id) for category_id in boxes])
    perfect = Detections(torch.tensor(list(boxes.values())).float(), torch.tensor([0.9, 0.8]), classes)
    columns = judged([perfect], [sample.target])
    assert average_precision(columns["matches"], columns["objects"]).ap50 == pytest.approx(1, abs=1e-12)


def test_the_thirty_images_hold_what_can_go_wrong(thirty_images):
    _, columns, _, _ = thirty_images
    assert 0.05 < average_precision(columns["matches"], columns["objects"]).ap50 < 0.95
    assert any(not rows for rows in columns["detections"])
    assert any(not rows for rows in columns["objects"])
    assert any(count == 0 for rows in columns["objects"] for _, count in rows)
    scores = [(row[0], row[-1]) for rows in columns["detections"] for row in rows]
    assert len(set(scores)) < len(scores) / 5
    assert any(ignored for rows in columns["matches"] for *_, ignored in rows)


def test_rows_name_categories_and_are_rounded_and_json():
    boxes = found((5, 1.23456, 2.0, 3.999, 4.005, 0.987654321), (0, 0.0, 0.0, 8.0, 8.0, 1e-7))
    columns = judged([boxes], [[]])
    assert columns["detections"] == [[[90, 1.23, 2.0, 4.0, 4.01, 0.98765], [1, 0.0, 0.0, 8.0, 8.0, 0.0]]]
    assert columns["matches"] == [[[90, 0.98765, 0, 0], [1, 0.0, 0, 0]]]
    assert columns["objects"] == [[]]
    statistics = {name: columns[name] for name in ("detections", "matches", "objects")}
    assert json.loads(json.dumps(statistics)) == statistics


def test_the_hundred_best_of_each_category_are_kept():
    rows = [(n % 2, n / 10, 0.0, 5.0, 5.0, 1 - n / 1000) for n in range(230)]
    detections = judged([found(*rows)], [[]])["detections"][0]
    assert Counter(row[0] for row in detections) == dict.fromkeys({row[0] for row in detections}, 100)
    assert len(detections) == 200
    assert detections[-1][-1] == pytest.approx(1 - 0.199, abs=1e-5)


def test_matching_by_hand():
    """Object 10x10 at the origin. A box of 10x6 overlaps it by 0.6: at 0.50, 0.55 and 0.60.

    The better-scored of two detections takes the object; where its overlap is too small the next one gets it. In a
    crowd only the share of the detection that lies in it counts, and it may hold any number of them.
    """
    one = Instance(3, (0, 0, 10, 10), False, 100)
    crowd = Instance(3, (100, 100, 50, 50), True, 2500)
    rows = [
        [3, 0, 0, 10, 6, 0.9],
        [1, 0, 0, 10, 10, 0.8],
        [3, 0, 0, 10, 10, 0.7],
        [3, 110, 110, 5, 5, 0.6],
        [3, 110, 120, 5, 5, 0.5],
        [3, 110, 145, 5, 10, 0.4],
    ]
    at_050_to_060 = 0b111
    (matches,) = match([rows], [[one, crowd]])
    assert matches == [
        [3, 0.9, at_050_to_060, 0],
        [1, 0.8, 0, 0],
        [3, 0.7, ALL - at_050_to_060, 0],
        [3, 0.6, ALL, ALL],
        [3, 0.5, ALL, ALL],
        [3, 0.4, 1, 1],
    ]
    assert count_objects([one, crowd]) == [[3, 1]]
    assert count_objects([crowd, Instance(1, (0, 0, 1, 1), False, 1)]) == [[1, 1], [3, 0]]


def test_images_of_a_batch_are_matched_apart():
    one = Instance(1, (0, 0, 10, 10), False, 100)
    row = [1, 0, 0, 10, 10, 0.5]
    assert match([[row], [row], [], [row]], [[one], [], [one], [one]]) == [
        [[1, 0.5, ALL, 0]],
        [[1, 0.5, 0, 0]],
        [],
        [[1, 0.5, ALL, 0]],
    ]


def test_quality_is_of_the_denoised_image():
    judge = DetectionJudge(Scripted([found(), found()]), CATEGORY_IDS, {"network": "scripted"}, ["a stand-in"])
    clean = torch.full((2, 3, 8, 8), 0.5)
    denoised = clean + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    columns = judge.judged(denoised, clean, [[], []])
    torch.testing.assert_close(columns["psnr_rgb_float"], torch.tensor([20.0, 40.0]).double(), atol=1e-4, rtol=0)
    assert columns["ssim_skimage7"].shape == (2,)
    assert columns["matches"] == columns["objects"] == columns["detections"] == [[], []]
    assert (judge.record, judge.deviations) == ({"network": "scripted"}, ["a stand-in"])


def test_matching_prints_nothing(capsys):
    judged([found((0, 0, 0, 4, 4, 0.5))], [[Instance(1, (0, 0, 4, 4), False, 16)]])
    assert capsys.readouterr() == ("", "")


def test_detectors_of_other_classes_are_refused():
    with pytest.raises(UsaidError, match="knows 80 classes, the annotation file 6 categories; give weights"):
        DetectionJudge(Scripted([], classes=80), CATEGORY_IDS, {}, [])


def test_findings_are_written_for_each_sigma_and_draw(tmp_path):
    judge = DetectionJudge(Scripted([]), CATEGORY_IDS, {}, [])
    rows = [
        {"image_id": image_id, "sigma": sigma, "draw": 0, "detections": [[3, 1.5, 2.0, 3.0, 4.25, sigma / 100]]}
        for image_id in ("139", "285")
        for sigma in (15.0, 25.0)
    ]
    judge.write_findings(rows, tmp_path / "usaid")
    assert all("detections" not in row for row in rows)
    assert sorted(path.name for path in (tmp_path / "usaid").iterdir()) == [
        "detections_sigma15_draw0.json",
        "detections_sigma25_draw0.json",
    ]
    assert json.loads((tmp_path / "usaid" / "detections_sigma25_draw0.json").read_text()) == [
        {"image_id": image_id, "category_id": 3, "bbox": [1.5, 2.0, 3.0, 4.25], "score": 0.25}
        for image_id in (139, 285)
    ]


def test_findings_of_a_method_that_is_told_two_levels_are_kept_apart(tmp_path):
    judge = DetectionJudge(Scripted([]), CATEGORY_IDS, {}, [])
    row = {"image_id": "139", "sigma": 15.0, "draw": 0, "detections": []}
    judge.write_findings([row | {"told_sigma": 15.0}, row | {"told_sigma": 25.0}], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "detections_sigma15_draw0_told15.json",
        "detections_sigma15_draw0_told25.json",
    ]


def test_results_from_a_score_file_have_whole_ids(tmp_path):
    rows = np.array([[18.0, 0.5, 1.0, 2.0, 3.0, 0.25]])
    write_detections(tmp_path / "results.json", coco_results(["9"], [rows.tolist()]))
    text = (tmp_path / "results.json").read_text()
    assert text == '[{"image_id":9,"category_id":18,"bbox":[0.5,1.0,2.0,3.0],"score":0.25}]'


# From an experiment

SMALL = """[net]
width=32
height=32
[convolutional]
filters=7
size=1
stride=8
activation=linear
[yolo]
mask=0
anchors=10,20
classes=2
"""


def made_judge(
    folder: Path, network: str, weights: str, of_benchmark: dict[str, Any] | None = None, **keys: Any
) -> DetectionJudge:
    """The judge of COCO for a detector of two classes; the file of weights says that it saw 100 training images."""
    (folder / "small.cfg").write_text(SMALL)
    write_weights(Darknet(read_cfg(folder / "small.cfg")), folder / weights, {"n_images": 100})
    categories = [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "car"}]
    content = {"images": [{"id": 9, "width": 8, "height": 8}], "annotations": [], "categories": categories}
    (folder / "coco" / "annotations").mkdir(parents=True)
    (folder / "coco" / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    detector = {"network": network, "sha256": sha256_of_file(folder / weights), **keys}
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": str(folder),
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {"coco_detection": {"sigmas": [25], "detector": detector} | (of_benchmark or {})},
        }
    )
    file = Path(experiment.benchmarks["coco_detection"].judge_file("coco_detection", experiment.places))
    assert file == folder / weights
    judge = make_judge("coco_detection", experiment, file, torch.device("cpu"))
    assert isinstance(judge, DetectionJudge)
    return judge


def test_the_record_names_the_detector_and_the_categories_in_order(tmp_path):
    judge = made_judge(tmp_path, "darknet:small.cfg,net.safetensors", "net.safetensors", letterbox=False)
    assert judge.record == {
        "network": "small",
        "weights_sha256": sha256_of_file(tmp_path / "net.safetensors"),
        "category_names": {"3": "car", "90": "toothbrush"},
        "input_size": [*judge.detector.input_size],
        "letterbox": False,
    }
    assert judge.category_ids == [3, 90]
    assert judge.deviations == [
        "detector: small stands in for the paper's YOLOv3",
        "detector trained on 100 of the 118,287 images of coco/train",
        NOISE_ON_STORED,
        "detector: images are stretched to its input, not letterboxed",
    ]
    assert isinstance(judge.detector, DarknetDetector)
    assert not judge.detector.letterbox


def test_the_papers_detector_deviates_in_nothing(tmp_path):
    (tmp_path / "yolov3.cfg").write_text(SMALL)
    on_input = {"noise_on": "network_input", "letterbox_size": 64}
    names = "darknet:yolov3.cfg,yolov3.safetensors", "yolov3.safetensors"
    judge = made_judge(tmp_path, *names, on_input, input_size=64)
    assert judge.record["network"] == "yolov3"
    assert judge.deviations == ["detector trained on 100 of the 118,287 images of coco/train"]
    assert judge.detector.letterbox
    assert judge.detector.input_size == (64, 64)


def test_inputs_of_another_size_and_darknets_letterbox_are_deviations(tmp_path):
    (tmp_path / "yolov3.cfg").write_text(SMALL)
    keys = {"noise_on": "network_input", "letterbox_size": 96, "letterbox_resampling": "darknet"}
    judge = made_judge(tmp_path, "darknet:yolov3.cfg,net.safetensors", "net.safetensors", keys, letterbox=False)
    width, height = judge.detector.input_size
    assert judge.deviations[1:] == [
        "images are letterboxed as Darknet does it",
        f"detector: letterboxed images of 96x96 pixels are fitted into its {width}x{height}",
    ]


def test_yolov3u_is_loaded_as_itself(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(detection_judge, "load_yolov3u", lambda *_: Scripted([], classes=2))
    monkeypatch.setattr(Scripted, "input_size", (640, 640), raising=False)
    judge = made_judge(tmp_path, "yolov3u", "weights/yolov3u.pt")
    assert isinstance(judge.detector, Scripted)
    assert judge.deviations[0] == "detector: yolov3u stands in for the paper's YOLOv3"


def test_shown_are_boxes_that_are_likely_enough_and_the_true_ones_without_crowds():
    names = {str(number): f"thing {number}" for number in CATEGORY_IDS}
    findings = found((1, 1.234, 2, 3, 4, 0.9), (0, 5, 6, 7, 8, 0.31), (0, 5, 6, 7, 8, 0.3))
    judge = DetectionJudge(Scripted([findings]), CATEGORY_IDS, {"category_names": names}, [])
    objects = [Instance(18, (1, 2, 3, 4), False, 12), Instance(1, (0, 0, 9, 9), True, 81)]
    seen, truth = detection_shown.shown(judge, None, judge.look(torch.zeros(1, 3, 8, 8)), objects)
    assert seen.boxes == (Box(1.23, 2, 3, 4, "thing 3", 0.9), Box(5, 6, 7, 8, "thing 1", 0.31))
    assert truth.boxes == (Box(1, 2, 3, 4, "thing 18", None),)
