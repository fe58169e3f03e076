"""Checks of what a denoiser is for: a clean picture stays, and noise goes."""

from usaid.denoisers.check.finding import Finding
from usaid.denoisers.check.readings import AS_IT_IS, NO_NOISE, psnr_at, reading_of
from usaid.denoisers.check.subject import SIDE, SIGMA, Subject, noise, picture, psnr

SIGMAS = (15.0, 25.0, 35.0)
"""The paper's noise levels, 0-255 scale."""
KEPT, LOST = 30.0, 20.0
"""PSNR in dB of a clean picture that went through: above it stays as it is, below it is another."""


def check_noise(subject: Subject) -> Finding:
    """What it returns for a noisy picture is the image, not the noise."""
    clean, added = picture(SIDE, SIDE), noise(SIDE, SIDE)
    output = subject(clean + added)
    to_image, to_noise = (float((output - other).square().mean().sqrt()) for other in (clean, added))
    values = {"to_image": to_image, "to_noise": to_noise}
    reading = reading_of(subject)
    if reading.of == "noise":
        before, after = psnr_at(subject, reading, SIGMA, SIDE)
        what = f"it {reading.what}: read so, PSNR goes from {before:.1f} to {after:.1f} dB at sigma {SIGMA:g}"
        return Finding("noise", "failed", what, reading.cure, values)
    distances = f"RMSE {to_image:.3f} to the image, {to_noise:.3f} to the noise"
    if to_noise < to_image and reading is AS_IT_IS:
        cure = "if the network predicts noise: --predicts noise; if its weights are random, name their file: --weights"
        return Finding(
            "noise", "warning", f"its output is nearer to the noise than to the image ({distances})", cure, values
        )
    return Finding("noise", "ok", f"it predicts the image ({distances})", values=values)


def check_range(subject: Subject) -> Finding:
    """A clean picture comes out as it went in, in [0, 1]."""
    reading = reading_of(subject)
    if reading.of in ("range", "told"):
        before, after = psnr_at(subject, reading, SIGMA, SIDE)
        what = f"it {reading.what}: read so, PSNR goes from {before:.1f} to {after:.1f} dB at sigma {SIGMA:g}"
        return Finding("range", "failed", what, reading.cure)
    side = subject.large_side
    clean = picture(side, side)
    output = reading.denoise(subject, clean, NO_NOISE)
    low, high = float(output.min()), float(output.max())
    if high > 4 or low < -3:
        cure = "an image is in [0, 1]: divide by what white is; --value-range 255 if the network works on 0-255"
        return Finding("range", "failed", f"a clean picture comes out with values from {low:.1f} to {high:.1f}", cure)
    kept = psnr(output, clean)
    what = f"a clean picture comes out at {kept:.1f} dB, values from {low:.2f} to {high:.2f}"
    what += f" (read as: it {reading.what})" if reading.what else ""
    values = {"psnr": kept, "low": low, "high": high}
    if kept >= KEPT:
        return Finding("range", "ok", what, values=values)
    shift = float((output - clean).mean())
    if abs(shift) > 0.05:
        what += f"; {'brighter' if shift > 0 else 'darker'} by {abs(shift):.2f} on average"
    cure = "if it takes all input for noisy that is how it is; else look at scale, colour order and weights"
    return Finding("range", "failed" if kept < LOST else "warning", what, cure, values)


def check_psnr(subject: Subject) -> Finding:
    """PSNR of a noisy picture improves at the paper's noise levels."""
    reading = reading_of(subject)
    pairs = {sigma: psnr_at(subject, reading, sigma, subject.large_side) for sigma in SIGMAS}
    told = "" if subject.is_blind else ", told the level"
    read = f" (read as: it {reading.what})" if reading.what else ""
    numbers = ", ".join(f"{before:.1f} to {after:.1f} dB at {sigma:g}" for sigma, (before, after) in pairs.items())
    what = f"{numbers}{told}{read}"
    values = {f"gain_{sigma:g}": after - before for sigma, (before, after) in pairs.items()}
    better = [sigma for sigma, (before, after) in pairs.items() if after > before]
    if len(better) == len(pairs):
        return Finding("psnr", "ok", what, values=values)
    if better:
        worse = ", ".join(f"{sigma:g}" for sigma in SIGMAS if sigma not in better)
        cure = f"it is not made for sigma {worse}: leave these levels out, or train on them"
        return Finding("psnr", "warning", f"no better at sigma {worse}: {what}", cure, values)
    cure = "were its weights loaded (--weights FILE)? other ranges and noise as output were tried and are no better"
    return Finding("psnr", "failed", f"it removes no noise: {what}", cure, values)
