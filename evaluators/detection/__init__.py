"""Detection of objects in denoised images by a network trained on clean ones (Table IX)."""

from usaid.cards import Benchmark

CARDS = (
    Benchmark(
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
    ),
)
