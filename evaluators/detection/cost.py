"""What detectors cost: the products of their convolutions, on images that are made as large as their input."""

from evaluators.detection.settings import DetectionSettings
from usaid.costs import Cost

FLOP = {"yolov3": 140.7e9, "yolov3u": 140.7e9, "miniature": 0.062e9}
"""For each image, forward: 608x608 (Redmon & Farhadi 2018, table 3), and the demo's. Others are counted as YOLOv3."""

FULL_SIDE = 608
"""Of the input of YOLOv3 for which this is counted, in pixels."""

WEIGHTS = {"miniature": 0.8e6}
"""Bytes; those of others as YOLOv3's, 248e6."""


def cost(settings: DetectionSettings, n_images: int) -> Cost:
    """Of the network; what trains passes forward once and backward twice."""
    detector = settings.detector
    flop = FLOP.get(detector.name, FLOP["yolov3"]) / 1e12
    if detector.input_size is not None:
        flop *= (detector.input_size / FULL_SIDE) ** 2
    recipe, training = detector.train, {}
    if recipe is not None:
        training = {"detector": 3 * flop * recipe.steps * recipe.batch, "step of a detector": float(recipe.steps)}
        training["image read"] = float(n_images)
    return Cost(
        pixel={"psnr and ssim": 1e-6},
        image={"detector": flop, "boxes": 1},
        training=training,
        weights=WEIGHTS.get(detector.name, 248e6),
        memory=1500,
        training_memory=0 if recipe is None else 4e7 * recipe.batch,
    )
