"""What a denoiser returns is checked on every batch; the error names the denoiser."""

import re
from dataclasses import dataclass

import pytest
import torch

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.denoisers.contract import denoised
from usaid.errors import UsaidError


class Own(Denoiser):
    """A denoiser of a user's own, which returns what its function makes of the noisy images."""

    facts = Facts("Own", True, False, False, False, "MIT", "none")

    def __init__(self, function) -> None:
        self.function = function

    def __call__(self, noisy, told_sigma=None):
        self.told = told_sigma
        return self.function(noisy)


def with_one_pixel(value):
    def change(noisy):
        changed = noisy.clone()
        changed[1, 2, 3, 4] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda noisy: noisy[:, :1],
            "mine: returned shape (2, 1, 8, 9) for a batch of (2, 3, 8, 9); return the 3",
        ),
        (lambda noisy: noisy[0], "mine: returned shape (3, 8, 9) for a batch of (2, 3, 8, 9)"),
        (
            lambda noisy: noisy.mT,
            "mine: returned shape (2, 3, 9, 8) for a batch of (2, 3, 8, 9); height comes before width: output.mT",
        ),
        (lambda noisy: noisy[:, :, 1:], "mine: returned shape (2, 3, 7, 9) for a batch of (2, 3, 8, 9); conv"),
        (lambda noisy: {"image": noisy}, "mine: returned a dict of 1; return the denoised batch alone"),
        (lambda noisy: noisy * 255, "mine: returned values up to "),
        (lambda noisy: noisy.double() * 200, "mine: returned values up to "),
        (
            lambda noisy: (noisy * 255).byte(),
            "mine: returned torch.uint8; return floats, black 0 and white 1: divide by 255; if it is to be given 0-255",
        ),
        (lambda noisy: noisy > 0.5, "mine: returned torch.bool; return floats, black 0 and white 1"),
        (lambda noisy: noisy.to("meta"), "mine: returned a tensor on meta, not cpu; move it there"),
        (with_one_pixel(float("nan")), "mine: returned values that are not finite (NaN or infinity)"),
        (with_one_pixel(float("inf")), "mine: returned values that are not finite (NaN or infinity)"),
        (with_one_pixel(-float("inf")), "mine: returned values that are not finite (NaN or infinity)"),
        (lambda noisy: noisy.double() * 1e300, "mine: returned values that are not finite (NaN or infinity)"),
        (lambda noisy: noisy.numpy(), "mine: returned a NumPy array; return a torch tensor (torch.from_numpy), or"),
        (lambda noisy: None, "mine: returned None; end it with `return` and the denoised batch"),
        (lambda noisy: (noisy, 25), "mine: returned a tuple of 2; return the denoised batch alone"),
        (lambda noisy: torch.nn.Identity(), "mine: returned a network (Identity): it makes one; write `network = "),
    ],
)
def test_what_is_no_batch_of_images_is_refused(function, message):
    with pytest.raises(UsaidError, match=f"^{re.escape(message)}") as error:
        denoised("mine", Own(function), torch.rand(2, 3, 8, 9))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(dtype):
    noisy = torch.rand(2, 3, 8, 9)
    output = denoised("mine", Own(lambda images: images.to(dtype)), noisy)
    assert output.dtype == torch.float32
    assert torch.equal(output, noisy.to(dtype).float())


def test_values_may_leave_the_unit_range_and_sigma_is_told():
    own, noisy = Own(lambda noisy: noisy * 3 - 1), torch.rand(2, 3, 8, 9)
    assert torch.equal(denoised("mine", own, noisy, 12.5), noisy * 3 - 1)
    assert own.told == 12.5


def test_what_the_denoiser_itself_refuses_is_passed_on():
    def refuse(noisy):
        raise UsaidError("too small")

    with pytest.raises(UsaidError, match=r"^too small$"):
        denoised("mine", Own(refuse), torch.rand(1, 3, 8, 9))


def raising(noisy):
    raise RuntimeError("no memory\nleft")


def test_what_the_denoiser_itself_raises_names_it():
    with pytest.raises(UsaidError, match=r"^mine: RuntimeError: no memory left \(test_contract.py, line [0-9]+\)$"):
        denoised("mine", Own(raising), torch.rand(1, 3, 8, 9))


@pytest.mark.parametrize(("code", "ends"), [(143, SystemExit), (1, UsaidError), ("no", UsaidError), (None, UsaidError)])
def test_a_stranger_that_exits_is_named_and_a_signal_ends_the_process(code, ends):
    def leave(noisy):
        raise SystemExit(code)

    with pytest.raises(ends):
        denoised("mine", Own(leave), torch.rand(1, 3, 8, 9))


def test_no_graph_is_kept():
    scale = torch.ones((), requires_grad=True)
    assert not denoised("mine", Own(lambda noisy: noisy * scale), torch.rand(1, 3, 8, 9)).requires_grad


def test_a_denoiser_may_change_its_input_and_nobody_sees_it():
    noisy = torch.rand(1, 3, 8, 9)
    before = noisy.clone()
    for change in (lambda images: images.mul_(0), lambda images: torch.from_numpy(images.numpy().__imul__(0))):
        assert not denoised("mine", Own(change), noisy).any()
        assert torch.equal(noisy, before)


def test_a_denoiser_that_ends_the_process_fails():
    def leave(noisy):
        raise SystemExit(0)

    with pytest.raises(UsaidError, match=r"^mine: SystemExit: 0 \(test_contract.py, line [0-9]+\)$"):
        denoised("mine", Own(leave), torch.rand(1, 3, 8, 9))


@pytest.mark.parametrize(
    "function",
    [
        lambda noisy: noisy * 3 - 1,
        lambda noisy: torch.full_like(noisy, 90.0),  # has nothing of its image
        lambda noisy: 200 - 100 * noisy,
        lambda noisy: noisy * 1e4,
        lambda noisy: torch.randn(noisy.shape, generator=torch.Generator().manual_seed(1)) * 50 + 120,
        lambda noisy: -255 * noisy,
    ],
)
def test_a_denoiser_may_be_bad(function):
    denoised("mine", Own(function), torch.rand(2, 3, 32, 32))


def test_a_denoiser_needs_no_hash():
    """A dataclass has none."""
    own = dataclass(Own)(lambda noisy: noisy * 0.5)
    assert denoised("mine", own, torch.ones(1, 3, 8, 8)).unique().tolist() == [0.5]


def test_a_dark_image_does_not_tell_the_range_and_the_next_one_does():
    own = Own(lambda noisy: noisy * 255)
    denoised("mine", own, torch.rand(1, 3, 16, 16) * 0.005)
    with pytest.raises(UsaidError, match=r"divide it by 255$"):
        denoised("mine", own, torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize(
    ("network", "hint"),
    [
        (torch.nn.Conv2d(1, 1, 3), "perhaps a network of grey images: channels grey"),
        (torch.nn.Conv2d(4, 3, 3), "perhaps a network that is given a noise map: told_as map"),
        (lambda noisy: noisy + torch.nn.functional.avg_pool2d(noisy, 2).repeat(1, 1, 2, 2), "perhaps sides that have"),
        (lambda noisy: (lambda x, sigma: x)(noisy), "perhaps a network that is told the noise level: told_as argument"),
        (lambda noisy: (0.1).repeat(noisy), "told the noise level as a tensor: told_as tensor"),
        (torch.nn.Conv2d(3, 3, 3).half(), "perhaps a network of another type of floats than float32"),
        (lambda noisy: noisy.reshape(1, 3, 8, 8), "perhaps a network of one size of images"),
        (lambda noisy: noisy.astype("float32"), "perhaps a function on NumPy images: put @FromArrays"),
    ],
)
def test_what_may_help_is_said(network, hint):
    with pytest.raises(UsaidError, match=re.escape(hint)):
        denoised("mine", Own(network), torch.rand(1, 3, 9, 9))


def test_of_torchscript_the_reason_is_said_and_not_its_listing():
    traced = torch.jit.trace(torch.nn.Conv2d(4, 3, 3), torch.rand(1, 4, 9, 9))
    with pytest.raises(UsaidError, match=r"^mine: RuntimeError: Given groups=1, .*told_as map$"):
        denoised("mine", Own(traced), torch.rand(1, 3, 9, 9))
