"""Every judge looks and scores on a GPU without leaving it, as far as a GPU without values can tell."""

import importlib.util

import numpy as np
import pytest
import torch
import torchvision
import yaml
from fake_gpu import outside
from opencv import require_opencv
from torch import Tensor
from torchvision.ops import nms

from evaluators.classification.judge import ClassificationJudge
from evaluators.classification.network import Classifier, cifar_resnet
from evaluators.detection.darknet.cfg import read_cfg
from evaluators.detection.darknet.network import Darknet, DarknetDetector
from evaluators.detection.detector import Detections
from evaluators.detection.judge import DetectionJudge
from evaluators.detection.yolov3u import Yolov3u, import_ultralytics
from evaluators.metrics.niqe import FEATURES, PristineModel, niqe
from evaluators.quality.judge import QualityJudge
from evaluators.segmentation.judge import SegmentationJudge
from evaluators.segmentation.networks import Segmenter, _network
from usaid.registries import METRICS, load_object

GREY, SPREAD = (0.5,) * 3, (0.25,) * 3


def batch(device: torch.device, count: int = 2, height: int = 72, width: int = 88) -> Tensor:
    """float32 (count, 3, height, width) without values."""
    return torch.rand(count, 3, height, width, device=device)


def test_quality_is_scored_on_the_gpu(cuda):
    pristine = PristineModel("niqe_fitted", torch.zeros(FEATURES).double(), torch.eye(FEATURES).double())
    judge = QualityJudge(pristine, "")
    denoised = batch(cuda, height=200, width=210)
    assert judge.look(denoised) is None
    columns = judge.score(None, denoised, batch(cuda, height=200, width=210), [None, None])
    assert set(columns) == {"psnr_rgb_float", "ssim_skimage7", "niqe_fitted"}
    for name, values in columns.items():
        assert (values.device.type, values.dtype, len(values)) == ("cuda", torch.float64, 2), name
    values = niqe(denoised, pristine)
    assert (values.device.type, values.shape) == ("cuda", (2,))


def test_metrics_of_single_images_run_on_the_gpu(cuda):
    conventions = [each for metric in METRICS.own.values() for each in metric.conventions if not each.of_whole_set]
    for convention in conventions:
        if convention.compute and convention.package is None:  # packages make networks, which have to have values
            values = load_object(convention.compute)(batch(cuda), batch(cuda))
            assert values.device.type == "cuda", convention.name


def test_a_clean_image_left_on_the_cpu_is_seen(cuda):
    for convention in METRICS.own["psnr"].conventions + METRICS.own["ssim"].conventions:
        with pytest.raises(RuntimeError, match="device"):
            load_object(convention.compute)(batch(cuda), batch(torch.device("cpu")))


def test_images_are_classified_on_the_gpu(cuda):
    judge = ClassificationJudge(Classifier(outside(cifar_resnet)(8), GREY, SPREAD, cuda), {}, [])
    images = batch(cuda, 4, 32, 32)
    logits = judge.look(images)
    assert (logits.device.type, logits.shape) == ("cuda", (4, 100))
    columns = judge.score(logits, images, images, [3, 1, 4, 1])
    assert {values.device.type for values in columns.values()} == {"cuda"}


@pytest.mark.parametrize("input_size", [None, (96, 64)])
@pytest.mark.parametrize(
    ("architecture", "encoder"), [("fpn", "resnet101"), ("pspnet", "resnet101"), ("fpn", "efficientnet_lite0")]
)
def test_images_are_segmented_on_the_gpu(cuda, architecture, encoder, input_size):
    segmenter = Segmenter(_network(architecture, encoder, 3), 3, GREY, SPREAD, cuda, input_size)
    judge = SegmentationJudge(segmenter, ("sky", "sea", "sand"), (), {}, [])
    images = batch(cuda)
    seen = judge.look(images)
    assert (seen.device.type, seen.shape, seen.dtype) == ("cuda", (2, 72, 88), torch.int64)
    labels = [np.zeros((72, 88), np.uint8)] * 2
    confusion = judge.score(seen, images, images, labels)["confusion"]
    assert (confusion.device.type, confusion.shape, confusion.dtype) == ("cuda", (2, 9), torch.int64)


def are_on_the_gpu(detections: list[Detections], count: int) -> bool:
    """Whether a detector answered for each of ``count`` images, all on the GPU."""
    parts = (part for each in detections for part in (*each[:3], *(each.confident or ())))
    return len(detections) == count and all(part.device.type == "cuda" for part in parts)


@pytest.mark.parametrize("letterbox", [True, False])
def test_darknet_detects_on_the_gpu(cuda, letterbox):
    detector = DarknetDetector(outside(Darknet)(read_cfg("miniature")), cuda, letterbox=letterbox)
    judge, images = DetectionJudge(detector, range(detector.classes), {}, []), batch(cuda)
    seen = judge.look(images)
    assert are_on_the_gpu(seen, 2)
    columns = judge.score(seen, images, images, [[], []])
    assert are_on_the_gpu(columns["detections"], 2)
    assert {columns[name].device.type for name in ("psnr_rgb_float", "ssim_skimage7")} == {"cuda"}


def yolov3u_network() -> torch.nn.Module:
    """YOLOv3-tinyu with random weights."""
    require_opencv()
    package = import_ultralytics()
    description = yaml.safe_load((package.descriptions / "yolov3-tiny.yaml").read_text())
    return package.detection_model(description, nc=5, verbose=False).eval()


@pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="ultralytics is not installed")
def test_yolov3u_detects_on_the_gpu(cuda, monkeypatch):
    def one_of_two_ways(boxes: Tensor, scores: Tensor, classes: Tensor, overlap: float) -> Tensor:
        """torchvision's ``batched_nms`` chooses by the number of boxes, which hangs on values."""
        return nms(boxes + classes[:, None] * 4096, scores, overlap)

    monkeypatch.setattr(torchvision.ops, "batched_nms", one_of_two_ways)
    assert are_on_the_gpu(Yolov3u(outside(yolov3u_network)(), 5, cuda)(batch(cuda)), 2)
