"""What the paper's Figures 4 and 5 have in common: Kodak images with PSNR and NIQE below them."""

from collections.abc import Mapping, Sequence

from usaid.paper.figures import how_told, printed_rows
from usaid.registries import METRICS
from usaid.report.figures.shown import Number, Shown, as_text, conventions_of, conventions_said

BENCHMARK = "kodak_quality"


def numbers_of(shown: Shown, images: Mapping[float, str]) -> list[Number]:
    """PSNR and NIQE of all pictures.

    Args:
        shown: the figure's pictures.
        images: sigma -> image of the row.
    """
    return shown.numbers(images, conventions_of("psnr", "niqe"))


def captions(numbers: Sequence[Number], sigma: str, denoiser: str, digits: Mapping[str, int]) -> tuple[str, str]:
    """What stands below a picture: ours, as the paper writes it, and the paper's, if it probably shows this image.

    Args:
        numbers: of the figure.
        sigma: of the row, ``"25"``.
        denoiser: whose picture it is.
        digits: metric -> digits after the point, as the figure prints them.
    """
    own = [number for number in numbers if (number.row, number.denoiser) == (sigma, denoiser)]
    texts = [f"{METRICS[number.metric].title} = {as_text(number.ours, digits[number.metric])}" for number in own]
    ours = f"({', '.join(texts)})" if texts else ""
    printed = ", ".join(number.paper for number in own if number.is_of_same_image)
    return ours, f"in print: {printed}" if printed else ""


def notes(shown: Shown, numbers: Sequence[Number]) -> tuple[str, ...]:
    """What has to be said of the numbers of a figure."""
    papers = ", ".join(f"{row.image_id} (σ = {row.sigma:g})" for row in printed_rows(shown.figure))
    told = f"The paper's figure probably shows {papers}: {how_told(shown.figure)}."
    if any(number.is_of_same_image for number in numbers):
        told += " “In print” are its numbers."
    return (*shown.deviations, *conventions_said(shown, numbers, "niqe"), told)
