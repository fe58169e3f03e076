"""The judge of Table IX: a detector behind the denoiser, its boxes matched to COCO's, with PSNR and SSIM."""

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from evaluators.detection.darknet.network import load_darknet
from evaluators.detection.detector import Detections, Detector
from evaluators.detection.matching_2019 import match_2019
from evaluators.detection.yolov3u import load_yolov3u
from evaluators.judge import Judge, trained_on_a_part
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from usaid.datasets.loading import load_for
from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically
from usaid.registries import BENCHMARKS
from usaid.scores.average_precision import as_bits

if TYPE_CHECKING:
    from evaluators.detection.settings import DetectionSettings, DetectorSettings
    from usaid.datasets.coco import COCO as COCOReader
    from usaid.datasets.coco import Instance
    from usaid.experiment.experiment import Experiment

TITLES = {"yolov3": "YOLOv3"}
"""The paper's networks, as footnotes call them."""

NOISE_ON_STORED = "noise is added to stored images; print's, as far as can be told, to images letterboxed to 416x416"
"""Of `noise_on: stored` (PROTOCOL section 5)."""

MOST_DETECTIONS = 100
"""So many of a category in an image are scored, the best ones: the limit of COCO's evaluation."""


def make_judge(benchmark: str, experiment: "Experiment", judge_file: Path, device: torch.device) -> Judge:
    """The judge of a benchmark; the paper's network is on its card, the categories are in the annotation file.

    Args:
        benchmark: one of the experiment's, with :class:`evaluators.detection.settings.DetectionSettings`.
        experiment: whose settings count.
        judge_file: weights of the detector.
        device: where to compute.

    Raises:
        UsaidError: weights, cfg or annotation file are missing or damaged, or do not belong together.
    """
    of_benchmark = cast("DetectionSettings", experiment.benchmarks[benchmark])
    settings = of_benchmark.detector
    card = BENCHMARKS[benchmark]
    detector = load_detector(settings, experiment.data_root, judge_file, device)
    deviations = []
    if (papers := card.network) is not None and settings.name != papers:
        deviations.append(f"detector: {settings.name} stands in for the paper's {TITLES.get(papers, papers)}")
    deviations += [f"detector {text}" for text in trained_on_a_part(judge_file, f"{card.dataset}/train")]
    deviations += _of_input(of_benchmark, detector)
    categories = cast("COCOReader", load_for(experiment, card.dataset, card.split)).categories
    names = {str(category_id): categories[category_id] for category_id in sorted(categories)}
    record: dict[str, Any] = {
        "network": settings.name,
        "weights_sha256": sha256_of_file(judge_file),
        "category_names": names,
        "input_size": [*detector.input_size],
        "letterbox": settings.letterbox,
    }
    return DetectionJudge(detector, sorted(categories), record, deviations)


def load_detector(settings: "DetectorSettings", data_root: str | Path, weights: Path, device: torch.device) -> Detector:
    """The detector that settings name, with its trained weights; as :func:`make_judge`."""
    if settings.network == "yolov3u":
        return load_yolov3u(weights, settings.sha256, device)
    cfg, size = settings.cfg(data_root), settings.input_size
    return load_darknet(cfg, weights, settings.sha256, device, letterbox=settings.letterbox, input_size=size)


def _of_input(settings: "DetectionSettings", detector: Detector) -> list[str]:
    """How the detector's input differs from the paper's, as far as that can be told (PROTOCOL section 5)."""
    width, height = detector.input_size
    if settings.noise_on == "stored":
        stretched = (
            [] if settings.detector.letterbox else ["detector: images are stretched to its input, not letterboxed"]
        )
        return [NOISE_ON_STORED, *stretched]
    sentences, side = [], settings.letterbox_size
    if settings.letterbox_resampling != "pytorch_yolov3_2019":
        sentences.append("images are letterboxed as Darknet does it")
    if (width, height) != (side, side):
        sentences.append(f"detector: letterboxed images of {side}x{side} pixels are fitted into its {width}x{height}")
    return sentences


class DetectionJudge(Judge):
    """Detects objects in denoised images and keeps what COCO's average precision is made from (paper, section IV-D).

    Its columns, beside PSNR and SSIM, are lists of rows; pixels are those of the image that is scored, which a view may
    have letterboxed:

    * ``detections``: category id, x, y of the upper left corner, width, height (pixels, two decimals), score (five
      decimals); best first, at most 100 of a category. Rounding comes before matching: the COCO results file that is
      written from them has exactly the same score.
    * ``matches``: for each detection what :func:`usaid.scores.average_precision.average_precision` needs.
    * ``matches_2019``, of detectors that have objectness: what :func:`usaid.scores.all_points.all_points_precision`
      needs.
    * ``objects``: category id and number of objects that count, for each category with objects in the image.
    """

    def __init__(
        self, detector: Detector, category_ids: Sequence[int], record: dict[str, Any], deviations: list[str]
    ) -> None:
        """
        Args:
            detector: whose class i is the i-th of the ascending ``category_ids``.
            category_ids: of the annotation file; COCO's 80 classes have numbers from 1 to 90.
            record: of the detector (name, hash of its weights), for score files.
            deviations: how it differs from the paper's.

        Raises:
            UsaidError: the detector knows another number of classes.
        """
        if detector.classes != len(category_ids):
            raise UsaidError(
                f"detector: knows {detector.classes} classes, the annotation file {len(category_ids)} categories; "
                "give weights that were trained on this data set"
            )
        further = ("matches_2019",) if detector.has_objectness else ()
        self.metrics = ("psnr_rgb_float", "ssim_skimage7", "detections", "matches", *further, "objects")
        self.detector = detector
        self.category_ids = sorted(category_ids)
        self.record = record
        self.deviations = deviations

    def look(self, denoised: Tensor) -> list[Detections]:
        return self.detector(denoised)

    def score(
        self, seen: list[Detections], denoised: Tensor, clean: Tensor, targets: Sequence[list["Instance"]]
    ) -> dict[str, Tensor | Sequence[Any]]:
        return {
            "psnr_rgb_float": psnr_rgb_float(denoised, clean),
            "ssim_skimage7": ssim_skimage7(denoised, clean),
            "detections": seen,
        }

    def finish(
        self, columns: Mapping[str, Any], targets: Sequence[list["Instance"]]
    ) -> Mapping[str, Tensor | Sequence[Any]]:
        """Match the detections to the objects."""
        detections = [self._rows(detections) for detections in columns["detections"]]
        matches, objects = match(detections, targets), [count_objects(instances) for instances in targets]
        pairs = [(found.confident, instances) for found, instances in zip(columns["detections"], targets, strict=True)]
        of_2019 = [match_2019(found, instances, self.category_ids) for found, instances in pairs if found is not None]
        further = {"matches_2019": of_2019} if self.detector.has_objectness else {}
        return {**columns, "detections": detections, "matches": matches, **further, "objects": objects}

    def write_findings(self, rows: list[dict[str, Any]], folder: Path) -> None:
        """Write ``detections`` as COCO results files, one for each sigma, draw and told sigma, and drop the column."""
        files: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            told = "" if row.get("told_sigma") is None else f"_told{row['told_sigma']:g}"
            files[f"detections_sigma{row['sigma']:g}_draw{row['draw']}{told}.json"] += coco_results(
                [row["image_id"]], [row.pop("detections")]
            )
        for name, results in files.items():
            write_detections(folder / name, results)

    def _rows(self, detections: Detections) -> list[list[float]]:
        """The best detections of an image as rows of the column ``detections``."""
        columns = torch.hstack([detections.classes[:, None], detections.boxes, detections.scores[:, None]])
        table = columns.double().cpu().numpy()
        rank = pd.Series(table[:, 0]).groupby(table[:, 0]).cumcount()
        classes, *box, scores = table[rank < MOST_DETECTIONS].T
        rows = zip(np.round(box, 2).T.tolist(), np.round(scores, 5).tolist(), strict=True)
        return [
            [self.category_ids[int(index)], *corner_and_size, score]
            for index, (corner_and_size, score) in zip(classes, rows, strict=True)
        ]


def match(
    detections: Sequence[Sequence[Sequence[float]]], targets: Sequence[Sequence["Instance"]]
) -> list[list[list[float]]]:
    """Match the detections of each image to its objects with ``pycocotools``: all areas, 100 at most of a category.

    Args:
        detections: for each image, rows of the column ``detections`` of :class:`DetectionJudge`.
        targets: for each image, its objects.

    Returns:
        For each image and detection: category id, score, and the IoU thresholds at which it is matched and ignored, as
        :func:`usaid.scores.average_precision.as_bits` writes them.
    """
    objects = [
        {"id": number, "image_id": image, "iscrowd": int(instance.iscrowd)}
        | {"category_id": instance.category_id, "bbox": list(instance.bbox), "area": instance.area}
        for number, (image, instance) in enumerate(_with_image(targets), 1)
    ]
    present = {(annotation["image_id"], annotation["category_id"]) for annotation in objects}
    boxes = [
        {"id": number, "image_id": image, "score": score}
        | {"category_id": category_id, "bbox": box, "area": box[2] * box[3]}
        for number, (image, (category_id, *box, score)) in enumerate(_with_image(detections), 1)
        if (image, category_id) in present  # the others match nothing, and COCOeval would take its time over each
    ]
    matched, ignored = np.zeros((2, sum(map(len, detections)) + 1), dtype=np.int64)
    for matches in _evaluated(objects, boxes):
        matched[matches["dtIds"]] = as_bits(matches["dtMatches"] > 0)
        ignored[matches["dtIds"]] = as_bits(matches["dtIgnore"])
    statistics = zip(matched[1:].tolist(), ignored[1:].tolist(), strict=True)
    return [[[row[0], row[-1], *next(statistics)] for row in rows] for rows in detections]


def _with_image(rows_of_images: Iterable[Iterable[Any]]) -> Iterator[tuple[int, Any]]:
    """Each row with the number of its image."""
    return ((image, row) for image, rows in enumerate(rows_of_images) for row in rows)


def _evaluated(objects: list[dict[str, Any]], boxes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What ``COCOeval`` finds for each image and category with objects."""
    with contextlib.redirect_stdout(None):  # pycocotools reports each step
        evaluation = COCOeval(_in_memory(objects), _in_memory(boxes), "bbox")
        evaluation.params.imgIds = sorted({annotation["image_id"] for annotation in objects})
        evaluation.params.catIds = sorted({annotation["category_id"] for annotation in objects})
        evaluation.params.areaRng, evaluation.params.maxDets = evaluation.params.areaRng[:1], [MOST_DETECTIONS]
        evaluation.evaluate()
    return [matches for matches in evaluation.evalImgs if matches is not None]


def _in_memory(annotations: list[dict[str, Any]]) -> COCO:
    """An annotation file that never was one. Ids are above 0, which stands for "not matched" in COCOeval."""
    content = COCO()
    content.dataset = {"annotations": annotations, "categories": []}
    content.createIndex()
    return content


def count_objects(instances: Sequence["Instance"]) -> list[list[int]]:
    """Category id and number of objects that are no crowd, for each category with objects in an image, ascending."""
    counts: Counter[int] = Counter()
    for instance in instances:
        counts[instance.category_id] += not instance.iscrowd
    return [[category_id, counts[category_id]] for category_id in sorted(counts)]


def coco_results(image_ids: Iterable[str], detections: Iterable[Iterable[Sequence[float]]]) -> list[dict[str, Any]]:
    """Detections in COCO's results format.

    Args:
        image_ids: COCO's integer ids, as text.
        detections: for each image, rows of the column ``detections`` of :class:`DetectionJudge`.

    Returns:
        One dictionary a detection: ``image_id``, ``category_id``, ``bbox`` (x, y, width, height in pixels), ``score``.
    """
    return [
        {"image_id": int(image_id), "category_id": int(category_id), "bbox": [*box], "score": score}
        for image_id, rows in zip(image_ids, detections, strict=True)
        for category_id, *box, score in rows
    ]


def write_detections(path: str | Path, results: Sequence[dict[str, Any]]) -> None:
    """Write what :func:`coco_results` made as a COCO results file (JSON), atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(results, separators=(",", ":")), encoding="utf-8")
