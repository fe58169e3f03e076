"""Detection of objects in denoised images by a network trained on clean ones (Table IX)."""

from dataclasses import replace

from usaid.cards import Benchmark

_CARD = Benchmark(
    "coco_detection",
    "coco",
    "val",
    judge="evaluators.detection.judge:make_judge",
    settings="evaluators.detection.settings:DetectionSettings",
    metrics=("psnr", "ssim", "map", "map_2019", "ap"),
    training="evaluators.detection.training:train_detector",
    network="yolov3",
    cost="evaluators.detection.cost:cost",
    shown="evaluators.detection.shown:shown",
)

CARDS = (_CARD, replace(_CARD, name="coco_detection_stored", variant_of="coco_detection"))
