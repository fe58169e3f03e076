"""What Figures 3 to 5 show of the kept images: pictures, the numbers below them beside the paper's, and both as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.paper.figures import printed_row
from usaid.paper.layouts import TITLES
from usaid.registries import METRICS
from usaid.report.tables.titles import distinct, sigma_name
from usaid.scores.kept_images import CLEAN, KeptImages, Picture, read_kept

GROUND_TRUTH = "Ground truth"
"""Title of the column of ``clean``."""

_MOST = 8
"""Denoisers of a figure."""

LACKING = "–"
"""What a caption says where there is no number."""


class Number(NamedTuple):
    """A number of a caption.

    Attributes:
        row: sigma of its row, ``"25"``.
        image_id: what the row shows.
        denoiser: whose picture it is below.
        metric: ``"psnr"``, ``"niqe"``, ``"miou"``.
        ours: of the whole image; None: undefined, or there is no picture.
        paper: as printed; empty: the paper has none.
        convention: how ours was computed.
        paper_image: what the paper's row probably shows; empty: it cannot be told.
        reason: why there is no picture.
    """

    row: str
    image_id: str
    denoiser: str
    metric: str
    ours: float | None
    paper: str
    convention: str
    paper_image: str
    reason: str

    @property
    def is_of_same_image(self) -> bool:
        """Whether the paper's number is, probably, of the same image."""
        return bool(self.paper) and self.image_id == self.paper_image


class Shown:
    """The pictures of a figure.

    Attributes:
        figure: its number in the paper.
        benchmark: whose images it shows.
        denoisers: names, in the order of its columns.
        titles: denoiser -> what its column is called.
        deviations: from the paper's protocol, of this benchmark; sentences.
    """

    def __init__(self, figure: int, benchmark: str, archives: Mapping[str, Path], denoisers: Sequence[str]) -> None:
        """
        Args:
            figure: its number in the paper.
            benchmark: whose images it shows.
            archives: denoiser -> archive of whole images (:mod:`usaid.scores.kept_images`), ``clean`` among them. One
                may be missing, or say in its place why it failed.
            denoisers: names, in the order of the columns.

        Raises:
            UsaidError: an archive is damaged, or there are too many columns.
        """
        if len(denoisers) > _MOST:
            raise UsaidError(f"figure_{figure}: {len(denoisers)} denoisers do not fit a page; name at most {_MOST}")
        self.figure, self.benchmark, self.denoisers = figure, benchmark, tuple(denoisers)
        self._kept = {name: _read(archives.get(name)) for name in (CLEAN, *denoisers)}
        there = {name: kept for name, kept in self._kept.items() if isinstance(kept, KeptImages)}
        known = TITLES | {name: kept.title for name, kept in there.items()}
        self.titles = distinct({name: known.get(name, name) for name in denoisers})
        self.deviations = _deviations(benchmark, [there[name] for name in denoisers if name in there])

    def picture(self, denoiser: str, image_id: str, sigma: float) -> Picture | str:
        """A whole image as a denoiser left it, or why there is none; that of ``clean`` is the same for all sigmas."""
        kept = self._kept[denoiser]
        if isinstance(kept, str):
            return kept
        for picture in kept.pictures:
            is_it = picture.benchmark == self.benchmark and picture.image_id == image_id
            if is_it and (denoiser == CLEAN or picture.sigma == sigma) and picture.window[2:] == picture.size:
                return picture
        return f"not kept: {image_id} of {self.benchmark} at σ = {sigma:g}"

    def numbers(self, images: Mapping[float, str], metrics: Mapping[str, Sequence[str]]) -> list[Number]:
        """The numbers of all captions, row by row.

        Args:
            images: sigma -> image of the row.
            metrics: metric -> conventions, of which the one is taken that most pictures have been scored by.
        """
        pictures = {
            (sigma, name): self.picture(name, image_id, sigma)
            for sigma, image_id in images.items()
            for name in self.denoisers
        }
        used = {metric: _convention(pictures.values(), names) for metric, names in metrics.items()}
        return [
            self._number(images[sigma], sigma, name, metric, used[metric], picture)
            for (sigma, name), picture in pictures.items()
            for metric in metrics
        ]

    def _number(
        self, image_id: str, sigma: float, denoiser: str, metric: str, convention: str, picture: Picture | str
    ) -> Number:
        row = printed_row(self.figure, sigma)
        return Number(
            row=sigma_name(sigma),
            image_id=image_id,
            denoiser=denoiser,
            metric=metric,
            ours=picture.scores.get(convention) if isinstance(picture, Picture) else None,
            paper=row.number(metric, denoiser),
            convention=convention,
            paper_image=row.image_id or "",
            reason=picture if isinstance(picture, str) else "",
        )


def rows_of(settings: Mapping[str, Any]) -> dict[float, str]:
    """Sigma -> image of its row, ascending, from a figure's ``images`` in an experiment."""
    return dict(sorted((float(sigma), str(image_id)) for sigma, image_id in settings["images"].items()))


def conventions_of(*metrics: str) -> dict[str, tuple[str, ...]]:
    """Metric -> names of its conventions, the paper's first."""
    return {metric: tuple(convention.name for convention in METRICS[metric].conventions) for metric in metrics}


def conventions_said(shown: Shown, numbers: Sequence[Number], metric: str) -> tuple[str, ...]:
    """In which convention a metric of ours is, and in which the paper's; nothing if a deviation says so."""
    used = next((number.convention for number in numbers if number.metric == metric), "")
    if any(used in deviation for deviation in shown.deviations):
        return ()
    papers = METRICS[metric].conventions[0].name
    return (f"{METRICS[metric].title}: {used}" + (f" (the paper's is {papers})." if papers != used else "."),)


def as_text(value: float | None, digits: int) -> str:
    """A number of a caption."""
    if value is None or math.isnan(value):
        return LACKING
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"


def csv_of(numbers: Iterable[Number]) -> str:
    """The numbers as CSV; ours with all their digits."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(Number._fields)
    for number in numbers:
        ours = "" if number.ours is None else f"{number.ours:.9g}"
        writer.writerow(number._replace(ours=ours))  # type: ignore[arg-type]
    return stream.getvalue()


def _deviations(benchmark: str, archives: Sequence[KeptImages]) -> tuple[str, ...]:
    """Deviations from the paper's protocol as sentences, with whose they are unless they are of all."""
    whose: dict[str, list[str]] = {}
    for kept in archives:
        for text in kept.provenance.get("deviations", {}).get(benchmark, ()):
            whose.setdefault(text, []).append(kept.title)
    return tuple(
        f"{', '.join(titles)}: {text}." if len(titles) < len(archives) else f"{text[:1].upper()}{text[1:]}."
        for text, titles in whose.items()
    )


def _read(path: Path | None) -> KeptImages | str:
    """An archive, or why there is none."""
    if path is None or not Path(path).exists():
        return "no images kept"
    failure = failure_in(path)
    return read_kept(path) if failure is None else str(failure)


def _convention(pictures: Iterable[Picture | str], names: Sequence[str]) -> str:
    """The convention that most pictures have a score in, of several the first; empty: there is no picture."""
    scored = [picture.scores for picture in pictures if isinstance(picture, Picture)]
    return max(names, key=lambda name: sum(name in scores for scores in scored)) if scored else ""
