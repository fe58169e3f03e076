"""In which reading a denoiser's output removes noise: what it says is the image, or the noise, or in another range.

A denoiser that does nothing good is tried in other readings, as its author may have meant it. The one in which noise
goes names the cure.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from usaid.denoisers.check.subject import SIDE, SIGMA, Subject, noise, picture, psnr
from usaid.denoisers.contract import cure_by_adapt
from usaid.errors import UsaidError

GOOD = 1.0
"""Decibels by which noise at :data:`SIGMA` has to go for a reading to be right without a look at others."""
ALIKE = 0.3
"""Decibels: of readings that differ by less, the simplest is taken, which comes first."""
CLEAR = 3.0
"""Decibels by which noise goes in the right reading: no other is tried then."""
NO_NOISE = 1.0
"""What a non-blind denoiser is told of a clean picture: the level has to be above 0."""


@dataclass(frozen=True)
class Reading:
    """One way to read a denoiser's input and output.

    Attributes:
        what: what the denoiser does if this is how it is meant; empty: it is a denoiser.
        cure: what makes it one.
        of: kind of mistake: ``noise``, ``range`` or ``told``.
        denoise: (subject, noisy batch, sigma) -> denoised batch, float32 (B, 3, H, W).
        keeps: PSNR in dB that a clean picture has at least if it is read rightly; 0: it need not be seen.
    """

    what: str
    cure: str
    of: str
    denoise: Callable[[Subject, Tensor, float], Tensor]
    keeps: float = 0.0


def _image(subject: Subject, noisy: Tensor, sigma: float) -> Tensor:
    return subject(noisy, sigma)


AS_IT_IS = Reading("", "", "", _image)
OTHERS = (
    Reading("predicts the noise", cure_by_adapt("predicts", "noise"), "noise", lambda s, y, sigma: y - s(y, sigma)),
    Reading(
        "predicts the noise with its sign changed",
        "return noisy + what the network returns",
        "noise",
        lambda s, y, sigma: y + s(y, sigma),
    ),
    Reading(
        "works on values of 0-255",
        cure_by_adapt("value_range", 255),
        "range",
        lambda s, y, sigma: s(255 * y, sigma) / 255,
    ),
    Reading(
        "works on values of 0-255 and predicts the noise",
        f"--value-range 255 {cure_by_adapt('predicts', 'noise')[:-1]}, value_range: 255}}",
        "range",
        lambda s, y, sigma: y - s(255 * y, sigma) / 255,
    ),
    Reading(
        "works on values from -1 to 1",
        "give the network 2 * noisy - 1, and return (output + 1) / 2",
        "range",
        lambda s, y, sigma: (s(2 * y - 1, sigma) + 1) / 2,
        keeps=32.0,  # also mends one that makes images darker, but not as well
    ),
    Reading(
        "wants the noise level on the scale of 0-1",
        "the told sigma is on the 0-255 scale: divide it by 255",
        "told",
        lambda s, y, sigma: s(y, sigma / 255),
    ),
)


@lru_cache(maxsize=1)
def reading_of(subject: Subject) -> Reading:
    """The reading in which noise goes; as it is, if it goes in none. Tried once for a subject."""
    gain = gain_of(subject, AS_IT_IS)
    if gain >= GOOD:
        return AS_IT_IS
    best, most = AS_IT_IS, max(gain, 0) + GOOD
    for reading in OTHERS:
        if reading.of == "told" and subject.is_blind:
            continue
        with suppress(UsaidError):
            gain = gain_of(subject, reading)
            if gain > most and (not reading.keeps or kept_by(subject, reading) >= reading.keeps):
                best, most = reading, gain + ALIKE
        if most > CLEAR:
            break
    return best


def kept_by(subject: Subject, reading: Reading) -> float:
    """PSNR in dB of a clean picture that went through."""
    clean = picture(SIDE, SIDE)
    return psnr(reading.denoise(subject, clean, NO_NOISE), clean)


def gain_of(subject: Subject, reading: Reading) -> float:
    """By how many decibels it improves PSNR at :data:`SIGMA`, on a small picture."""
    before, after = psnr_at(subject, reading, SIGMA, SIDE)
    return after - before


def psnr_at(subject: Subject, reading: Reading, sigma: float, side: int) -> tuple[float, float]:
    """PSNR in dB of a picture with noise, and of the same denoised."""
    clean = picture(side, side)
    noisy = clean + noise(side, side, sigma)
    return psnr(noisy, clean), psnr(reading.denoise(subject, noisy, sigma), clean)
