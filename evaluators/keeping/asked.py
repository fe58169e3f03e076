"""Of what an experiment keeps images. Its settings are asked as values: how they are checked changes no image."""

from typing import TYPE_CHECKING

from usaid.registries import load_object

if TYPE_CHECKING:
    from usaid.experiment.denoiser_entry import DenoiserEntry
    from usaid.experiment.experiment import Experiment
    from usaid.experiment.sight import ImageOfFigure

CLEAN = "clean"
"""What holds the images without noise, whether or not it is a denoiser of the experiment."""

WINDOW = 128
"""Side in pixels of the windows, where an experiment keeps images of figures alone."""


def benchmarks_kept(experiment: "Experiment") -> list[str]:
    """The benchmarks whose images are kept by rule: those of the list that the experiment has."""
    keep = experiment.keep_images
    wanted = () if keep is None else keep.benchmarks or experiment.benchmarks
    return [name for name in wanted if name in experiment.benchmarks]


def images_of_figures(experiment: "Experiment") -> "list[ImageOfFigure]":
    """The images that the experiment's figures show, in the figures' order."""
    images = [] if experiment.figures is None else experiment.figures.shown()
    return [image for image in images if image.benchmark in experiment.benchmarks]


def window_side(experiment: "Experiment") -> int | None:
    """Side in pixels of the windows that are kept; None: whole images."""
    return WINDOW if experiment.keep_images is None else experiment.keep_images.window


def entry_of(experiment: "Experiment", denoiser: str) -> "DenoiserEntry":
    """The entry of one of its denoisers, or of the clean images."""
    if denoiser != CLEAN or CLEAN in experiment.denoisers:
        return experiment.denoisers[denoiser]
    entry: DenoiserEntry = load_object("usaid.experiment.denoiser_entry:DenoiserEntry")(method=CLEAN)
    return entry


def keeps_at(experiment: "Experiment", denoiser: str, benchmark: str, sigma: float) -> bool:
    """Whether a denoiser's picture of a benchmark's image at a sigma is kept: not where the experiment bars it."""
    if denoiser == CLEAN:
        return True
    own = experiment.denoisers[denoiser]
    return (own.benchmarks is None or benchmark in own.benchmarks) and (own.sigmas is None or sigma in own.sigmas)
