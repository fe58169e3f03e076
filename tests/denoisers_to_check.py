"""Denoisers for the tests of `usaid check`: good ones without weights, and one for every mistake."""

import ctypes
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser, checked_told_sigma


def facts(blind: bool = True) -> Facts:
    return Facts("Own", blind, False, False, False, "MIT", "none")


def level(noisy: Tensor) -> Tensor:
    """Standard deviation of the noise of each image, (B, 1, 1, 1): by the median of second differences."""
    kernel = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=noisy.dtype).repeat(3, 1, 1, 1)
    second = F.conv2d(noisy, kernel, groups=3)
    return second.flatten(1).abs().median(1).values.view(-1, 1, 1, 1) / 0.6745 / 6


def wiener(noisy: Tensor, deviation: Tensor | float) -> Tensor:
    """The local Wiener filter in windows of 5x5."""
    mean, square = (F.avg_pool2d(F.pad(x, (2, 2, 2, 2), "reflect"), 5, 1) for x in (noisy, noisy**2))
    variance = (square - mean**2).clamp(min=1e-8)
    return mean + (1 - deviation**2 / variance).clamp(min=0) * (noisy - mean)


class Good(Denoiser):
    """Blind: it estimates the noise."""

    facts = facts()

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)

    @torch.inference_mode()
    def __call__(self, noisy, told_sigma=None):
        return wiener(noisy, level(noisy))


class Told(Good):
    facts = facts(blind=False)

    @torch.inference_mode()
    def __call__(self, noisy, told_sigma=None):
        return wiener(noisy, checked_told_sigma(told_sigma) / 255)


def returning(change):
    """A class whose output is that of a good one, changed by a function of output and input."""

    class Changed(Good):
        def __call__(self, noisy, told_sigma=None):
            return change(super().__call__(noisy), noisy)

    return Changed


# The output's form

AnArray = returning(lambda output, noisy: output.numpy())
Nothing = returning(lambda output, noisy: None)
ATuple = returning(lambda output, noisy: (output, noisy - output))
ChannelsLast = returning(lambda output, noisy: output.permute(0, 2, 3, 1))
NoBatch = returning(lambda output, noisy: output[0])
OneChannel = returning(lambda output, noisy: output[:, :1])
Cropped = returning(lambda output, noisy: output[:, :, 2:-2, 2:-2])
Larger = returning(lambda output, noisy: F.pad(output, (0, 8, 0, 8)))
EightBits = returning(lambda output, noisy: (255 * output.clamp(0, 1)).to(torch.uint8))
NotANumber = returning(lambda output, noisy: noisy.sqrt())
Doubles = returning(lambda output, noisy: output.double())


class OneImageOnly(Good):
    def __call__(self, noisy, told_sigma=None):
        (image,) = noisy
        return super().__call__(image[None])


class OfChannels(Good):
    """A network whose first layer takes other than three channels."""

    channels = 1

    def __call__(self, noisy, told_sigma=None):
        return F.conv2d(noisy, torch.ones(1, self.channels, 1, 1))


class WithMap(OfChannels):
    channels = 4


class TakesArrays(Good):
    def __call__(self, noisy, told_sigma=None):
        return np.clip(noisy, 0, 1).astype(np.float32)


class WrongSignature(Good):
    def __call__(self, noisy):
        return noisy


class SelfMade(Good):
    def __call__(self, noisy, told_sigma=None):
        raise KeyError("body.0.weight")


class WithoutFacts(Good):
    facts = None


class OfBlocks(Good):
    """Halves an image three times and doubles it again, as a U-Net does."""

    def __call__(self, noisy, told_sigma=None):
        coarse = F.interpolate(F.avg_pool2d(noisy, 8), scale_factor=8)
        return super().__call__(noisy + 0 * coarse)


class OneSize(Good):
    def __call__(self, noisy, told_sigma=None):
        assert noisy.shape[2:] in {(64, 64), (128, 128)}
        return super().__call__(noisy)


class AtLeast33(Good):
    def __call__(self, noisy, told_sigma=None):
        if min(noisy.shape[2:]) < 33:
            raise ValueError("too small")
        return super().__call__(noisy)


class WordForDevice(Good):
    def __init__(self):
        self.device = "cpu"


class StaysOnCPU(Good):
    def __init__(self):
        pass


class TracksGradients(Good):
    def __init__(self):
        self.gain = nn.Parameter(torch.ones(1))

    @torch.enable_grad()
    def __call__(self, noisy, told_sigma=None):
        return super().__call__(noisy.clone()).clone() * self.gain


# What it is for

PredictsNoise = returning(lambda output, noisy: noisy - output)
PredictsMinusNoise = returning(lambda output, noisy: output - noisy)
Returns255 = returning(lambda output, noisy: 255 * output)
Darker = returning(lambda output, noisy: 0.8 * output)
Weak = returning(lambda output, noisy: 0.95 * noisy + 0.05 * output)
Zero = returning(lambda output, noisy: torch.zeros_like(noisy))
Untouched = returning(lambda output, noisy: noisy)


class Works255(Good):
    """As a network that was trained on 0-255: what it takes for noise is far above that of images in [0, 1]."""

    def __call__(self, noisy, told_sigma=None):
        deviation = torch.full((1,), 25.0)
        if noisy.abs().max() < 10:
            return noisy + 0.01
        return wiener(noisy, deviation)


class Works255PredictsNoise(Works255):
    def __call__(self, noisy, told_sigma=None):
        return noisy - super().__call__(noisy)


class MinusOneToOne(Good):
    def __call__(self, noisy, told_sigma=None):
        return (super().__call__(noisy) if noisy.min() < -0.7 else noisy).clamp(-1, 1)


class Wants01(Told):
    def __call__(self, noisy, told_sigma=None):
        return wiener(noisy, told_sigma) if told_sigma < 1 else torch.full_like(noisy, 0.5)


class OnlyStrongNoise(Good):
    """Blurs as if sigma were 35 or more."""

    def __call__(self, noisy, told_sigma=None):
        return F.avg_pool2d(F.pad(noisy, (4, 4, 4, 4), "reflect"), 9, 1)


# What it depends on


class InTraining(Good):
    """BatchNorm is left in training mode."""

    def __init__(self):
        self.network = nn.Sequential(nn.BatchNorm2d(3))

    def __call__(self, noisy, told_sigma=None):
        return super().__call__(noisy).clone() + 0.1 * self.network(noisy)


class InEvaluation(InTraining):
    def __init__(self):
        super().__init__()
        self.network.eval()


class MeanOfBatch(Good):
    def __call__(self, noisy, told_sigma=None):
        return super().__call__(noisy) - noisy.mean() + 0.5


class WithDropout(Good):
    def __init__(self):
        self.dropout = nn.Dropout()

    def __call__(self, noisy, told_sigma=None):
        return super().__call__(noisy).clone() + 0.1 * self.dropout(noisy)


class Remembers(Good):
    before = 0.0

    def __call__(self, noisy, told_sigma=None):
        output = super().__call__(noisy) + 0.1 * self.before
        self.before = float(noisy.mean())
        return output


class HearsInSecret(Good):
    def __call__(self, noisy, told_sigma=None):
        return wiener(noisy, level(noisy) if told_sigma is None else told_sigma / 255)


class Deaf(Good):
    facts = facts(blind=False)


# What it changes


class InPlace(Good):
    def __call__(self, noisy, told_sigma=None):
        return noisy.copy_(super().__call__(noisy.clone()))


class ChangesFolder(Good):
    def __init__(self):
        os.chdir("/")


class ChangesDtype(Good):
    def __init__(self):
        torch.set_default_dtype(torch.float64)

    def __call__(self, noisy, told_sigma=None):
        return super().__call__(noisy)


class ChangesThreads(Good):
    def __call__(self, noisy, told_sigma=None):
        torch.set_num_threads(torch.get_num_threads() + 1)
        return super().__call__(noisy)


class Seeds(Good):
    def __call__(self, noisy, told_sigma=None):
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        return super().__call__(noisy)


# What ends, stops or fills a process


class Exits(Good):
    """Ends the process, but only for a batch of three."""

    def __call__(self, noisy, told_sigma=None):
        if len(noisy) == 3:
            os._exit(7)
        return super().__call__(noisy)


class Segfaults(Good):
    def __call__(self, noisy, told_sigma=None):
        return ctypes.string_at(0)


class Hangs(Good):
    def __call__(self, noisy, told_sigma=None):
        while len(noisy) == 3:
            time.sleep(0.1)
        return super().__call__(noisy)


class Floods(Good):
    def __call__(self, noisy, told_sigma=None):
        print("denoising\n" * 100_000)
        return super().__call__(noisy)
