"""The networks that segment: trained encoders in the right places, strides, and images of any size."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from evaluators.segmentation.networks import Segmenter, build_segmenter, imagenet_part, load_segmenter
from usaid.checkpoints import write_weights
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.segmentation.encoders import NORMALISATIONS, build_encoder
from usaid.segmentation.usa_module import USAModule

CPU = torch.device("cpu")
MEAN, STD = NORMALISATIONS["efficientnet_lite0"]
RECORD = {"architecture": "fpn", "encoder": "efficientnet_lite0", "classes": 5, "mean": MEAN, "std": STD}


@pytest.fixture
def root(random_resnet101: Path) -> Path:
    """A data root with weights of ResNet-101."""
    return random_resnet101


def lite0(architecture: str = "fpn", classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    return build_segmenter(architecture, "efficientnet_lite0", classes, None, "data").eval()


def segmenter(architecture: str = "fpn") -> Segmenter:
    return Segmenter(lite0(architecture), 5, MEAN, STD, CPU)


@pytest.mark.parametrize("encoder", ["resnet101", "efficientnet_lite0"])
def test_the_encoder_gives_the_features_of_the_usa_modules(root, encoder):
    """Wrong, shuffled or random weights would not."""
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    network = build_segmenter("fpn", encoder, 5, None, root).eval()
    dilated = build_segmenter("pspnet", encoder, 5, None, root).eval()
    with torch.no_grad():
        expected = build_encoder(encoder, None, root)(images)
        for found, feature in zip(network.encoder(images)[2:], expected, strict=True):
            torch.testing.assert_close(found, feature, rtol=1e-4, atol=1e-5)
        for found, feature in zip(dilated.encoder(images)[2:4], expected[:2], strict=True):
            torch.testing.assert_close(found, feature, rtol=1e-4, atol=1e-5)
    weights = imagenet_part(network, encoder).state_dict()
    for key, value in imagenet_part(dilated, encoder).state_dict().items():
        assert torch.equal(value, weights[key]), key


@pytest.mark.parametrize("encoder", ["resnet101", "efficientnet_lite0"])
def test_fpn_has_512_channels_at_stride_4_and_pspnet_pools_features_at_stride_8(root, encoder):
    images = torch.zeros(1, 3, 64, 96)
    for architecture, shape in (("fpn", (512, 16, 24)), ("pspnet", (512, 8, 12))):
        network = build_segmenter(architecture, encoder, 5, None, root).eval()
        seen: list[Tensor] = []
        network.segmentation_head.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        with torch.no_grad():
            assert network(images).shape == (1, 5, 64, 96)
        assert seen[0].shape[1:] == shape
    channels = {"resnet101": 2048, "efficientnet_lite0": 320}[encoder]
    assert network.encoder(images)[-1].shape == (1, channels, 8, 12)


def test_what_is_wrong_with_a_network_is_said_in_one_line(tmp_path, root):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    missing = tmp_path / "weights" / "resnet101-63fe2227.pth"
    cases = [
        (("unet", "resnet101", 2, None, root), "segmenter: 'network' is 'unet'; choose one of fpn, fpn_plain, pspnet"),
        (("fpn", "vgg", 2, None, root), "segmenter: 'encoder' is 'vgg'; choose one of resnet101, efficientnet_lite0"),
        (
            ("fpn", "resnet101", 2, None, tmp_path),
            f"{missing}: ImageNet weights of ResNet-101 are missing; `usaid data",
        ),
        (("fpn", "resnet101", 2, "mine.pth", tmp_path), f"{tmp_path / 'mine.pth'}: weights of encoder resnet101 are"),
        (("pspnet", "resnet101", 2, "other.pth", tmp_path), f"{tmp_path / 'other.pth'}: not the weights of this enc"),
        (("fpn", "efficientnet_lite0", 2, "other.pth", tmp_path), f"{tmp_path / 'other.pth'}: not the weights of th"),
    ]
    for arguments, complaint in cases:
        with pytest.raises(UsaidError) as error:
            build_segmenter(*arguments)
        assert str(error.value).startswith(complaint)
        assert "\n" not in str(error.value)


def test_without_its_package_the_cure_is_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(UsaidError, match=r"segmentation networks need the package .*; pip install"):
        lite0()


# As the released code builds it


@pytest.mark.parametrize("encoder", ["resnet101", "efficientnet_lite0"])
def test_the_plain_fpn_is_the_usa_modules_on_a_trained_encoder(root, encoder):
    network = build_segmenter("fpn_plain", encoder, 5, None, root).eval()
    imagenet = imagenet_part(build_segmenter("fpn", encoder, 5, None, root), encoder).state_dict()
    for key, value in imagenet_part(network, encoder).state_dict().items():
        assert torch.equal(value, imagenet[key]), key
    module = USAModule(build_encoder(encoder, None, root), 5, 0)
    behind = {key: value.shape for key, value in network.state_dict().items() if not key.startswith("encoder")}
    assert behind == {k: v.shape for k, v in module.state_dict().items() if not k.startswith("encoder")}
    module.load_state_dict({k: network.state_dict()[k] for k in behind}, strict=False)
    images = torch.randn(1, 3, 61, 90, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(images), module(images), rtol=1e-3, atol=1e-6)
    for key in behind:
        value = network.state_dict()[key]
        assert value.std().item() == pytest.approx(0.01, rel=0.1) if key.endswith("weight") else not value.any()


def test_classes_of_the_plain_fpn_are_told_at_stride_4_and_resized_by_nearest_neighbour():
    torch.manual_seed(0)
    network = build_segmenter("fpn_plain", "efficientnet_lite0", 5, None, "data")
    images = torch.rand(2, 3, 50, 37, generator=torch.Generator().manual_seed(0))
    found = Segmenter(network, 5, MEAN, STD, CPU)(images)
    with torch.no_grad():
        coarse = network((images * 255 - 127) / 128).argmax(dim=1)
    assert coarse.shape == (2, 13, 10)
    rows, columns = (torch.arange(size) * cells // size for size, cells in ((50, 13), (37, 10)))
    assert (found == coarse[:, rows[:, None], columns]).float().mean() > 0.95  # elsewhere the order of sums decides
    assert found.dtype == torch.int64


# As a judge uses them


@pytest.mark.parametrize(("architecture", "stride"), [("fpn", 32), ("pspnet", 8)])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 37), (33, 65)])
def test_images_of_any_size_are_filled_up_with_the_mean_colour_and_cropped_back(architecture, stride, height, width):
    images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    rows, columns = -(-height // stride) * stride, -(-width // stride) * stride
    padded = torch.full((2, 3, rows, columns), 127 / 255)
    padded[:, :, :height, :width] = images
    with torch.no_grad():
        expected = lite0(architecture)((padded * 255 - 127) / 128)[:, :, :height, :width]
    found = segmenter(architecture)(images)
    assert (found.dtype, found.shape) == (torch.int64, (2, height, width))
    best_two = expected.topk(2, dim=1).values
    clear = best_two[:, 0] - best_two[:, 1] > 1e-3  # elsewhere the order of sums decides
    assert clear.float().mean() > 0.9
    assert torch.equal(found[clear], expected.argmax(dim=1)[clear])
    assert len(found.unique()) > 1


def test_images_are_clamped():
    images = 2 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) - 0.5
    found = segmenter()
    assert torch.equal(found(images), found(images.clamp(0, 1)))


def test_what_a_batch_holds_besides_does_not_matter():
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = segmenter("pspnet")
    apart = torch.cat([found(image[None]) for image in images])
    assert (found(images) != apart).float().mean() < 0.01  # statistics of the batch would change much more


class Bright(nn.Module):
    """Says whether a pixel is brighter than the middle, and keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Identity()
        self.encoder.output_stride = 1

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        return torch.stack([0.5 - images[:, 0], images[:, 0] - 0.5], dim=1)


@pytest.mark.parametrize("size", [(49, 31), (25, 61), (151, 41)])
def test_images_are_clamped_and_then_resized_as_by_pillow(size):
    images = torch.randint(-100, 356, (2, 3, 50, 75), generator=torch.Generator().manual_seed(0))
    network = Bright()
    found = Segmenter(network, 2, (0.0,) * 3, (1.0,) * 3, CPU, size)(images / 255)
    pixels = images.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    by_pillow = [np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)) for image in pixels]
    expected = torch.from_numpy(np.stack(by_pillow)).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(network.seen.contiguous(), expected, rtol=0, atol=1.1 / 255)  # it rounds to 8 bits twice
    classes = (network.seen[:, 0] > 0.5).to(torch.uint8).numpy()
    back = [np.array(Image.fromarray(each).resize((75, 50), Image.Resampling.NEAREST)) for each in classes]
    assert (found.dtype, found.shape) == (torch.int64, (2, 50, 75))
    assert np.array_equal(found.numpy(), np.stack(back))


def test_class_maps_come_back_pixel_by_pixel_also_between_two_of_them():
    image = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.0]).expand(1, 3, 8, 6)
    found = Segmenter(Bright(), 2, (0.0,) * 3, (1.0,) * 3, CPU, (12, 8))(image)
    assert found[0].tolist() == [[0, 0, 1, 1, 0, 0]] * 8


def test_images_of_the_input_size_are_taken_as_they_are():
    images = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    network = Bright()
    found = Segmenter(network, 2, (0.0,) * 3, (1.0,) * 3, CPU, (30, 20))(images)
    assert torch.equal(network.seen, images)
    assert torch.equal(found, (images[:, 0] > 0.5).long())


def test_files_say_what_network_they_are_of(tmp_path):
    path = tmp_path / "net.safetensors"
    write_weights(lite0(), path, RECORD)
    loaded = load_segmenter(path, sha256_of_file(path))
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(images), segmenter()(images))
    assert (loaded.classes, loaded.stride) == (5, 32)
    assert not any(layer.training for layer in loaded.network.modules())


def test_files_that_do_not_fit_are_refused_in_one_line(tmp_path):
    path, network = tmp_path / "net.safetensors", lite0()

    def refusal(sha256: str | None = None, **changed: Any) -> str:
        record = {key: value for key, value in (RECORD | changed).items() if value is not None}
        write_weights(network, path, record)
        with pytest.raises(UsaidError) as error:
            load_segmenter(path, sha256)
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(f"{path}: ")
        return str(error.value).removeprefix(f"{path}: ")

    for key in RECORD:
        assert refusal(**{key: None}) == f"does not name its '{key}'; give a segmenter that this suite trained"
    assert refusal(sha256="0" * 64).startswith("SHA-256 is ")
    cure = "give a segmenter that this suite trained"
    assert refusal(architecture="unet") == f"its 'architecture' is 'unet', none of fpn, fpn_plain, pspnet; {cure}"
    assert refusal(encoder=["vgg"]) == f"its 'encoder' is ['vgg'], none of resnet101, efficientnet_lite0; {cure}"
    for classes in (0, "5", 5.0, True, 256, 10**9):
        assert refusal(classes=classes) == f"its 'classes' is {classes!r}, no number from 1 to 255; {cure}"
    assert refusal(std=[0.2, 0.2, 0.0]).startswith("its 'std' is [0.2, 0.2, 0.0], not three finite numbers above 0")
    assert refusal(mean=[0.5, 0.5, float("nan")]).startswith("its 'mean' is [0.5, 0.5, nan], not three finite numbers")
    other = "not the weights of {} with efficientnet_lite0, train it again: "
    assert refusal(architecture="pspnet").startswith(f"{other.format('pspnet')}key 'decoder")
    size = r"'segmentation_head.*' has shape \(5, 512, .*\), not \(6, 512, .*\)$"
    assert re.match(other.format("fpn") + size, refusal(classes=6))
    with torch.no_grad():
        network.segmentation_head[0].bias[1] = torch.nan
    assert refusal().startswith("'segmentation_head.0.bias' holds weights that are not finite")
    with pytest.raises(UsaidError, match=r"none\.safetensors: weights are missing"):
        load_segmenter(tmp_path / "none.safetensors")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UsaidError, match=r"net\.safetensors: not a readable weights file"):
        load_segmenter(path)
