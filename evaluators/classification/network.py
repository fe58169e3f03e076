"""The CIFAR ResNets (He et al. 2016, section 4.2) that judge denoised images (Tables VIII, X)."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from usaid.checkpoints import check_state, load_state, stored_normalisation, stored_record
from usaid.errors import UsaidError


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut around them."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1:
            projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, channels, H / stride, W / stride)."""
        shortcut = features if self.downsample is None else self.downsample(features)
        features = F.relu_(self.bn1(self.conv1(features)))
        return F.relu_(self.bn2(self.conv2(features)).add_(shortcut))


class CifarResNet(nn.Module):
    """ResNet for 32x32 images: a 3x3 stem and three stages of 16, 32 and 64 channels, ``(depth - 2) / 6`` blocks each.

    Where a stage halves the resolution, the shortcut is a strided 1x1 convolution with BatchNorm, as in the public
    checkpoints. (The paper of He et al. pads with zeros there instead: 2,752 parameters fewer.)
    """

    def __init__(self, depth: int, classes: int) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, 1, blocks)
        self.layer2 = _stage(16, 32, 2, blocks)
        self.layer3 = _stage(32, 64, 2, blocks)
        self.fc = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images, float (B, 3, 32, 32) -> logits (B, classes)."""
        features = F.relu_(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.fc(features.mean(dim=(2, 3)))


def _stage(channels_in: int, channels: int, stride: int, blocks: int) -> nn.Sequential:
    first = BasicBlock(channels_in, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(blocks - 1)))


def cifar_resnet(depth: int, classes: int = 100) -> CifarResNet:
    """A CIFAR ResNet with random weights: of depth 20, 32, 44, 56 or 110 in He et al.; 8 is the smallest of the family.

    Raises:
        UsaidError: depth is not 6 n + 2.
    """
    if depth < 8 or depth % 6 != 2:
        raise UsaidError(f"depth = {depth}: a CIFAR ResNet has 6 n + 2 layers (8, 20, 32, 44, 56, 110)")
    return CifarResNet(depth, classes)


class Classifier:
    """A trained classifier for images in [0, 1]: it clamps, normalises, and runs with BatchNorm folded.

    Attributes:
        device: where its input has to be.
        classes: length of its logits.
    """

    def __init__(self, network: CifarResNet, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        """Fold the network's BatchNorm (in place) and put it on ``device``.

        Args:
            network: with trained weights.
            mean, std: of the training images in [0, 1], for R, G and B.
            device: where to compute.
        """
        self.device = device
        self.classes = network.fc.out_features
        self.mean = torch.tensor(mean, dtype=torch.float32, device=device).view(3, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float32, device=device).view(3, 1, 1)
        self.network = folded(network.eval()).to(device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Classify a batch.

        Args:
            images: float (B, 3, 32, 32), clean or denoised; clamped to [0, 1] before it is normalised.

        Returns:
            Logits, float32 (B, classes).
        """
        normalised = (images.clamp(0, 1) - self.mean) / self.std
        return self.network(normalised.contiguous(memory_format=torch.channels_last))


def folded(network: CifarResNet) -> CifarResNet:
    """Fold every BatchNorm (in evaluation mode) into the convolution before it, in place."""
    _fold(network, "conv1", "bn1")
    for block in network.modules():
        if isinstance(block, BasicBlock):
            _fold(block, "conv1", "bn1")
            _fold(block, "conv2", "bn2")
            if block.downsample is not None:
                _fold(block.downsample, "0", "1")
    return network


def _fold(parent: nn.Module, convolution: str, norm: str) -> None:
    setattr(parent, convolution, fuse_conv_bn_eval(getattr(parent, convolution), getattr(parent, norm)))
    setattr(parent, norm, nn.Identity())


def load_classifier(
    depth: int,
    checkpoint: Path,
    sha256: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """Read a trained CIFAR ResNet; the number of classes is read off its last layer.

    Args:
        depth: of the network.
        checkpoint: ``.pth`` or ``.safetensors`` state with the keys of torchvision's ResNet (``conv1``, ``bn1``,
            ``layer<1-3>.<n>.*``, ``fc``), with or without ``module.`` before them.
        sha256: expected hash of the file; None: not checked.
        mean, std: of the images the network was trained on, in [0, 1], for R, G and B; None: as stored in the file by
            :func:`evaluators.classification.training.train_classifier`.
        device: where to compute.

    Raises:
        UsaidError: wrong depth, missing or unreadable file, other hash, a key or shape that does not fit (names the
            first), or no mean and std.
    """
    state = load_state(checkpoint, sha256)
    last = state.get("fc.weight")
    network = cifar_resnet(depth, classes=len(last) if last is not None and last.ndim == 2 else 100)
    complaint = f"{checkpoint}: not a checkpoint of ResNet-{depth}"
    network.load_state_dict(check_state(state, network.state_dict(), complaint))
    if mean is None or std is None:
        mean, std = _stored_normalisation(checkpoint)
    return Classifier(network, mean, std, torch.device(device))


def _stored_normalisation(checkpoint: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and std in the metadata of a file that this suite trained."""
    record = stored_record(checkpoint)
    if not {"mean", "std"} <= record.keys():
        raise UsaidError(f"{checkpoint}: does not say how images are normalised; give 'mean' and 'std'")
    return stored_normalisation(record, checkpoint)
