"""Of which benchmarks, denoisers and figures an experiment keeps images."""

from typing import NamedTuple

from usaid.experiment.experiment import Experiment
from usaid.experiment.sight import BENCHMARK_OF_FIGURE, CLEAN, KeepImages, ZoomedImage


class ImageOfFigure(NamedTuple):
    """One image that a figure shows.

    Attributes:
        figure: ``"figure_4"``.
        benchmark: whose image and judge.
        image_id: in the words of its data set.
        sigma: noise level, 0-255 scale.
        centre: x and y of the middle of what it shows larger, in pixels; None: it shows the whole image.
    """

    figure: str
    benchmark: str
    image_id: str
    sigma: float
    centre: tuple[int, int] | None = None


def images_of_figures(experiment: Experiment) -> list[ImageOfFigure]:
    """The images that the experiment's figures show, in the figures' order."""
    images: list[ImageOfFigure] = []
    for figure, benchmark in BENCHMARK_OF_FIGURE.items():
        settings = None if experiment.figures is None else getattr(experiment.figures, figure)
        if isinstance(settings, ZoomedImage):
            left, top, width, height = settings.zoom
            centre = left + width // 2, top + height // 2
            images.append(ImageOfFigure(figure, benchmark, settings.image, settings.sigma, centre))
        elif settings is not None:
            named = sorted((float(sigma), image_id) for sigma, image_id in settings.images.items())
            images += [ImageOfFigure(figure, benchmark, image_id, sigma) for sigma, image_id in named]
    return images


def benchmarks_kept(experiment: Experiment) -> list[str]:
    """The benchmarks whose images are kept by rule."""
    if experiment.keep_images is None:
        return []
    return [*(experiment.keep_images.benchmarks or experiment.benchmarks)]


def keeps_at(experiment: Experiment, denoiser: str, benchmark: str, sigma: float) -> bool:
    """Whether a denoiser's picture of a benchmark's image at a sigma is kept: not where the experiment bars it."""
    if denoiser == CLEAN:
        return True
    own = experiment.denoisers[denoiser]
    return (own.benchmarks is None or benchmark in own.benchmarks) and (own.sigmas is None or sigma in own.sigmas)


def window_side(experiment: Experiment) -> int | None:
    """Side in pixels of the windows that are kept; None: whole images."""
    return (experiment.keep_images or KeepImages()).window
