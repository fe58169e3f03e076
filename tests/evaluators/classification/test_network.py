"""The CIFAR ResNets that judge: their shapes and their checkpoints."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from evaluators.classification.network import Classifier, cifar_resnet, folded, load_classifier
from usaid.checkpoints import write_weights
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

CPU = torch.device("cpu")
MEAN, STD = (0.5, 0.4, 0.3), (0.3, 0.2, 0.1)


def trained_looking(depth: int = 8, classes: int = 10, seed: int = 0) -> nn.Module:
    """A network whose BatchNorms do something."""
    torch.manual_seed(seed)
    network = cifar_resnet(depth, classes)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (layer.bias, layer.running_mean):
                nn.init.normal_(values, std=0.2)
    return network.eval()


@pytest.mark.parametrize(("depth", "millions"), [(20, "0.27"), (32, "0.46"), (44, "0.66"), (56, "0.85"), (110, "1.7")])
def test_parameter_counts_are_those_of_he_et_al(depth, millions):
    """He et al. 2016, table 6 (CIFAR-10), whose shortcuts have no parameters."""
    network = cifar_resnet(depth, classes=10)
    shortcuts = [layer.downsample for layer in network.modules() if getattr(layer, "downsample", None) is not None]
    in_shortcuts = sum(value.numel() for shortcut in shortcuts for value in shortcut.parameters())
    count = sum(value.numel() for value in network.parameters()) - in_shortcuts
    assert in_shortcuts == 2752
    assert f"{count / 1e6:.{len(millions) - 2}f}" == millions
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) - 2 + 1 == depth


def test_keys_are_those_of_public_checkpoints():
    keys = cifar_resnet(56).state_dict().keys()
    blocks = {key.rsplit(".", 2)[0] for key in keys if key.startswith("layer")}
    assert {f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(9)} <= blocks
    assert {key.split(".downsample")[0] for key in keys if "downsample" in key} == {"layer2.0", "layer3.0"}
    expected = {"conv1.weight", "bn1.running_var", "layer1.8.conv2.weight", "layer2.0.downsample.1.bias", "fc.bias"}
    assert expected <= keys
    assert len(keys) == 344


@pytest.mark.parametrize("depth", [2, 7, 18, 57])
def test_depth_outside_the_family_is_refused(depth):
    with pytest.raises(UsaidError, match=f"depth = {depth}: a CIFAR ResNet has 6 n"):
        cifar_resnet(depth)


def test_stages_halve_the_resolution():
    network = trained_looking()
    sizes = []
    for stage in (network.layer1, network.layer2, network.layer3):
        stage.register_forward_hook(lambda _, __, output: sizes.append(tuple(output.shape)))
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert sizes == [(2, 16, 32, 32), (2, 32, 16, 16), (2, 64, 8, 8)]


def test_folding_keeps_the_logits():
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        expected = trained_looking(20)(images)
        network = folded(trained_looking(20))
        found = network(images)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_classifier_clamps_and_then_normalises():
    images = torch.randn(4, 3, 32, 32)
    clamped = images.clamp(0, 1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    with torch.no_grad():
        expected = trained_looking()((clamped - mean) / std)
    classifier = Classifier(trained_looking(), MEAN, STD, CPU)
    torch.testing.assert_close(classifier(images), expected, rtol=1e-4, atol=1e-4)
    assert classifier.classes == 10


@pytest.mark.parametrize("form", ["pth", "safetensors", "parallel"])
def test_checkpoints_load_in_each_form(tmp_path, form):
    state = trained_looking().state_dict()
    path = tmp_path / f"net.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save({f"module.{key}" if form == "parallel" else key: value for key, value in state.items()}, path)
    images = torch.rand(2, 3, 32, 32)
    classifier = load_classifier(8, path, sha256_of_file(path), MEAN, STD)
    assert torch.equal(classifier(images), Classifier(trained_looking(), MEAN, STD, CPU)(images))


def test_wrong_checkpoints_name_the_file_and_the_first_wrong_key(tmp_path):
    path = tmp_path / "net.pth"
    state = trained_looking().state_dict()

    def refusal(depth: int = 8, changed: dict | None = None, **options) -> str:
        merged = state | (changed or {})
        torch.save({key: value for key, value in merged.items() if value is not None}, path)
        with pytest.raises(UsaidError) as error:
            load_classifier(depth, path, **({"mean": MEAN, "std": STD} | options))
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(f"{path}: ")
        return str(error.value)

    assert "not a checkpoint of ResNet-8: key 'bn1.weight' is missing" in refusal(changed={"bn1.weight": None})
    assert "ResNet-20: key 'layer1.1.conv1.weight' is missing" in refusal(depth=20)
    extra = {"layer1.1.conv1.weight": torch.zeros(1)}
    assert "key 'layer1.1.conv1.weight' does not belong to it" in refusal(changed=extra)
    narrow = {"conv1.weight": torch.zeros(8, 3, 3, 3)}
    assert "'conv1.weight' has shape (8, 3, 3, 3), not (16, 3, 3, 3)" in refusal(changed=narrow)
    assert "key 'fc.bias' is missing" in refusal(changed={"fc.bias": None})
    assert "'fc.bias' holds weights that are not finite" in refusal(changed={"fc.bias": torch.full((10,), torch.nan)})
    whole = {"conv1.weight": torch.ones(16, 3, 3, 3, dtype=torch.int8)}
    assert "'conv1.weight' holds int8, not floating-point numbers" in refusal(changed=whole)
    assert "SHA-256" in refusal(sha256="0" * 64)
    assert "give 'mean' and 'std'" in refusal(mean=None, std=None)


def test_safetensors_without_our_metadata_need_mean_and_std(tmp_path):
    save_file(trained_looking().state_dict(), tmp_path / "net.safetensors")
    with pytest.raises(UsaidError, match=r"net\.safetensors: does not say how images are normalised; give 'mean'"):
        load_classifier(8, tmp_path / "net.safetensors")


def test_metadata_with_an_impossible_normalisation_is_refused(tmp_path):
    for record, key in (
        ({"mean": list(MEAN), "std": [0.2, 0, 0.2]}, "std"),
        ({"mean": "grey", "std": list(STD)}, "mean"),
    ):
        write_weights(trained_looking(), tmp_path / "net.safetensors", record)
        with pytest.raises(UsaidError, match=rf"net\.safetensors: its '{key}' is .*, not three finite numbers"):
            load_classifier(8, tmp_path / "net.safetensors")
