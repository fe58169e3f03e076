"""What a denoiser returns is checked on every batch; the error names the denoiser."""

import re

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
        (lambda noisy: noisy[:, :1], "mine: returned shape (2, 1, 8, 9) for a batch of (2, 3, 8, 9)"),
        (lambda noisy: noisy[0], "mine: returned shape (3, 8, 9) for a batch of (2, 3, 8, 9)"),
        (lambda noisy: noisy.mT, "mine: returned shape (2, 3, 9, 8) for a batch of (2, 3, 8, 9)"),
        (lambda noisy: (noisy * 255).byte(), "mine: returned torch.uint8; a denoiser returns floats"),
        (lambda noisy: noisy > 0.5, "mine: returned torch.bool; a denoiser returns floats"),
        (lambda noisy: noisy.to("meta"), "mine: returned a tensor on meta, not cpu; move it there"),
        (with_one_pixel(float("nan")), "mine: returned values that are not finite (NaN or infinity)"),
        (with_one_pixel(float("inf")), "mine: returned values that are not finite (NaN or infinity)"),
        (with_one_pixel(-float("inf")), "mine: returned values that are not finite (NaN or infinity)"),
        (lambda noisy: noisy.double() * 1e300, "mine: returned values that are not finite (NaN or infinity)"),
        (lambda noisy: noisy.numpy(), "mine: returned ndarray; a denoiser returns a torch tensor"),
        (lambda noisy: None, "mine: returned NoneType; a denoiser returns a torch tensor"),
        (lambda noisy: (noisy, 25), "mine: returned tuple; a denoiser returns a torch tensor"),
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
    with pytest.raises(UsaidError, match=r"^mine: RuntimeError: no memory left$"):
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

    with pytest.raises(UsaidError, match=r"^mine: SystemExit: 0$"):
        denoised("mine", Own(leave), torch.rand(1, 3, 8, 9))
