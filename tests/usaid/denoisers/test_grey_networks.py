"""Networks of grey images, as many people have them: known by their states, applied to each channel by itself."""

import pytest
import torch
from kinds.denoisers import noisy_images

from benchmarks.dncnn_files import as_deepinv, as_kair, simplenn, write_matlab_73
from usaid.checkpoints import stored_record
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.dncnn.network import DnCNN
from usaid.denoisers.drunet.network import DRUNet
from usaid.denoisers.ffdnet.network import FFDNet
from usaid.denoisers.recognise import recognised
from usaid.denoisers.weights import import_weights
from usaid.errors import UsaidError
from usaid.experiment.denoiser_entry import DenoiserEntry

SIGMA = 25.5


def grey_dncnn() -> DnCNN:
    torch.manual_seed(1)
    return DnCNN(5, 8, merged=True, channels=1).eval()


def grey_drunet() -> DRUNet:
    torch.manual_seed(1)
    return DRUNet((4, 4, 6, 8), 1, channels=1).eval()


def grey_ffdnet() -> FFDNet:
    torch.manual_seed(1)
    return FFDNet(4, 8, channels=1).eval()


NETWORKS = {
    ("dncnn", "kair_grey"): (grey_dncnn, as_kair, lambda network, noisy: noisy - network(noisy)),
    ("dncnn", "deepinv_grey"): (grey_dncnn, as_deepinv, lambda network, noisy: noisy - network(noisy)),
    ("ffdnet", "kair_grey"): (grey_ffdnet, FFDNet.state_dict, lambda network, noisy: network(noisy, SIGMA / 255)),
    ("drunet", "kair_grey"): (grey_drunet, DRUNet.state_dict, lambda network, noisy: network(noisy, SIGMA / 255)),
}


@pytest.mark.parametrize("known", NETWORKS, ids="-".join)
def test_each_channel_is_denoised_by_itself(known, tmp_path):
    make, state_of, called = NETWORKS[known]
    torch.save(state_of(make()), tmp_path / "net.pth")
    assert recognised(tmp_path / "net.pth") == known
    noisy = noisy_images(2, 33, 20)
    with torch.inference_mode():
        expected = torch.cat([called(make(), noisy[:, channel : channel + 1]) for channel in range(3)], dim=1)
    denoiser = build_denoiser(known[0], tmp_path / "net.pth")
    torch.testing.assert_close(denoiser(noisy, SIGMA), expected, atol=1e-5, rtol=0)
    assert denoiser.record["layout"] == known[1]


@pytest.mark.parametrize("known", NETWORKS, ids="-".join)
def test_an_import_stays_grey_and_tells_its_layout(known, tmp_path):
    make, state_of, _ = NETWORKS[known]
    torch.save(state_of(make()), tmp_path / "net.pth")
    entry = DenoiserEntry(method=known[0], weights="net.pth")
    import_weights(entry, {"": tmp_path / "net.pth"}, tmp_path / "ours.safetensors")
    assert stored_record(tmp_path / "ours.safetensors")["layout"] == known[1]
    assert recognised(tmp_path / "ours.safetensors") == known
    noisy = noisy_images(1, 16, 16)
    ours, theirs = (build_denoiser(known[0], tmp_path / name)(noisy, SIGMA) for name in ("ours.safetensors", "net.pth"))
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_kairs_with_batchnorm_and_the_authors_matlab_files(tmp_path):
    network = grey_dncnn()
    write_matlab_73(tmp_path / "net.mat", simplenn(network))
    assert recognised(tmp_path / "net.mat") == ("dncnn", "matconvnet_grey")
    noisy = noisy_images(1, 16, 16)
    with torch.inference_mode():
        red = noisy[:, :1] - network(noisy[:, :1])
    torch.testing.assert_close(build_denoiser("dncnn", tmp_path / "net.mat")(noisy)[:, :1], red, atol=1e-5, rtol=0)
    norm = DnCNN(5, 8, channels=1).state_dict()
    torch.save({f"model.{key.removeprefix('dncnn.')}": own for key, own in norm.items()}, tmp_path / "bare.pth")
    with pytest.raises(UsaidError, match=r"nearest: KAIR's DnCNN.*of grey images\): key 'model.0.bias' is missing"):
        recognised(tmp_path / "bare.pth")
    biases = {f"model.{key.split('.')[1]}.bias": torch.zeros(len(own)) for key, own in norm.items() if own.ndim == 4}
    state = {f"model.{key.removeprefix('dncnn.')}": own for key, own in norm.items()} | biases
    torch.save(state, tmp_path / "norm.pth")
    assert recognised(tmp_path / "norm.pth") == ("dncnn", "kair_batchnorm_grey")


def test_the_published_sizes():
    with torch.device("meta"):
        ffdnet, drunet, dncnn = FFDNet(15, 64, 1), DRUNet(channels=1), DnCNN(17, 64, merged=True, channels=1)
    counts = [sum(own.numel() for own in network.parameters()) for network in (ffdnet, drunet, dncnn)]
    assert counts == [485_316, 32_638_656, 555_137]
