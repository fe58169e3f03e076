"""Segmentation of denoised images by a network trained on clean ones (Tables V and VII)."""

from dataclasses import replace
from typing import Any

from usaid.cards import Benchmark

_SHARED: dict[str, Any] = {
    "judge": "evaluators.segmentation.judge:make_judge",
    "cost": "evaluators.segmentation.cost:cost",
    "settings": "evaluators.segmentation.settings:SegmentationSettings",
    "training": "evaluators.segmentation.training:train_segmenter",
    "metrics": ("miou", "miou_per_image"),
    "shown": "evaluators.segmentation.shown:shown",
}

_OF_VOC = {"metrics": ("miou", "miou_per_image", "miou_foreground_21")}  # of 21 classes, the first of them background

_VOC = Benchmark("voc_segmentation", "voc2012", "val", network="fpn", **_SHARED | _OF_VOC)

CARDS = (
    _VOC,
    replace(_VOC, name="voc_segmentation_released_code", variant_of="voc_segmentation"),
    Benchmark("isic_segmentation", "isic2018", "val", network="pspnet", **_SHARED),
    Benchmark("deepglobe_segmentation", "deepglobe", "val", network="pspnet", **_SHARED),
)
