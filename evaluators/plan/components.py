"""The suite's own components, each timed on small generated input: seconds of a unit of each kind of work.

Weights are random: they change no time.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from evaluators.classification.cost import FLOP_OF_8, FLOP_OF_SIX_LAYERS
from evaluators.classification.network import CifarResNet
from evaluators.detection.batches import ImagesWithObjects, Objects
from evaluators.detection.cost import FLOP as FLOP_OF_DETECTORS
from evaluators.detection.darknet.cfg import read_cfg
from evaluators.detection.darknet.network import Darknet
from evaluators.detection.training import detector_loss, initialise_darknet
from evaluators.metrics.niqe import niqe_statistics
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from evaluators.plan.timing import median_of
from evaluators.plan.work import PIXELS_OF_A_READ
from evaluators.segmentation.cost import FLOP as FLOP_OF_SEGMENTERS
from evaluators.segmentation.networks import build_segmenter
from usaid.datasets.miniature.writer import write_miniature
from usaid.denoisers.cbm3d.cost import cost as cost_of_cbm3d
from usaid.denoisers.cbm3d.denoiser import CBM3DDenoiser
from usaid.denoisers.dncnn.cost import flop_of
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
from usaid.denoisers.dncnn.network import DnCNN
from usaid.denoisers.mc_wnnm.cost import cost as cost_of_mc_wnnm
from usaid.denoisers.mc_wnnm.denoiser import MCWNNMDenoiser
from usaid.denoisers.mlp.network import MLP
from usaid.denoisers.training.cost import PYRAMID
from usaid.images import read_rgb
from usaid.noise import NoiseField, gaussian_noise_batch
from usaid.registries import METHODS
from usaid.scores.journal import Journal
from usaid.segmentation.usa_module import FeaturePyramid


def _image(height: int, width: int, batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


# ------------------------------------------------------------------------------------------------ images


def _image_read() -> float:
    with tempfile.TemporaryDirectory() as folder:
        write_photograph(path := Path(folder, "image.png"), 375, 500)
        return median_of(lambda: read_rgb(path)) * PIXELS_OF_A_READ / (375 * 500)


def write_photograph(path: Path, height: int, width: int) -> None:
    """Write noise as a PNG."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)).save(path)


def _megapixel() -> float:
    fields = [NoiseField("a", 25.0, 0)]
    return median_of(lambda: gaussian_noise_batch("kodak", fields, 512, 512, torch.device("cpu"))) * 1e6 / 512**2


def _row() -> float:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder, "rows.jsonl"), {}, ["psnr"])
        row = {"image_id": "a", "image_sha256": "0" * 64, "sigma": 25.0, "draw": 0, "told_sigma": None, "psnr": 30.0}
        try:
            return median_of(lambda: journal.add([row | {"draw": number} for number in range(100)])) / 100
        finally:
            journal.close()


def _generated() -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_miniature(Path(folder, "miniature"))
        return time.perf_counter() - start


# ------------------------------------------------------------------------------------------------ denoisers


def _dncnn(depth: int = 20, features: int = 64) -> DnCNNDenoiser:
    facts = METHODS["dncnn"].facts
    assert facts is not None
    return DnCNNDenoiser(DnCNN(depth, features).eval(), facts)


def _convolutions() -> float:
    denoiser, image = _dncnn(), _image(384, 512)
    return median_of(lambda: denoiser(image)) / (flop_of(20, 64) * 384 * 512 / 1e12)


def _call() -> float:
    denoiser, image = _dncnn(), _image(8, 8)
    return median_of(lambda: denoiser(image))


def _dense() -> float:
    network, patches = MLP().eval(), torch.rand(1024, 39**2)
    with torch.inference_mode():
        return median_of(lambda: network(patches)) / (2 * _products(network) * 1024 / 1e12)


def _products(network: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear))


def _decompositions() -> float:
    facts, options = METHODS["mc_wnnm"].facts, {"parameters": {"outer_iterations": 1, "exact": True}}
    denoiser, image = MCWNNMDenoiser(facts, **options), _image(64, 64)  # type: ignore[arg-type]
    amount = cost_of_mc_wnnm(options, None, "mc_wnnm", 0).pixel["decompositions"] * 64 * 64
    return median_of(lambda: denoiser(image, 25.0)) / amount


def _blocks() -> float:
    facts = METHODS["cbm3d"].facts
    assert facts is not None
    denoiser, image = CBM3DDenoiser(facts), _image(128, 128)
    return median_of(lambda: denoiser(image, 25.0)) / (cost_of_cbm3d({}, None, "cbm3d", 0).pixel["blocks"] * 128 * 128)


# ------------------------------------------------------------------------------------------------ judges


def _psnr_ssim() -> float:
    first, second = _image(384, 512), 1 - _image(384, 512)
    return median_of(lambda: (psnr_rgb_float(first, second), ssim_skimage7(first, second))) * 1e6 / (384 * 512)


def _niqe() -> float:
    image = _image(384, 512)
    return median_of(lambda: niqe_statistics(image)) * 1e6 / (384 * 512)


def _classifier() -> float:
    network, images = CifarResNet(20, 100).eval(), _image(32, 32, 128)
    with torch.inference_mode():
        return median_of(lambda: network(images)) / (128 * (FLOP_OF_8 + 2 * FLOP_OF_SIX_LAYERS) / 1e12)


def _small_segmenter() -> nn.Module:
    """Its layers are so small that a call, or a step, of a few pixels is what all of them cost at least."""
    network: nn.Module = build_segmenter("fpn", "efficientnet_lite0", 21, None, ".")
    return network


def _segmenter() -> float:
    from segmentation_models_pytorch import FPN

    network = FPN("resnet101", encoder_weights=None, classes=21, decoder_merge_policy="cat").eval()
    image = _image(256, 384)
    with torch.inference_mode():
        return median_of(lambda: network(image)) / (FLOP_OF_SEGMENTERS["fpn", "resnet101"] * 256 * 384 / 1e12)


def _call_of_segmenter() -> float:
    network, image = _small_segmenter().eval(), _image(32, 32)
    with torch.inference_mode():
        return median_of(lambda: network(image))


def _detector() -> float:
    network = Darknet(read_cfg("yolov3")).eval()
    image = _image(608, 608)
    with torch.inference_mode():
        return median_of(lambda: network(image)) / (FLOP_OF_DETECTORS["yolov3"] / 1e12)


# ------------------------------------------------------------------------------------------------ trainings


def _step_of(network: nn.Module, inputs: Tensor) -> float:
    """Seconds of an optimiser's step: forward, backward, update."""
    network = network.to(memory_format=torch.channels_last) if inputs.dim() == 4 else network
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def step() -> None:
        loss = network(inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return median_of(step)


def _training() -> float:
    return _step_of(DnCNN(20, 64).train(), _image(48, 48, 16)) / (3 * flop_of(20, 64) * 16 * 48**2 / 1e12)


def _step() -> float:
    return _step_of(DnCNN(5, 24).train(), _image(32, 32, 2))


def _step_of_judge() -> float:
    return _step_of(_small_segmenter().train(), _image(32, 32, 2))


def _step_of_detector() -> float:
    network = Darknet(read_cfg("miniature")).train()
    initialise_darknet(network, 0)
    boxes = torch.tensor([[[40.0, 40.0, 30.0, 20.0], [60.0, 50.0, 20.0, 30.0]]] * 2)
    objects = Objects(boxes, torch.zeros((2, 2), dtype=torch.long), torch.ones((2, 2), dtype=torch.bool))
    batch = ImagesWithObjects(_image(network.height, network.width, 2), objects)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step() -> None:
        loss, _ = detector_loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return median_of(step)


class _Pyramid(nn.Module):
    """The USA module behind an encoder whose features are random."""

    def __init__(self, channels: tuple[int, ...], side: int, batch: int) -> None:
        super().__init__()
        self.pyramid = FeaturePyramid(channels)
        strides = (4, 8, 16, 32)
        pairs = zip(channels, strides, strict=True)
        self.features = [
            torch.rand(batch, width, -(-side // s), -(-side // s), requires_grad=True) for width, s in pairs
        ]

    def forward(self, _: Tensor) -> Tensor:
        """(B, 512, side / 4, side / 4)."""
        merged: Tensor = self.pyramid(self.features)
        return merged


def _training_of_segmenter() -> float:
    step = _step_of(_Pyramid((256, 512, 1024, 2048), 96, 8), torch.zeros(1))
    return step / (3 * PYRAMID * 8 * 96**2 / 1e12)


def _step_of_segmenter() -> float:
    return _step_of(_Pyramid((24, 40, 112, 320), 32, 1), torch.zeros(1))


def _dense_training() -> float:
    network = MLP().train()
    return _step_of(network, torch.rand(512, 39**2)) / (3 * 2 * _products(network) * 512 / 1e12)


def _dense_step() -> float:
    return _step_of(MLP(13, (128,), 7).train(), torch.rand(8, 13**2))


COMPONENTS: Mapping[str, Callable[[], float]] = {
    "image read": _image_read,
    "megapixel": _megapixel,
    "row": _row,
    "call": _call,
    "convolutions": _convolutions,
    "dense": _dense,
    "decompositions": _decompositions,
    "blocks": _blocks,
    "psnr and ssim": _psnr_ssim,
    "niqe": _niqe,
    "classifier": _classifier,
    "segmenter": _segmenter,
    "call of a segmenter": _call_of_segmenter,
    "detector": _detector,
    "training": _training,
    "step": _step,
    "training of a segmenter": _training_of_segmenter,
    "step of a segmenter": _step_of_segmenter,
    "step of a judge": _step_of_judge,
    "step of a detector": _step_of_detector,
    "dense training": _dense_training,
    "dense step": _dense_step,
    "generated": _generated,
}
"""Kind of work -> what measures the seconds of its unit."""
