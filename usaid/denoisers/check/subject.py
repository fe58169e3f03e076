"""The denoiser under check, and the pictures that it is shown."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.datasets.miniature import scenes
from usaid.datasets.miniature.encoding import generator
from usaid.denoisers.adapters import Adapter, FromCallable
from usaid.denoisers.base import Denoiser
from usaid.denoisers.check.finding import UNNAMED
from usaid.denoisers.contract import denoised
from usaid.noise import gaussian_noise
from usaid.tensors import to_unit_range

SIGMA = 25.0
"""Noise level of most checks, 0-255 scale."""
SIDE = 64
"""Of the pictures of most checks, in pixels."""
SLOW = 1.0
"""Seconds for a picture of this side; who takes longer is shown smaller ones."""


@cache
def picture(height: int, width: int, number: int = 0) -> Tensor:
    """A picture from code that is close to a natural one, by number: float32 (1, 3, height, width) in [0, 1]."""
    side = max(height, width, 32)
    rng = generator(number, f"check/{side}")
    kinds = [scenes.KINDS[kind] for kind in rng.integers(0, len(scenes.KINDS), 3)]
    scene = scenes.object_scene(rng, (side, side), kinds, (side / 9, side / 4))
    return to_unit_range(scene.photograph(0.3))[:, :, :height, :width].contiguous()


def noise(height: int, width: int, sigma: float = SIGMA, number: int = 0) -> Tensor:
    """Gaussian noise of a level (0-255 scale): float32 (1, 3, height, width)."""
    return gaussian_noise("check", str(number), sigma, 0, height, width)[None]


def noisy_pictures(count: int, height: int, width: int, sigma: float = SIGMA) -> Tensor:
    """Pictures with noise, not clipped, no two alike: float32 (count, 3, height, width)."""
    images = [picture(height, width, number) + noise(height, width, sigma, number) for number in range(count)]
    return torch.cat(images)


def psnr(image: Tensor, clean: Tensor) -> float:
    """In dB, clamped to [0, 1] as in the tables."""
    error = (image.clamp(0, 1) - clean).double().square().mean().clamp(min=1e-10)
    return float(-10 * error.log10())


class Subject:
    """A denoiser that checks look at.

    Attributes:
        make: what made it, and can make another.
        wanted: the device that was asked for.
        before: what of the process a denoiser has no business to change, before it was made.
        denoiser: what ``make`` returned.
        seconds_to_make: how long that took.
    """

    def __init__(self, make: Callable[[], Denoiser], wanted: torch.device | str = "cpu") -> None:
        self.make, self.wanted = make, torch.device(wanted)
        self.before = settings_of_process()
        start = time.perf_counter()
        self.denoiser = make()
        self.seconds_to_make = time.perf_counter() - start

    @property
    def facts(self) -> Facts | None:
        """What the denoiser says of itself; None: nothing."""
        facts = getattr(self.denoiser, "facts", None)
        return facts if isinstance(facts, Facts) else None

    @property
    def called(self) -> Denoiser:
        """The denoiser within all adapters."""
        inner = self.denoiser
        while isinstance(inner, Adapter):
            inner = inner.inner
        return inner

    @property
    def code(self) -> Any:
        """What its author wrote: the function or network that adapters are put around, else the denoiser."""
        return self.called.network if isinstance(self.called, FromCallable) else self.called

    @property
    def is_blind(self) -> bool:
        """It says that it is told no noise level."""
        return self.facts is not None and self.facts.blind

    @property
    def device(self) -> torch.device:
        """Where its input has to be."""
        return torch.device(getattr(self.denoiser, "device", "cpu"))

    def told(self, sigma: float) -> float | None:
        """What it is told of a noise level, as in scoring."""
        return None if self.is_blind else sigma

    def __call__(self, noisy: Tensor, sigma: float = SIGMA) -> Tensor:
        """Denoise a batch of the CPU as scoring does: float32 (B, 3, H, W) on the CPU.

        Raises:
            UsaidError: it fails, or its output is not what a denoiser's has to be.
        """
        return denoised(UNNAMED, self.denoiser, noisy.to(self.device), self.told(sigma)).cpu()

    def raw(self, noisy: Tensor, sigma: float = SIGMA) -> Any:
        """Whatever it returns for a batch of the CPU, which is on its device by then and may be changed."""
        return self.denoiser(noisy.to(self.device), told_sigma=self.told(sigma))

    def timed(self, noisy: Tensor) -> float:
        """Seconds that it takes for a batch."""
        noisy = noisy.to(self.device)
        start = time.perf_counter()
        denoised(UNNAMED, self.denoiser, noisy, self.told(SIGMA))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - start

    @cached_property
    def pace(self) -> float:
        """Seconds for a picture of :data:`SIDE` pixels a side, the second time."""
        noisy = noisy_pictures(1, SIDE, SIDE)
        return min(self.timed(noisy), self.timed(noisy))

    @property
    def side(self) -> int:
        """Side of the pictures of most checks: smaller for slow denoisers."""
        return SIDE if self.pace < SLOW else SIDE // 2

    @property
    def large_side(self) -> int:
        """Side of the pictures on which it is seen whether noise goes."""
        return 2 * SIDE if self.pace < SLOW / 8 else SIDE

    def layers(self) -> Iterator[nn.Module]:
        """The layers of the networks that are the denoiser's attributes, or their attributes."""
        seen: set[int] = set()
        pending: list[Any] = [self.denoiser]
        for depth in range(4):
            found, pending = pending, []
            for value in found:
                if isinstance(value, nn.Module):
                    yield from value.modules()
                elif depth < 3 and id(value) not in seen:
                    seen.add(id(value))
                    pending += vars(value).values() if hasattr(value, "__dict__") else ()

    def layers_in_training(self) -> list[str]:
        """Classes of its layers that work otherwise while they train, and are in training mode."""
        kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
        return sorted({type(layer).__name__ for layer in self.layers() if isinstance(layer, kinds) and layer.training})


GRAVE = ("working folder", "default dtype", "default device", "gradients switched on or off")
"""Of the settings below: those without which others compute something else or do not find their files."""


def settings_of_process() -> dict[str, object]:
    """What of the process a denoiser has no business to change, by name."""
    return {
        "working folder": os.getcwd(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "gradients switched on or off": torch.is_grad_enabled(),
        "number of torch's threads": torch.get_num_threads(),
        "precision of matrix products": torch.get_float32_matmul_precision(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
    }


def states_of_random_numbers() -> dict[str, object]:
    """The global random numbers that are next, by name."""
    legacy: Any = np.random.get_state()  # noqa: NPY002 - the state that others share
    return {
        "torch's random numbers": torch.get_rng_state().numpy().tobytes(),
        "NumPy's random numbers": (legacy[1].tobytes(), legacy[2:]),
        "Python's random numbers": random.getstate(),
    }


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Where the global random numbers are others than a seed gives; afterwards they are as before."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    torch.rand(1), np.random.random(), random.random()  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
