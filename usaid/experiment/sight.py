"""What an experiment may ask to be seen: images for the viewer, chosen by rule, and those of Figures 3 to 5."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field

from usaid.experiment.model import Count, Integer, OneOf, Settings, Text, ToldSigma, Unique, must_be, refuse
from usaid.paper.figures import COLUMNS
from usaid.registries import BENCHMARKS, METHODS

PAPERS = ("u_said", "cdncnn_b")
"""The difference that the paper is about: its method minus the one that lacks a segmentation loss."""

BENCHMARK_OF_FIGURE = {"figure_3": "voc_segmentation", "figure_4": "kodak_quality", "figure_5": "kodak_quality"}

CLEAN = "clean"
"""What holds the images without noise, whether or not it is a denoiser of the experiment."""


def _without_repeated_sigmas(images: dict[str, str]) -> dict[str, str]:
    for sigma in images:
        if not 0 < float(sigma) <= 255:
            raise refuse(f"sigma {sigma}: must be > 0 and <= 255")
    if len({float(sigma) for sigma in images}) < len(images):
        raise must_be("without repeated sigmas")
    return images


ImageOfEachSigma = Annotated[
    dict[Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")], Text],
    Field(min_length=1),
    AfterValidator(_without_repeated_sigmas),
]
BenchmarkName = Annotated[str, OneOf(lambda: BENCHMARKS)]
Rule = Literal["first", "median", "worst"]
Offset = Annotated[Integer, Field(ge=0)]


class KeepImages(Settings):
    """Images that are kept without loss, to be looked at: the report's viewer shows them.

    They are chosen by rule, not by eye, at the middle one of a benchmark's sigmas and its first noise draw, and kept at
    all of its sigmas. Where one of the two denoisers of `difference` has no scores, the first image alone is kept.
    """

    benchmarks: Annotated[tuple[BenchmarkName, ...], Field(min_length=1), Unique()] | None = None
    """Of these benchmarks, as far as the experiment has them; default: all."""
    rules: Annotated[tuple[Rule, ...], Field(min_length=1), Unique()] = ("first", "median", "worst")
    """`first` in the order of ids; `median` and `worst` of the differences in PSNR, or in the mean IoU of an image
    where no PSNR is computed."""
    difference: Annotated[tuple[Text, Text], Unique()] = PAPERS
    """Names of two denoisers: the first minus the second; `worst` is where the first gains least, or loses most."""
    window: Annotated[Integer, Field(ge=16)] | None = 128
    """Side in pixels of the square that is cut from an image, where it has the most texture; null: the whole image."""


class ImagesOfFigure(Settings):
    """The images of Figure 3 (of `voc_segmentation`) or Figure 5 (of `kodak_quality`)."""

    images: ImageOfEachSigma
    """The image of each noise level, as `{15: kodim15, 25: kodim24}`; the benchmark need not be scored there."""


class ZoomedImage(Settings):
    """The image of Figure 4, of `kodak_quality`."""

    image: Text
    """Its id."""
    sigma: ToldSigma = 25
    """Noise level; the benchmark need not be scored there."""
    zoom: tuple[Offset, Offset, Count, Count]
    """Left, top, width, height of the part that is shown larger, in pixels of the image."""


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


class Figures(Settings):
    """Whole images of the experiment's denoisers for Figures 3, 4 and 5.

    Each is left out if its key is, or if the experiment lacks its benchmark.
    """

    figure_3: ImagesOfFigure | None = None
    """Segmentations of three images of VOC 2012 at three noise levels."""
    figure_4: ZoomedImage | None = None
    """A Kodak image, full and zoomed."""
    figure_5: ImagesOfFigure | None = None
    """Three Kodak images at three noise levels."""
    denoisers: Annotated[tuple[Text, ...], Field(min_length=1, max_length=8), Unique()] = COLUMNS
    """Their columns, by name; clean images stand beside them."""

    def of(self, figure: str) -> dict[str, Any]:
        """What one of them shows, JSON-able, with the `denoisers`; empty: it is left out."""
        own: Settings | None = getattr(self, f"figure_{figure}", None)
        return {} if own is None else {**own.model_dump(mode="json"), "denoisers": [*self.denoisers]}

    def shown(self) -> list[ImageOfFigure]:
        """The images that the figures show, in the figures' order."""
        images: list[ImageOfFigure] = []
        for figure, benchmark in BENCHMARK_OF_FIGURE.items():
            settings = getattr(self, figure)
            if isinstance(settings, ZoomedImage):
                left, top, width, height = settings.zoom
                centre = left + width // 2, top + height // 2
                images.append(ImageOfFigure(figure, benchmark, settings.image, settings.sigma, centre))
            elif settings is not None:
                named = sorted((float(sigma), image_id) for sigma, image_id in settings.images.items())
                images += [ImageOfFigure(figure, benchmark, image_id, sigma) for sigma, image_id in named]
        return images


def check_sight(keep: KeepImages | None, figures: Figures | None, denoisers: Mapping[str, str]) -> None:
    """See that what is to be seen is in the experiment.

    Args:
        keep: its ``keep_images``.
        figures: its ``figures``.
        denoisers: names of its denoisers -> their methods.

    Raises:
        PydanticCustomError: a denoiser that it has not, or one with the name of the clean images.
    """
    if keep is not None:
        _check_names("keep_images.difference", keep.difference if keep.difference != PAPERS else (), denoisers)
    if figures is not None:
        _check_names("figures.denoisers", figures.denoisers if figures.denoisers != COLUMNS else (), denoisers)
    given_clean = [name for name, card in METHODS.items() if card.given_clean]
    if (keep or figures) and denoisers.get(CLEAN, given_clean[0]) not in given_clean:
        raise refuse(f"denoisers.{CLEAN}: has the name of the images without noise, which are kept, too; rename it")


def _check_names(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    for index, name in enumerate(names):
        if name not in known:
            raise refuse(f"{key}.{index} = {json.dumps(name)}: must be one of {', '.join(known)}")
