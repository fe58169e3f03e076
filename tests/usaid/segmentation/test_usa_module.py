"""The frozen encoders and the USA module: real weights in the right places, shapes, and the draw of the rest."""

import math
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import ResNet101_Weights, resnet101

from usaid.denoisers.dncnn.network import DnCNN
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.segmentation.encoders import Encoder, build_encoder, default_weights, efficientnet_lite0
from usaid.segmentation.usa_module import USAModule, resized

PHOTOS = Path(skimage.__file__).parent / "data"
"""Photographs that lie in scikit-image's wheel."""

CATEGORIES = ResNet101_Weights.IMAGENET1K_V1.meta["categories"]


@pytest.fixture(scope="module")
def lite0() -> Encoder:
    """EfficientNet-Lite0; no test changes it."""
    return build_encoder("efficientnet_lite0", None, "data")


@pytest.fixture(scope="module")
def usa(lite0: Encoder) -> USAModule:
    return USAModule(lite0, 21, seed=0)


def photo(name: str) -> Tensor:
    """The centre of a photograph, (1, 3, 224, 224), normalised as EfficientNet-Lite0 was trained."""
    with Image.open(PHOTOS / name) as image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        box = (left, top, left + side, top + side)
        pixels = np.array(image.convert("RGB").crop(box).resize((224, 224), Image.Resampling.BICUBIC))
    return (torch.from_numpy(pixels).permute(2, 0, 1)[None].float() - 127) / 128


# EfficientNet-Lite0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chelsea.png", {"tabby", "tiger cat", "Egyptian cat"}),
        ("coffee.png", {"espresso"}),
        ("motorcycle_left.png", {"moped", "motor scooter"}),
    ],
)
def test_efficientnet_lite0_knows_what_is_in_a_photo(name, expected):
    network = efficientnet_lite0(default_weights("efficientnet_lite0", "data")).eval()
    with torch.no_grad():
        probabilities = network(photo(name)).softmax(dim=1)[0]
    best = probabilities.argsort(descending=True)[: len(expected)]
    assert {CATEGORIES[index] for index in best} == expected
    assert probabilities[best].sum() > 0.8


def test_the_encoder_is_the_network_that_knows_photos_up_to_its_last_features(lite0):
    network = efficientnet_lite0(default_weights("efficientnet_lite0", "data")).eval()
    seen: dict[int, Tensor] = {}
    for block in (1, 2, 4, 6):
        network.blocks[block].register_forward_hook(lambda _, __, output, block=block: seen.update({block: output}))
    with torch.no_grad():
        network(photo("chelsea.png"))
        features = lite0(photo("chelsea.png"))
    for feature, expected in zip(features, seen.values(), strict=True):
        assert torch.equal(feature, expected)


def test_normalisation_of_efficientnet_lite0_is_that_of_its_training(lite0):
    pixels = torch.arange(256.0)
    mean, std = lite0.mean[0], lite0.std[0]
    assert torch.allclose((pixels / 255 - mean) / std, (pixels - 127) / 128, atol=1e-6)
    assert len(set(lite0.mean)) == len(set(lite0.std)) == 1


def test_the_hash_is_of_the_weights_file(lite0):
    assert lite0.weights_sha256 == sha256_of_file(default_weights("efficientnet_lite0", "data"))


@pytest.mark.parametrize(("height", "width"), [(48, 48), (50, 37), (33, 95)])
def test_features_have_strides_4_to_32_at_any_size(lite0, height, width):
    features = lite0(torch.rand(2, 3, height, width))
    expected = [
        (2, channels, math.ceil(height / stride), math.ceil(width / stride))
        for channels, stride in zip((24, 40, 112, 320), (4, 8, 16, 32), strict=True)
    ]
    assert [tuple(feature.shape) for feature in features] == expected


def test_an_encoder_stays_in_evaluation_mode_and_learns_nothing(lite0):
    lite0.train()
    assert not any(module.training for module in lite0.modules())
    assert not any(parameter.requires_grad for parameter in lite0.parameters())


# ResNet-101


def test_resnet101_takes_its_features_from_the_file(random_resnet101):
    encoder = build_encoder("resnet101", None, random_resnet101)
    images = torch.rand(1, 3, 50, 37)
    features = encoder(images)
    assert [tuple(feature.shape) for feature in features] == [
        (1, 256, 13, 10),
        (1, 512, 7, 5),
        (1, 1024, 4, 3),
        (1, 2048, 2, 2),
    ]
    assert encoder.channels == (256, 512, 1024, 2048)
    for again, feature in zip(encoder(images), features, strict=True):
        assert torch.equal(again, feature)
    path = default_weights("resnet101", random_resnet101)
    assert encoder.weights_sha256 == sha256_of_file(path)

    network = resnet101(weights=None).eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    stem = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    assert torch.allclose(features[3], network.layer4(network.layer3(network.layer2(network.layer1(stem)))), atol=1e-5)
    network.train()
    stem = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    assert not torch.allclose(encoder(images)[0], network.layer1(stem), atol=1e-3)
    assert torch.allclose(encoder.use_batch_statistics()(images)[0], network.layer1(stem), atol=1e-5)


def test_missing_weights_of_resnet101_are_never_replaced_by_random_ones(tmp_path):
    with pytest.raises(UsaidError) as error:
        build_encoder("resnet101", None, tmp_path)
    path = tmp_path / "weights" / "resnet101-63fe2227.pth"
    cure = f"`usaid data fetch resnet101 --data-root {tmp_path}`, or choose encoder efficientnet_lite0"
    assert str(error.value) == f"{path}: ImageNet weights of ResNet-101 are missing; {cure}"


@pytest.mark.parametrize("name", ["resnet101", "efficientnet_lite0"])
def test_missing_weights_that_an_experiment_names_are_told_with_their_key(tmp_path, name):
    with pytest.raises(UsaidError) as error:
        build_encoder(name, "mine.pth", tmp_path)
    assert (
        str(error.value) == f"{tmp_path / 'mine.pth'}: weights of encoder {name} are missing; correct 'encoder_weights'"
    )


@pytest.mark.parametrize("name", ["resnet101", "efficientnet_lite0"])
@pytest.mark.parametrize(
    "state",
    [
        DnCNN(3, 8).state_dict(),
        {"conv1.weight": torch.zeros(64, 3, 7, 7)},
        {"conv1.weight": torch.zeros(1, 3, 7, 7), "bn1.weight": torch.zeros(64)},
    ],
)
def test_weights_of_another_network_are_refused(tmp_path, name, state):
    torch.save(state, tmp_path / "mine.pth")
    with pytest.raises(UsaidError) as error:
        build_encoder(name, "mine.pth", tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'mine.pth'}: not the weights of this encoder (")
    assert "\n" not in str(error.value)


def test_weights_that_are_no_finite_floating_point_numbers_are_refused(tmp_path):
    torch.save({"conv1.weight": torch.full((64, 3, 7, 7), torch.inf)}, tmp_path / "mine.pth")
    with pytest.raises(UsaidError, match=r"mine\.pth: 'conv1\.weight' holds weights that are not finite"):
        build_encoder("resnet101", "mine.pth", tmp_path)
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7, dtype=torch.int8)}, tmp_path / "mine.pth")
    with pytest.raises(UsaidError, match=r"mine\.pth: not the weights .* \(key 'conv1\.weight' holds whole numbers\)"):
        build_encoder("resnet101", "mine.pth", tmp_path)


def test_the_weights_of_one_encoder_are_refused_for_the_other(random_resnet101):
    path = default_weights("resnet101", random_resnet101)
    with pytest.raises(UsaidError, match="not the weights of this encoder"):
        build_encoder("efficientnet_lite0", str(path.relative_to(random_resnet101)), random_resnet101)
    path = default_weights("efficientnet_lite0", "data")
    with pytest.raises(UsaidError, match="not the weights of this encoder"):
        build_encoder("resnet101", path.name, path.parent)


def test_unreadable_weights_are_refused(tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"half a fi")
    with pytest.raises(UsaidError, match=r"mine\.pth: not a readable weights file"):
        build_encoder("resnet101", "mine.pth", tmp_path)


# The USA module


@pytest.mark.parametrize(("height", "width"), [(48, 48), (50, 37), (32, 32)])
def test_the_usa_module_gives_k_logits_from_512_channels_at_stride_4(usa, height, width):
    images = torch.rand(2, 3, height, width)
    size = (math.ceil(height / 4), math.ceil(width / 4))
    with torch.no_grad():
        assert usa.pyramid(usa.encoder(images)).shape == (2, 512, *size)
        assert usa(images).shape == (2, 21, *size)


@pytest.mark.parametrize("classes", [2, 7])
def test_k_follows_classes_and_leaves_the_pyramid_as_it_is(lite0, usa, classes):
    other = USAModule(lite0, classes, seed=0)
    assert other(torch.rand(1, 3, 48, 48)).shape[1] == classes
    assert other.head.weight.shape == (classes, 512, 3, 3)
    for key, value in other.pyramid.state_dict().items():
        assert torch.equal(value, usa.pyramid.state_dict()[key])


def test_every_pixel_of_the_image_gets_a_slope(usa):
    images = torch.rand(1, 3, 50, 37, requires_grad=True)
    usa(images).square().sum().backward()
    assert torch.all(images.grad.abs().amax(dim=1) > 0)


def test_all_but_the_encoder_is_drawn_from_n_0_001_with_bias_0(usa):
    layers = [layer for part in (usa.pyramid, usa.head) for layer in part.modules() if isinstance(layer, nn.Conv2d)]
    assert [tuple(layer.weight.shape) for layer in layers] == [
        *((256, channels, 1, 1) for channels in (24, 40, 112, 320)),
        *((256, 256, 3, 3), (128, 256, 3, 3)) * 4,
        (21, 512, 3, 3),
    ]
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert abs(layer.weight.mean().item()) < 5 * 0.01 / math.sqrt(layer.weight.numel())
        assert torch.all(layer.bias == 0)


def test_the_draw_depends_on_the_seed_alone(lite0, usa):
    torch.manual_seed(5)
    again, other = USAModule(lite0, 21, seed=0), USAModule(lite0, 21, seed=1)
    for key, value in usa.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key
        if key.endswith("weight") and not key.startswith("encoder"):
            assert not torch.equal(other.state_dict()[key], value), key


def test_each_level_of_the_pyramid_sees_itself_and_all_coarser_levels(usa):
    with torch.no_grad():
        for changed in range(4):
            features = [torch.zeros(1, c, s, s) for c, s in zip((24, 40, 112, 320), (12, 6, 3, 2), strict=True)]
            features[changed] += 1
            levels = usa.pyramid(features).view(4, 128, 12, 12)
            assert [bool(level.any()) for level in levels] == [level <= changed for level in range(4)]


def test_the_pyramid_has_no_norm_and_no_activation(usa):
    generator = torch.Generator().manual_seed(0)
    features = [
        torch.randn(2, c, s, s, generator=generator) for c, s in zip((24, 40, 112, 320), (12, 6, 3, 2), strict=True)
    ]
    with torch.no_grad():
        plain, minus = usa.pyramid(features), usa.pyramid([-3 * feature for feature in features])
    assert torch.allclose(minus, -3 * plain, atol=1e-5 * float(plain.abs().max()))


def test_resizing_is_bilinear_between_pixel_centres():
    maps = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    assert resized(maps, (1, 4)).flatten().tolist() == [0, 1, 3, 4]
    assert resized(maps, (1, 2)) is maps
