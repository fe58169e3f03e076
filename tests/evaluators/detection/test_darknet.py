"""Tests of the Darknet detector: cfg, layers, weights, boxes, letterbox and suppression, against hand-worked cases."""

import math
import struct
import weakref
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.detection.darknet import network as darknet_network
from evaluators.detection.darknet.cfg import read_cfg
from evaluators.detection.darknet.layers import Head
from evaluators.detection.darknet.network import (
    Darknet,
    DarknetDetector,
    decode,
    folded,
    load_darknet,
    place,
    read_weights,
    write_darknet_weights,
)
from usaid.checkpoints import write_weights
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

NET = "[net]\nwidth=64\nheight=32\nchannels=3\n"
YOLO = "[yolo]\nmask=0\nanchors=10,20\nclasses=2\n"
HEAD = f"[convolutional]\nfilters=7\nsize=1\nactivation=linear\n{YOLO}"
TINY = f"""{NET}
[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
groups=4
activation=relu
[shortcut]
from=-2
activation=linear
[maxpool]
size=2
stride=2
[convolutional]
filters=14
size=1
activation=linear
[yolo]
mask=1,2
anchors=2,3, 10,20, 30,15
classes=2
scale_x_y=1.1
[route]
layers=-3
[upsample]
stride=2
[route]
layers=-1,2
[convolutional]
filters=7
size=1
activation=linear
[yolo]
mask=0
anchors=2,3, 10,20, 30,15
classes=2
"""


def network_of(text: str) -> Darknet:
    """A network with random weights whose BatchNorms do something."""
    torch.manual_seed(0)
    network = Darknet(read_cfg(text))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (layer.bias, layer.running_mean):
                nn.init.normal_(values, std=0.2)
    return network.eval()


def layer_of(text: str) -> nn.Module:
    """The first layer of a cfg that ends with a head."""
    return network_of(NET + text + HEAD).layers[0]


def refusal(call, *args) -> str:
    with pytest.raises(UsaidError) as error:
        call(*args)
    assert "\n" not in str(error.value)
    return str(error.value)


# The cfg


def test_sections_forgive_comments_and_spaces():
    net_lines = "# a comment\n[network]\n width = 64\t; of the input\n\n;another\nheight=32\nheight=64\n"
    net, yolo = read_cfg(net_lines + "[ yolo ] # head\nmask = 0, 1\n")
    assert (net.kind, net.line, net.options) == ("network", 2, {"width": "64", "height": "32"})
    assert (yolo.kind, yolo.line, yolo.integers("mask")) == ("yolo", 8, (0, 1))
    assert yolo.number("scale_x_y", 1.0) == 1.0


@pytest.mark.parametrize(
    "content",
    [
        TINY.encode("utf-8-sig"),
        TINY.encode("utf-16"),
        TINY.replace("\n", "\r\n").encode(),
        *(
            TINY.replace("stride=2\n", "stride=2 # \u00c5\u2026 Gr\u00f6\u00dfe\n; \u00fc\n", 1).encode(
                encoding, "replace"
            )
            for encoding in ("utf-8", "latin-1", "utf-8-sig", "utf-16", "gb18030")
        ),
        TINY.replace("stride=2\n", "stride=2\n#\x85\xe2\x80\xa8\n", 1).encode("latin-1"),
    ],
)
def test_how_a_cfg_is_encoded_and_what_its_comments_are_does_not_matter(tmp_path, content):
    (tmp_path / "net.cfg").write_bytes(content)
    sections = [(section.kind, section.options) for section in read_cfg(tmp_path / "net.cfg")]
    assert sections == [(section.kind, section.options) for section in read_cfg(TINY)]


def test_what_only_a_training_reads_is_skipped():
    training = "stopbackward=1\nonlyforward=1\ndontsave=1\nlearning_rate=0.1\nsmooth=1\nclip=2\ntrain_only_bn=1\n"
    off = "dilation=1\nxnor=0\nbinary=0\nflipped=0\ndontload=0\ndontloadscales=0\nantialiasing=0\n"
    text = TINY.replace("[shortcut]\n", f"[shortcut]\nweights_type=none\nalpha=1\n{training}")
    text = text.replace("filters=4\n", f"filters=4\n{training}{off}").replace("[yolo]\n", f"[yolo]\n{training}")
    text = text.replace("[upsample]\n", f"[upsample]\nscale=1\n{training}") + "[cost]\ntype=sse\n"
    images, expected = torch.rand(1, 3, 32, 64), network_of(TINY)
    for raw, other in zip(expected(images), network_of(text)(images), strict=True):
        assert torch.equal(raw, other)


@pytest.mark.parametrize(
    ("section", "option"),
    [
        ("convolutional", "dontload=1"),
        ("convolutional", "dontloadscales=1"),
        ("convolutional", "dilation=2"),
        ("convolutional", "xnor=1"),
        ("convolutional", "stride_x=2"),
        ("convolutional", "fliters=8"),
        ("maxpool", "maxpool_depth=1"),
        ("shortcut", "weights_type=per_channel"),
        ("shortcut", "alpha=2"),
        ("upsample", "scale=2"),
        ("route", "stream=1"),
    ],
)
def test_a_key_that_may_change_what_is_computed_is_refused_by_name(section, option):
    message = refusal(network_of, TINY.replace(f"[{section}]\n", f"[{section}]\n{option}\n", 1))
    assert f": [{section}] has the unknown key '{option.partition('=')[0]}'" in message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[convolutional]\nfilters=1000000000\n", "has 3,000,000,000 weights, more than 268,435,456"),
        ("[convolutional]\nfilters=4\nsize=1000000\npad=1\n", "has 12,000,000,000,000 weights"),
        ("[upsample]\nstride=1000000\n", "makes features of 3x32000000x64000000 of one image"),
        ("[maxpool]\nsize=1000000\nstride=1\n", "has a window of 1000000 with 999999 around it"),
        ("[yolo]\nanchors=1,nan\nclasses=2\n", "anchors = 1,nan is not a list of numbers"),
        ("[dropout]\nprobability=inf\n", "probability = inf is not a number"),
    ],
)
def test_numbers_beyond_reason_are_refused(text, complaint):
    assert complaint in refusal(network_of, NET + text + HEAD)


def test_folders_and_devices_are_no_cfg_and_no_weights(tmp_path):
    network = network_of(TINY)
    for path in (Path("/dev/zero"), tmp_path):
        assert f"{path}: not a readable .cfg file" in refusal(read_cfg, path)
        assert f"{path}: is a folder or device" in refusal(read_weights, network, path)
    with open(tmp_path / "long.weights", "wb") as file:
        file.truncate(1 << 40)  # of holes
    assert "has 1,099,511,627,776 bytes, cfg needs" in refusal(read_weights, network, tmp_path / "long.weights")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    network, cfg = network_of(TINY), tmp_path / "net.cfg"
    cfg.write_text(TINY, encoding="utf-8")
    network.layers[1].norm.running_mean[2] = value
    write_darknet_weights(network, tmp_path / "net.weights")
    write_weights(network, tmp_path / "net.safetensors", {})
    for path in (tmp_path / "net.weights", tmp_path / "net.safetensors"):
        assert f"{path}: 'layers.1.norm.running_mean' holds weights that are not finite" in refusal(
            load_darknet, cfg, path
        )


def test_wrong_cfgs_name_file_and_line(tmp_path):
    path = tmp_path / "net.cfg"

    def complaint(content: str | bytes) -> str:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = refusal(lambda: Darknet(read_cfg(path)))
        assert found.startswith(str(path))
        return found.removeprefix(str(path))

    assert ", line 1: 'width=64' is neither [section] nor key = value" in complaint("width=64\n[net]\n")
    assert ", line 2: 'width' is neither" in complaint("[net]\nwidth\n")
    assert "does not begin with [net]" in complaint(HEAD)
    assert "does not begin with [net]" in complaint("")
    assert "not a readable .cfg file" in complaint(b"\xff\xfe[net]")
    assert ", line 2: 'gr\\\\xf6\\\\xdfe' is neither" in complaint("[net]\ngr\u00f6\u00dfe\n".encode("latin-1"))
    assert "width = 6\\xb2 is not a whole number" in complaint("[net]\nwidth=6\u00b2\n".encode("latin-1"))
    assert "has an input of 64x65537000 pixels" in complaint("[net]\nwidth=64\nheight=65537000\n" + HEAD)
    assert "[net] has no 'height'; add it" in complaint("[net]\nwidth=64\n" + HEAD)
    assert "width = 0 is below 1" in complaint("[net]\nwidth=0\nheight=3\n" + HEAD)
    assert "height = tall is not a whole number" in complaint("[net]\nwidth=64\nheight=tall\n" + HEAD)
    assert "channels has to be 3" in complaint("[net]\nwidth=64\nheight=32\nchannels=1\n" + HEAD)
    assert ": has no [yolo] layer" in complaint(NET)
    other = HEAD.replace("classes=2", "classes=1").replace("filters=7", "filters=6")
    assert "differ in 'classes'" in complaint(NET + HEAD + other)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[lstm]\n", "[lstm] is no layer that is known here; known are convolutional, maxpool"),
        ("[convolutional]\nfilters=4\nactivation=gelu\n", "[convolutional] has the unknown activation 'gelu'"),
        ("[convolutional]\nfilters=4\ndilation=2\n", "has the unknown key 'dilation'; known are activation, batch_"),
        ("[convolutional]\nsize=3\n", "has no 'filters'"),
        ("[convolutional]\nfilters=4\ngroups=2\n", "groups = 2 does not divide 3 channels into 4"),
        ("[convolutional]\nfilters=4\nsize=33\n", "size = 33 does not fit into features of 32x64"),
        ("[convolutional]\nfilters=4\nstride=0\n", "stride = 0 is below 1"),
        ("[maxpool]\nsize=two\n", "size = two is not a whole number"),
        ("[maxpool]\n[route]\nlayers=-2\n", "is layer 1 and reads layer -1, which does not come before it"),
        ("[maxpool]\n[route]\nlayers=1\n", "is layer 1 and reads layer 1"),
        ("[maxpool]\n[route]\nlayers=\n", "layers =  is not a list of whole numbers"),
        ("[maxpool]\n[route]\nlayers=0\ngroups=2\n", "cannot take group 0 of 2 from 3 channels"),
        ("[maxpool]\n[route]\nlayers=0\ngroups=3\ngroup_id=3\n", "cannot take group 3 of 3"),
        ("[maxpool]\n[maxpool]\nstride=2\n[route]\nlayers=0,1\n", "different sizes (32x64, 16x32)"),
        ("[maxpool]\n[maxpool]\nstride=2\n[shortcut]\nfrom=0\n", "adds features of 3x32x64 to 3x16x32"),
        ("[maxpool]\n[shortcut]\nfrom=-3\n", "is layer 1 and reads layer -2"),
        ("[dropout]\nprobability=1\n", "probability = 1.0 is not in [0, 1)"),
        ("[yolo]\nclasses=2\n", "has no 'anchors'"),
        ("[yolo]\nanchors=1,2\nclasses=2\n", "needs 7 channels for 1 anchors and 2 classes, not 3"),
        ("[yolo]\nanchors=1,2\nmask=1\n", "mask = (1,) does not choose from 1 pairs of anchors"),
        ("[yolo]\nanchors=1,2,3\nmask=0\n", "does not choose from 1.5 pairs"),
        ("[yolo]\nanchors=1,2\nnew_coords=1\n", "new_coords = 1 codes boxes as Scaled-YOLOv4"),
    ],
)
def test_wrong_layers_name_themselves(text, complaint):
    line = 4 + text[: text.rindex("[")].count("\n") + 1
    found = refusal(network_of, NET + text)
    assert found.startswith(f"cfg, line {line}: [")
    assert complaint in found


def test_unknown_cfgs_are_told_what_there_is(tmp_path):
    known = "place it there, or name one of the suite: miniature, yolov3"
    assert f"yolov9: no such .cfg file; {known}" in refusal(read_cfg, "yolov9")
    assert f"{tmp_path}/none.cfg: no such .cfg file" in refusal(read_cfg, tmp_path / "none.cfg")
    assert "not a readable .cfg file" in refusal(read_cfg, tmp_path)


# The network


def test_yolov3_is_that_of_redmon_and_farhadi(tmp_path):
    with torch.device("meta"):
        network = Darknet(read_cfg("yolov3")).eval()
        assert sum(values.numel() for values in network.parameters()) == 61_949_149
        for size, cells in ((416, (13, 26, 52)), (608, (19, 38, 76))):
            maps = network(torch.empty(1, 3, size, size))
            assert [tuple(raw.shape) for raw in maps] == [(1, 255, n, n) for n in cells]
    assert (network.classes, network.width, network.height) == (80, 608, 608)
    assert [head.anchors[0] for head in network.heads] == [(116, 90), (30, 61), (10, 13)]
    # the size of the published yolov3.weights
    (tmp_path / "yolov3.weights").write_bytes(struct.pack("<3iq", 0, 2, 0, 0))
    complaint = refusal(read_weights, network, tmp_path / "yolov3.weights")
    assert "has 20 bytes, yolov3.cfg needs 248,007,048" in complaint


def test_network_is_the_one_that_its_cfg_describes():
    network = network_of(TINY)
    images = torch.rand(2, 3, 64, 96)
    (c0, n0, _), (c1, n1, _) = network.layers[0], network.layers[1]
    first = F.leaky_relu(n0(F.conv2d(images, c0.weight, stride=2, padding=1)), 0.1)
    second = F.relu(n1(F.conv2d(first, c1.weight, padding=1, groups=4)))
    residual = second + first
    pooled = F.max_pool2d(residual, 2)
    joined = torch.cat([pooled.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3), residual], dim=1)
    c4, c9 = network.layers[4].convolution, network.layers[9].convolution
    maps = network(images)
    assert [tuple(raw.shape) for raw in maps] == [(2, 14, 16, 24), (2, 7, 32, 48)]
    torch.testing.assert_close(maps[0], F.conv2d(pooled, c4.weight, c4.bias))
    torch.testing.assert_close(maps[1], F.conv2d(joined, c9.weight, c9.bias))
    anchors = (10.0, 20.0), (30.0, 15.0)
    assert network.heads == (Head(anchors, 2, 1.1), Head(((2.0, 3.0),), 2, 1.0))


def test_outputs_are_freed_after_their_last_reader():
    network, made, alive = network_of(TINY), {}, []
    for index, layer in enumerate(network.layers):
        layer.register_forward_hook(lambda _, __, output, index=index: made.update({index: weakref.ref(output)}))
    network.layers[8].register_forward_pre_hook(
        lambda *_: alive.extend(i for i, ref in made.items() if ref() is not None)
    )
    with torch.no_grad():
        network(torch.rand(1, 3, 32, 64))
    assert alive == [2, 4, 5, 7]  # the residual sum and the upsampled features to join, and the first head's map


def test_groups_keep_channels_apart():
    layer = layer_of("[convolutional]\nfilters=6\nsize=3\npad=1\ngroups=3\nactivation=linear\n")
    images = torch.rand(1, 3, 8, 8)
    weight, bias = layer.convolution.weight, layer.convolution.bias
    for channel in range(3):
        own = slice(2 * channel, 2 * channel + 2)
        expected = F.conv2d(images[:, channel : channel + 1], weight[own], bias[own], padding=1)
        torch.testing.assert_close(layer(images)[:, own], expected)


@pytest.mark.parametrize(
    ("pads", "size"),
    [("", 6), ("pad=1\n", 8), ("padding=2\n", 10), ("pad=1\npadding=2\n", 8), ("pad=0\npadding=1\n", 8)],
)
def test_pad_is_half_the_size_and_goes_before_padding(pads, size):
    layer = layer_of(f"[convolutional]\nfilters=1\nsize=3\n{pads}")
    assert layer(torch.rand(1, 3, 8, 8)).shape == (1, 1, size, size)


def naive_maxpool(plane: Tensor, size: int, stride: int) -> Tensor:
    """As Darknet: ``size - 1`` zeros' worth of padding in all, windows begin ``(size - 1) // 2`` early."""
    rows, columns = ((length + size - 1 - size) // stride + 1 for length in plane.shape)
    output = torch.empty(rows, columns)
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride - (size - 1) // 2, column * stride - (size - 1) // 2
            output[row, column] = plane[max(0, top) : top + size, max(0, left) : left + size].max()
    return output


@pytest.mark.parametrize(("size", "stride"), [(2, 1), (2, 2), (3, 1), (3, 2), (5, 1), (4, 1), (4, 2), (1, 1)])
def test_maxpool_pads_as_darknet(size, stride):
    images = torch.randn(1, 3, 7, 10) - 5  # negative: zeros in the border would win
    pooled = layer_of(f"[maxpool]\nsize={size}\nstride={stride}\n")(images)
    expected = torch.stack([naive_maxpool(plane, size, stride) for plane in images[0]])
    assert torch.equal(pooled[0], expected)


def test_maxpool_of_2_and_stride_1_looks_right_and_down():
    pooled = layer_of("[maxpool]\nsize=2\nstride=1\n")(torch.tensor([[[[1.0, 5, 2], [4, 3, 0]]]]))
    assert pooled.tolist() == [[[[5, 5, 2], [4, 3, 0]]]]


def test_route_takes_one_group_of_each_input():
    text = NET + "[convolutional]\nfilters=8\n[convolutional]\nfilters=4\n[route]\nlayers=0,-1\ngroups=2\ngroup_id=1\n"
    route = network_of(text + HEAD).layers[2]
    first, second = torch.rand(1, 8, 2, 2), torch.rand(1, 4, 2, 2)
    assert torch.equal(route(first, second), torch.cat([first[:, 4:], second[:, 2:]], dim=1))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", lambda x: x),
        ("leaky", lambda x: max(x, 0.1 * x)),
        ("relu", lambda x: max(x, 0)),
        ("relu6", lambda x: min(max(x, 0), 6)),
        ("logistic", lambda x: 1 / (1 + math.exp(-x))),
        ("mish", lambda x: x * math.tanh(math.log(1 + math.exp(x)))),
        ("swish", lambda x: x / (1 + math.exp(-x))),
    ],
)
def test_activations(name, expected):
    activation = layer_of(f"[convolutional]\nfilters=4\nactivation={name}\n").activation
    values = [-3.0, -0.5, 0.0, 2.0, 7.0]
    assert activation(torch.tensor(values)).tolist() == pytest.approx([expected(x) for x in values], rel=1e-5, abs=1e-6)


def test_dropout_acts_in_training_only():
    layer = layer_of("[dropout]\nprobability=.2\n")
    images = torch.ones(1, 3, 50, 50)
    assert layer(images) is images
    dropped = layer.train()(images)
    assert dropped.unique().tolist() == [0, 1.25]
    assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.03)


def test_variances_are_lifted_by_darknets_constant():
    layer = layer_of("[convolutional]\nbatch_normalize=1\nfilters=3\nactivation=linear\n")
    nn.init.constant_(layer.norm.running_var, 3e-5)
    features = torch.rand(1, 3, 2, 2)
    expected = (features - layer.norm.running_mean.view(3, 1, 1)) / math.sqrt(4e-5)
    expected = expected * layer.norm.weight.view(3, 1, 1) + layer.norm.bias.view(3, 1, 1)
    torch.testing.assert_close(layer.norm(features), expected)


def test_folding_keeps_the_maps_and_the_network():
    network, images = network_of(TINY), torch.rand(2, 3, 32, 64)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        expected, found = network(images), folded(network.train())(images)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert network.training
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    assert all(torch.equal(state[key], value) for key, value in network.eval().state_dict().items())


# Weights


def write_two_convolutions(path: Path, version: tuple[int, int, int], seen: str) -> None:
    """What a network of two 1x1 convolutions reads as 0, 1, 2, ... in the order of the file."""
    count = 4 * 2 + 2 * 3 + 7 + 7 * 2
    path.write_bytes(struct.pack(f"<3i{seen}{count}f", *version, 5, *range(count)))


@pytest.mark.parametrize(("version", "seen"), [((0, 2, 5), "q"), ((0, 1, 0), "i"), ((1, 0, 0), "q")])
def test_weights_lie_in_darknets_order(tmp_path, version, seen):
    network = network_of(f"{NET}[convolutional]\nbatch_normalize=1\nfilters=2\n{HEAD}")
    write_two_convolutions(tmp_path / "net.weights", version, seen)
    read_weights(network, tmp_path / "net.weights")
    first, second = network.layers[0], network.layers[1]
    assert first.norm.bias.tolist() == [0, 1]
    assert first.norm.weight.tolist() == [2, 3]
    assert first.norm.running_mean.tolist() == [4, 5]
    assert first.norm.running_var.tolist() == [6, 7]
    assert first.convolution.weight.flatten(1).tolist() == [[8, 9, 10], [11, 12, 13]]
    assert second.convolution.bias.tolist() == [14, 15, 16, 17, 18, 19, 20]
    assert second.convolution.weight.flatten().tolist() == list(range(21, 35))


def test_written_weights_come_back_bit_for_bit(tmp_path):
    network, other = network_of(TINY), Darknet(read_cfg(TINY))
    write_darknet_weights(network, tmp_path / "a.weights")
    read_weights(other, tmp_path / "a.weights")
    for key, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[key], value), key
    write_darknet_weights(other, tmp_path / "b.weights")
    assert (tmp_path / "a.weights").read_bytes() == (tmp_path / "b.weights").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.weights", "b.weights"]


def test_wrong_weights_tell_the_bytes(tmp_path):
    network, path = network_of(TINY), tmp_path / "net.weights"
    write_darknet_weights(network, path)
    whole = path.read_bytes()
    for content in (whole[:-4], whole[:30], whole + b"\0", b"version https://git-lfs.github.com/spec/v1"):
        path.write_bytes(content)
        assert f"{path}: has {len(content):,} bytes, cfg needs {len(whole):,};" in refusal(read_weights, network, path)
    path.write_bytes(b"")  # too short to tell the version
    assert f"{path}: has 0 bytes, cfg needs 1,252;" in refusal(read_weights, network, path)
    path.unlink()
    assert f"{path}: weights cannot be read (No such file or directory)" in refusal(read_weights, network, path)


def test_detectors_load_from_either_form(tmp_path):
    network, images = network_of(TINY), torch.rand(1, 3, 40, 50)
    cfg, weights, tensors = (tmp_path / f"net.{suffix}" for suffix in ("cfg", "weights", "safetensors"))
    cfg.write_text(TINY)
    write_darknet_weights(network, weights)
    write_weights(network, tensors, {})
    (expected,) = DarknetDetector(network)(images)
    assert len(expected.scores) > 0
    for path in (weights, tensors):
        detector = load_darknet(str(cfg), path, sha256_of_file(path))
        assert (detector.classes, detector.device, detector.letterbox) == (2, torch.device("cpu"), True)
        (found,) = detector(images)
        assert all(torch.equal(one, other) for one, other in zip(found[:3], expected[:3], strict=True))
        assert "SHA-256 is" in refusal(load_darknet, cfg, path, "0" * 64)
        path.unlink()
        assert str(path) in refusal(load_darknet, cfg, path, "0" * 64)


def test_wrong_states_name_the_key(tmp_path):
    cfg, path = tmp_path / "net.cfg", tmp_path / "net.safetensors"
    cfg.write_text(TINY)
    for changed, complaint in [
        (
            TINY.replace("filters=7", "filters=8").replace("classes=2", "classes=3").replace("=14", "=16"),
            "has shape (16,",
        ),
        (TINY[: TINY.index("[route]")], "key 'layers.9.convolution.weight' is missing"),
        (TINY + HEAD, "key 'layers.11.convolution.bias' does not belong to it"),
    ]:
        write_weights(network_of(changed), path, {})
        found = refusal(load_darknet, cfg, path)
        assert found.startswith(f"{path}: not the weights of {cfg}, give the file that belongs to it: ")
        assert complaint in found


# Boxes


def test_decoding_one_cell_by_hand():
    head = Head(((10.0, 20.0), (30.0, 15.0)), classes=3, scale_x_y=1.2)
    raw = torch.full((1, 16, 2, 4), -9.0)
    raw[0, 8:, 1, 2] = torch.tensor([0.0, math.log(3), math.log(2), 0.0, math.log(4), 0.0, math.log(3), -math.log(3)])
    boxes, objectness, classes = decode([raw], [head], (64, 128))
    assert (boxes.shape, objectness.shape, classes.shape) == ((1, 16, 4), (1, 16), (1, 16, 3))
    best = objectness[0].argmax()
    # cells are 32x32: centre (2 + 0.5) * 32 and (1 + 0.75 * 1.2 - 0.1) * 32
    assert boxes[0, best].tolist() == pytest.approx([80.0, 57.6, 60.0, 15.0])
    assert objectness[0, best].item() == pytest.approx(0.8)
    assert classes[0, best].tolist() == pytest.approx([0.5, 0.75, 0.25])


def test_decoding_joins_the_heads():
    network, images = network_of(TINY), torch.rand(2, 3, 32, 64)
    maps = network(images)
    boxes, objectness, classes = decode(maps, network.heads, (32, 64))
    assert boxes.shape == (2, 2 * 8 * 16 + 16 * 32, 4)
    for index in range(2):
        part = slice(0, 256) if index == 0 else slice(256, None)
        alone = decode(maps[index : index + 1], network.heads[index : index + 1], (32, 64))
        assert torch.equal(alone[0], boxes[:, part])
        assert torch.equal(alone[1], objectness[:, part])
        assert torch.equal(alone[2], classes[:, part])
    assert ((objectness > 0) & (objectness < 1)).all()


def test_half_precision_maps_give_full_precision_boxes():
    raw = torch.zeros(1, 7, 76, 76, dtype=torch.bfloat16)
    boxes, _, _ = decode([raw], [Head(((10.0, 13.0),), 2, 1.0)], (608, 608))
    assert boxes[0, -1].tolist() == [604.0, 604.0, 10.0, 13.0]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((40, 40), (16, 0, 32, 32)), ((20, 80), (0, 8, 64, 16)), ((32, 64), (0, 0, 64, 32)), ((31, 50), (6, 0, 51, 32))],
)
def test_letterbox_keeps_the_aspect_ratio(size, expected):
    images = torch.rand(2, 3, *size)
    fitted, placement = place(images, 64, 32, letterbox=True)
    left, top, width, height = placement
    assert tuple(placement) == expected
    assert fitted.shape == (2, 3, 32, 64)
    inner = fitted[:, :, top : top + height, left : left + width]
    torch.testing.assert_close(inner[..., [0, 0, -1, -1], [0, -1, 0, -1]], images[..., [0, 0, -1, -1], [0, -1, 0, -1]])
    fitted[:, :, top : top + height, left : left + width] = 0.5
    assert (fitted == 0.5).all()


def test_resizing_is_bilinear_with_aligned_corners():
    ramp = torch.arange(5.0).expand(1, 3, 9, 5) / 4
    fitted, placement = place(ramp, 9, 17, letterbox=False)
    assert tuple(placement) == (0, 0, 9, 17)
    torch.testing.assert_close(fitted, torch.linspace(0, 1, 9).expand(1, 3, 17, 9))


class Drawn(nn.Module):
    """A stand-in for a network: finds the extent of what is brighter than 0.55 and reports it as one box of class 1."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self.width, self.height, self.classes = width, height, 2
        self.layers, self.heads = nn.ModuleList(), (Head(((1.0, 1.0),), 2, 1.0),)

    def forward(self, images: Tensor) -> list[Tensor]:
        assert images.shape[-2:] == (self.height, self.width)
        assert images.min() >= -1e-5
        assert images.max() <= 1 + 1e-5
        maps = torch.full((len(images), 7, 1, 1), -20.0)
        for raw, image in zip(maps, images, strict=True):
            rows, columns = ((image[0] > 0.55).any(dim=d).nonzero()[:, 0] for d in (1, 0))
            (top, bottom), (left, right) = ((ends[0].item(), ends[-1].item() + 1) for ends in (rows, columns))
            centre = torch.tensor([(left + right) / 2 / self.width, (top + bottom) / 2 / self.height])
            extent = torch.tensor([right - left, bottom - top]).float()
            raw[:4, 0, 0] = torch.cat([centre.logit(), extent.log()])
            raw[4, 0, 0] = raw[6, 0, 0] = 20.0
        return [maps]


@pytest.mark.parametrize("letterbox", [True, False])
@pytest.mark.parametrize("size", [(300, 400), (400, 300), (33, 500), (416, 416), (120, 90)])
def test_a_box_drawn_in_the_image_comes_back(size, letterbox):
    height, width = size
    x, y, w, h = round(0.2 * width), round(0.3 * height), round(0.5 * width), round(0.4 * height)
    images = torch.zeros(2, 3, height, width) - 0.3  # denoised images leave [0, 1]
    images[0, :, y : y + h, x : x + w] = 1.4
    images[1, :, : y + h, x:] = 1.4
    detector = DarknetDetector(Drawn(416, 416), letterbox=letterbox)
    pixel = max(1.0, width / 416, height / 416)  # one of the network's input or of the image
    for found, expected in zip(detector(images), ((x, y, w, h), (x, 0, width - x, y + h)), strict=True):
        assert found.classes.tolist() == [1]
        assert found.scores.tolist() == [pytest.approx(1.0)]
        assert found.boxes[0].tolist() == pytest.approx(expected, abs=1.5 * pixel)


class Fixed(nn.Module):
    """A stand-in for a network that gives the same maps for every image of a batch, or those of its turn."""

    def __init__(self, maps: list[Tensor], heads: tuple[Head, ...], size: int = 100) -> None:
        super().__init__()
        self.width = self.height = size
        self.classes, self.heads, self.maps, self.layers = heads[0].classes, heads, maps, nn.ModuleList()

    def forward(self, images: Tensor) -> list[Tensor]:
        return [raw[: len(images)] for raw in self.maps]


def test_boxes_end_at_the_image():
    # centre (50, 50), 240 wide, 40 high; letterboxed, the image takes rows 25 to 74
    raw = torch.tensor([0.0, 0.0, math.log(2.4), math.log(0.4), 9.0, 9.0]).view(1, 6, 1, 1)
    network = Fixed([raw], (Head(((100.0, 100.0),), 1, 1.0),))
    (found,) = DarknetDetector(network)(torch.zeros(1, 3, 100, 200))
    assert found.boxes[0].tolist() == pytest.approx([0, 10, 200, 80])
    (found,) = DarknetDetector(network, letterbox=False)(torch.zeros(1, 3, 100, 200))
    assert found.boxes[0].tolist() == pytest.approx([0, 30, 200, 40])


def test_every_class_above_the_threshold_is_a_detection_of_its_own():
    raw = torch.tensor([0.0, 0, 0, 0, math.log(4), math.log(3), -math.log(3), math.log(1.5)]).view(1, 8, 1, 1)
    network = Fixed([raw], (Head(((10.0, 10.0),), 3, 1.0),))
    images = torch.zeros(1, 3, 100, 100)
    (found,) = DarknetDetector(network)(images)
    assert found.scores.tolist() == pytest.approx([0.8 * 0.75, 0.8 * 0.6, 0.8 * 0.25])
    assert found.classes.tolist() == [0, 2, 1]
    assert found.boxes.dtype == found.scores.dtype == torch.float32
    assert found.classes.dtype == torch.int64
    assert DarknetDetector(network, threshold=0.3)(images)[0].classes.tolist() == [0, 2]
    (nothing,) = DarknetDetector(network, threshold=0.9)(images)
    assert [tuple(values.shape) for values in nothing[:3]] == [(0, 4), (0,), (0,)]


def test_confident_detections_have_one_class_and_are_ranked_and_chosen_by_objectness():
    """Two boxes of one place, the better one less certain of its class, and one of an objectness below 0.5."""
    raw = torch.full((1, 3 * 7, 1, 1), -20.0)
    for anchor, (objectness, first, second) in enumerate([(0.6, 0.9, 0.1), (0.8, 0.5, 0.4), (0.49, 0.9, 0.9)]):
        values = torch.tensor([0.5, 0.5, 0, 0, objectness, first, second])
        raw[0, 7 * anchor : 7 * anchor + 7, 0, 0] = torch.cat([torch.zeros(4), values[4:].logit()])
    network = Fixed([raw], (Head(((10.0, 10.0), (10.0, 9.0), (90.0, 90.0)), 2, 1.0),))
    (found,) = DarknetDetector(network)(torch.zeros(1, 3, 100, 100))
    assert found.scores[0].item() == pytest.approx(0.54)  # the other box is the best by objectness * probability
    assert found.confident.objectness.tolist() == pytest.approx([0.8])
    assert found.confident.classes.tolist() == [0]
    assert found.confident.boxes[0].tolist() == pytest.approx([45, 45.5, 10, 9])


def test_confident_boxes_are_not_cut_at_the_image():
    raw = torch.tensor([0.0, 0.0, math.log(2.4), math.log(0.4), 9.0, 9.0]).view(1, 6, 1, 1)
    network = Fixed([raw], (Head(((100.0, 100.0),), 1, 1.0),))
    (found,) = DarknetDetector(network)(torch.zeros(1, 3, 100, 200))
    assert found.confident.boxes[0].tolist() == pytest.approx([-140, 10, 480, 80])


def test_the_input_of_a_network_can_be_made_larger(tmp_path):
    cfg, weights = tmp_path / "net.cfg", tmp_path / "net.weights"
    cfg.write_text(TINY)
    write_darknet_weights(network_of(TINY), weights)
    detector = load_darknet(cfg, weights, input_size=96)
    assert detector.input_size == (96, 96)
    assert len(detector(torch.rand(1, 3, 96, 96))[0].scores) > len(load_darknet(cfg, weights)(torch.rand(1, 3, 96, 96)))


def crowded(seed: int, batch: int = 3, classes: int = 4) -> Fixed:
    """Raw maps of many overlapping boxes, of very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(batch, 2 * (5 + classes), 6, 6, generator=generator)
    raw[:, [2, 3, 11, 12]] *= 0.7
    return Fixed([raw], (Head(((25.0, 40.0), (50.0, 30.0)), classes, 1.1),))


def naive_detections(network: Fixed, image: int, threshold: float, overlap: float) -> list[tuple]:
    """Suppression class after class, one box after the other, on an image of the network's own size."""
    boxes, objectness, probabilities = (
        values[image].double() for values in decode(network.maps, network.heads, (network.height, network.width))
    )
    found = []
    for label in range(network.classes):
        scores = objectness * probabilities[:, label]
        kept: list[Tensor] = []
        for index in scores.argsort(descending=True).tolist():
            x, y, w, h = boxes[index].tolist()
            box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            if scores[index] > threshold and all(iou(box, other) <= overlap for other in kept):
                kept.append(box)
                left, top, right, bottom = (min(max(end, 0), network.width) for end in box)
                found.append((scores[index].item(), label, left, top, right - left, bottom - top))
    return sorted(found, reverse=True)


def iou(a: tuple, b: tuple) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_that_of_a_naive_loop(seed):
    network = crowded(seed)
    everything = DarknetDetector(network, threshold=0.2)(torch.zeros(3, 3, 100, 100))
    for image, found in enumerate(everything):
        expected = torch.tensor(naive_detections(network, image, 0.2, 0.45))
        assert 20 < len(expected) < 2 * 36 * 4
        torch.testing.assert_close(found.scores, expected[:, 0])
        torch.testing.assert_close(found.classes, expected[:, 1].long())
        torch.testing.assert_close(found.boxes, expected[:, 2:], rtol=1e-4, atol=1e-4)


def test_few_candidates_change_nothing_but_the_tail(monkeypatch):
    network, images = crowded(7), torch.zeros(3, 3, 100, 100)
    everything = DarknetDetector(network, threshold=0.01)(images)
    monkeypatch.setattr(darknet_network, "CANDIDATES", 60)
    for found, whole in zip(DarknetDetector(network, threshold=0.01)(images), everything, strict=True):
        assert 10 < len(found.scores) < len(whole.scores)
        assert torch.equal(found.boxes, whole.boxes[: len(found.boxes)])


def test_equal_scores_keep_one_of_two_equal_boxes():
    raw = torch.zeros(1, 12, 1, 1)
    network = Fixed([raw], (Head(((10.0, 10.0), (10.0, 10.0)), 1, 1.0),))
    (found,) = DarknetDetector(network)(torch.zeros(1, 3, 100, 100))
    assert found.scores.tolist() == [0.25]


@pytest.mark.parametrize("logarithm", [20.0, 200.0])  # exp(200) overflows to infinity
def test_absurd_boxes_do_no_harm(logarithm):
    raw = torch.zeros(1, 7, 1, 2)
    raw[0, 2:4, 0, 0] = logarithm
    network = Fixed([raw], (Head(((10.0, 10.0),), 2, 1.0),))
    (found,) = DarknetDetector(network)(torch.zeros(1, 3, 100, 100))
    assert found.boxes.isfinite().all()
    assert found.confident.boxes.isfinite().all()
    assert sorted(found.boxes[:, 2].tolist()) == [10, 10, 100, 100]


@pytest.mark.parametrize("letterbox", [True, False])
def test_a_batch_is_its_images(letterbox):
    detector = DarknetDetector(network_of(TINY), letterbox=letterbox)
    images = torch.rand(3, 3, 50, 61)
    together = detector(images)
    for image, found in zip(images, together, strict=True):
        (alone,) = detector(image[None])
        torch.testing.assert_close(found.scores, alone.scores)
        torch.testing.assert_close(found.boxes, alone.boxes, rtol=1e-4, atol=1e-3)
        assert torch.equal(found.classes, alone.classes)
    assert not torch.equal(together[0].scores, together[1].scores)
