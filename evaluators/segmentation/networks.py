"""The networks that segment denoised images (Tables V and VII): FPNs and PSPNet on ImageNet encoders."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.checkpoints import check_state, load_state, stored_normalisation, stored_record
from usaid.errors import UsaidError
from usaid.segmentation.encoders import find_weights, load_imagenet_weights
from usaid.segmentation.usa_module import LEVEL, FeaturePyramid, draw_small_weights
from usaid.tensors import Normalisation

ARCHITECTURES = ("fpn", "fpn_plain", "pspnet")
ENCODERS = {"resnet101": "resnet101", "efficientnet_lite0": "tu-tf_efficientnet_lite0"}
"""What segmentation-models-pytorch calls each encoder; ``tu-``: timm's."""

MOST_CLASSES = 255
"""Label maps are uint8, and 255 is void."""


def build_segmenter(
    architecture: str, encoder: str, classes: int, encoder_weights: str | Path | None, data_root: str | Path
) -> nn.Module:
    """A network that has yet to learn to segment: ImageNet weights in its encoder, random ones behind it.

    Random weights come from torch's global generator. The network maps normalised images, float (B, 3, H, W), to
    logits (B, classes, H, W), of ``fpn_plain`` at stride 4; H and W have to be multiples of :func:`multiple_of`.

    Args:
        architecture: ``fpn`` (Kirillov et al. 2019, with concatenation as in the paper: 512 channels at stride 4),
            ``fpn_plain`` (:class:`PlainFPN`) or ``pspnet`` (Zhao et al. 2017: pyramid pooling of dilated features at
            stride 8).
        encoder: ``resnet101`` (the paper's) or ``efficientnet_lite0``.
        classes: number of classes.
        encoder_weights: ImageNet weights, below ``data_root``; None: the encoder's default place
            (:func:`usaid.segmentation.encoders.default_weights`).
        data_root: folder of data sets and weights.

    Raises:
        UsaidError: unknown architecture or encoder, weights that are missing or of another network, or a package that
            is not installed.
    """
    network = _network(architecture, encoder, classes)
    path = find_weights(encoder, encoder_weights, data_root)
    load_imagenet_weights(imagenet_part(network, encoder), encoder, path)
    return network


def imagenet_part(network: nn.Module, encoder: str) -> nn.Module:
    """The layers of a network that have ImageNet weights."""
    part = network.get_submodule("encoder")
    return part.get_submodule("model") if ENCODERS[encoder].startswith("tu-") else part


def _network(architecture: str, encoder: str, classes: int) -> nn.Module:
    """A network of random weights."""
    for key, value, known in (("network", architecture, ARCHITECTURES), ("encoder", encoder, tuple(ENCODERS))):
        if value not in known:
            raise UsaidError(f"segmenter: '{key}' is {value!r}; choose one of {', '.join(known)}")
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        cure = "pip install 'usaid[segmentation]'"
        raise UsaidError(f"segmentation networks need the package {error.name}; {cure}") from None
    options = {"encoder_weights": None, "encoder_depth": 5, "classes": classes}
    network: nn.Module
    if architecture == "fpn":
        network = smp.FPN(ENCODERS[encoder], decoder_merge_policy="cat", **options)
    elif architecture == "fpn_plain":
        network = PlainFPN(smp.encoders.get_encoder(ENCODERS[encoder], in_channels=3, depth=5, weights=None), classes)
    else:
        network = smp.PSPNet(ENCODERS[encoder], output_stride=8, **options)
    return network


class PlainFPN(nn.Module):
    """The FPN of the released code (PROTOCOL section 1): no norm, no activation and no dropout behind the encoder.

    The pyramid is the USA module's; a 3x3 convolution makes logits of its 512 channels at stride 4. Weights start as
    N(0, 0.01), biases as 0. Images may have any size: coarser maps are resized to the size of finer ones.
    """

    def __init__(self, encoder: nn.Module, classes: int) -> None:
        """Draw the weights from torch's global generator.

        Args:
            encoder: of segmentation-models-pytorch: images -> features of which the last four are at strides 4 to 32.
            classes: number of classes.
        """
        super().__init__()
        self.encoder = encoder
        channels: list[int] = encoder.out_channels[-4:]  # type: ignore[index, assignment]
        self.pyramid = FeaturePyramid(channels)
        self.head = nn.Conv2d(LEVEL * len(channels), classes, 3, padding=1)
        draw_small_weights(self.pyramid, self.head)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images, float (B, 3, H, W) -> logits, float (B, classes, ceil(H / 4), ceil(W / 4))."""
        logits: Tensor = self.head(self.pyramid(self.encoder(images)[-4:]))
        return logits


def multiple_of(network: nn.Module) -> int:
    """The number that height and width of a network's images have to be multiples of."""
    if isinstance(network, PlainFPN):
        return 1
    stride: int = network.get_submodule("encoder").output_stride  # type: ignore[assignment]
    return stride


class Segmenter:
    """A trained segmentation network for images in [0, 1]: it clamps, resizes where asked to, normalises, pads, and
    goes all the way back.

    Attributes:
        device: where its input has to be.
        classes: number of classes.
        input_size: width and height in pixels that it resizes images to; None: it takes them as they are.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        """Put a network into evaluation mode, on ``device``.

        Args:
            network: with trained weights, as :func:`build_segmenter` makes it.
            classes: number of classes.
            mean, std: of its training, on the [0, 1] scale, for R, G and B.
            device: where to compute.
            input_size: width and height in pixels to resize images to; None: none are resized.
        """
        self.device = device
        self.classes = classes
        self.input_size = input_size
        self.stride = multiple_of(network)
        self.normalise = Normalisation(mean, std, device)
        self.network = network.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Segment a batch.

        Args:
            images: float (B, 3, H, W) of any size, clean or denoised; clamped to [0, 1], then resized to
                ``input_size`` bilinearly with antialiasing, as Pillow does it, but not rounded to 8 bits.

        Returns:
            Class of each pixel, int64 (B, H, W); of resized images the class map, resized back by nearest neighbour;
            of a network with logits at stride 4 likewise, as in the released code (PROTOCOL section 5).
        """
        size, clamped = images.shape[2:], images.clamp(0, 1)
        if self.input_size is None or size == self.input_size[::-1]:
            return self._segmented(clamped)
        resized = F.interpolate(clamped, self.input_size[::-1], mode="bilinear", antialias=True)
        classes = self._segmented(resized)
        rows, columns = (_nearest(now, then, self.device) for now, then in zip(size, resized.shape[2:], strict=True))
        return classes[:, rows[:, None], columns]

    def _segmented(self, images: Tensor) -> Tensor:
        """The class of each pixel of images in [0, 1], as they are."""
        height, width = images.shape[2:]
        normalised = self.normalise(images)
        padded = F.pad(normalised, (0, -width % self.stride, 0, -height % self.stride))  # 0 is the mean colour
        logits: Tensor = self.network(padded.contiguous(memory_format=torch.channels_last))
        if logits.shape[2:] == padded.shape[2:]:
            return logits[:, :, :height, :width].argmax(dim=1)
        classes = logits.argmax(dim=1, keepdim=True).float()  # exact: there are few
        return F.interpolate(classes, size=(height, width), mode="nearest")[:, 0].long()


def _nearest(length: int, before: int, device: torch.device) -> Tensor:
    """Of ``before`` pixels those nearest to the centres of ``length`` ones; of two as near the latter.

    Integers, so that CPU and GPU choose the same: halves are frequent, with 500 pixels behind 375 every third.
    """
    return (2 * torch.arange(length, device=device) + 1) * before // (2 * length)


def load_segmenter(
    weights: Path,
    sha256: str | None = None,
    device: torch.device | str = "cpu",
    input_size: tuple[int, int] | None = None,
) -> Segmenter:
    """Read a network that :func:`evaluators.segmentation.training.train_segmenter` trained.

    Args:
        weights: safetensors file whose metadata names architecture, encoder, classes, mean and std.
        sha256: expected hash of the file; None: not checked.
        device: where to compute.
        input_size: width and height in pixels that it resizes images to; None: none are resized.

    Raises:
        UsaidError: missing or unreadable file, other hash, no or unknown metadata, or tensors that do not fit them.
    """
    state, record = load_state(weights, sha256), stored_record(weights)
    cure = "give a segmenter that this suite trained"
    if missing := [key for key in ("architecture", "encoder", "classes", "mean", "std") if key not in record]:
        raise UsaidError(f"{weights}: does not name its {missing[0]!r}; {cure}")
    architecture, encoder, classes = record["architecture"], record["encoder"], record["classes"]
    for key, known in (("architecture", ARCHITECTURES), ("encoder", tuple(ENCODERS))):
        if record[key] not in known:
            raise UsaidError(f"{weights}: its {key!r} is {record[key]!r}, none of {', '.join(known)}; {cure}")
    if type(classes) is not int or not 1 <= classes <= MOST_CLASSES:
        raise UsaidError(f"{weights}: its 'classes' is {classes!r}, no number from 1 to {MOST_CLASSES}; {cure}")
    mean, std = stored_normalisation(record, weights)
    network = _network(architecture, encoder, classes)
    complaint = f"{weights}: not the weights of {architecture} with {encoder}, train it again"
    network.load_state_dict(check_state(state, network.state_dict(), complaint))
    return Segmenter(network, classes, mean, std, torch.device(device), input_size)
