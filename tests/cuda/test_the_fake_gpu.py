"""The fake GPU itself: it lets right code pass, and a planted fault not."""

import pytest
import torch
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
from usaid.registries import METHODS
from usaid.tensors import Normalisation
from usaid.training.loop import autocast, generator_for

FACTS = METHODS["cdncnn_b"].facts
SAME = "on the same device|should be the same"
"""What torch says of mixed devices, without values and with them."""


class Forgetful(Denoiser):
    """A planted fault: it adds what it never moved."""

    def __init__(self, facts: Facts, device: torch.device, forgets: bool) -> None:
        self.facts, self.device = facts, device
        self.tint = torch.zeros(3, 1, 1, device="cpu" if forgets else device)

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        return noisy + self.tint


def test_what_a_denoiser_leaves_on_the_cpu_is_seen(cuda):
    noisy = torch.rand(1, 3, 8, 8, device=cuda)
    assert Forgetful(FACTS, cuda, forgets=False)(noisy).device.type == "cuda"
    with pytest.raises(RuntimeError, match="device"):
        Forgetful(FACTS, cuda, forgets=True)(noisy)


def test_weights_left_on_the_cpu_are_seen(cuda):
    network = nn.Sequential(nn.Conv2d(3, 4, 3).to(cuda), nn.Conv2d(4, 3, 3))
    with pytest.raises(RuntimeError, match=SAME):
        network(torch.rand(1, 3, 8, 8, device=cuda))


def test_images_left_on_the_cpu_are_seen(small_dncnn, cuda):
    with pytest.raises(RuntimeError, match=SAME):
        DnCNNDenoiser(small_dncnn, FACTS, cuda)(torch.rand(1, 3, 32, 32))
    with pytest.raises(RuntimeError, match="device"):
        Normalisation((0.5,) * 3, (0.2,) * 3, cuda)(torch.rand(1, 3, 32, 32))


def test_a_module_moves_as_a_whole(cuda):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(cuda).to(memory_format=torch.channels_last)
    assert {value.device.type for value in network.state_dict().values()} == {"cuda"}
    assert network(torch.rand(2, 3, 8, 8, device=cuda)).device.type == "cuda"


def test_autocast_takes_place(cuda):
    layer = nn.Linear(4, 4).to(cuda)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(cuda, precision):
            assert layer(torch.rand(2, 4, device=cuda)).dtype == dtype


def test_a_generator_elsewhere_is_seen(cuda):
    on_cpu, on_gpu = generator_for(torch.device("cpu"), 0), generator_for(cuda, 0)
    assert torch.rand(3, generator=on_gpu, device=cuda).device.type == "cuda"
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(3, generator=on_cpu, device=cuda)
    with pytest.raises(RuntimeError, match="generator"):
        torch.empty(3).normal_(generator=on_gpu)
