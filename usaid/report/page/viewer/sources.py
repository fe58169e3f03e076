"""What the viewer can show: the archives of experiments, put together by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.report.tables.titles import distinct
from usaid.scores.kept_images import CLEAN, KeptImages, Picture, Window, read_kept

FIRST = (CLEAN, "noisy")
"""Denoisers that choices begin with."""


@dataclass(frozen=True)
class ViewerSource:
    """The kept images of an experiment.

    Attributes:
        name: of the experiment.
        title: for people.
        archives: its ``images/*.zip``, in the order of its denoisers; empty: it kept none.
        key: its value in the page's own list of experiments, which the viewer follows; empty: it is not in it.
    """

    name: str
    title: str
    archives: Sequence[Path]
    key: str = ""


@dataclass(frozen=True)
class Scene:
    """One window of one image under one sigma, as each denoiser left it.

    Attributes:
        benchmark: whose image and judge.
        image_id: in the words of its data set.
        sigma: 0-255 scale.
        window: the part of the image, the same in all pictures.
        pictures: denoiser -> its picture.
    """

    benchmark: str
    image_id: str
    sigma: float
    window: Window
    pictures: Mapping[str, Picture]

    @property
    def why(self) -> tuple[str, ...]:
        """Why it was kept, each reason once."""
        return tuple(dict.fromkeys(reason for picture in self.pictures.values() for reason in picture.why))


@dataclass(frozen=True)
class Experiment:
    """What an experiment kept.

    Attributes:
        source: where it is from.
        titles: denoiser -> title, all different, clean and noisy first.
        scenes: in the order of the archives.
        missing: archives that cannot be read, and benchmarks that the others lack, each with the reason.
    """

    source: ViewerSource
    titles: Mapping[str, str]
    scenes: tuple[Scene, ...]
    missing: tuple[str, ...]


def read_source(source: ViewerSource) -> Experiment:
    """Read an experiment's archives; one that failed or is damaged costs its own pictures only."""
    kept: list[KeptImages] = []
    missing: list[str] = []
    for path in source.archives:
        failure = failure_in(path)
        try:
            if failure is not None:
                raise UsaidError(failure)
            kept.append(read_kept(path))
        except UsaidError as error:
            missing.append(f"{Path(path).stem}: {error}")
    left_out = (own for one in kept if isinstance(own := one.provenance.get("left_out"), Mapping))
    missing += dict.fromkeys(f"{benchmark}: {reason}" for own in left_out for benchmark, reason in own.items())
    kept.sort(key=lambda one: FIRST.index(one.denoiser) if one.denoiser in FIRST else len(FIRST))
    return Experiment(source, distinct({one.denoiser: one.title for one in kept}), _scenes(kept), tuple(missing))


def _scenes(kept: Sequence[KeptImages]) -> tuple[Scene, ...]:
    """Pictures of the same pixels of the same image belong together; another window is another scene."""
    together: dict[tuple[str, str, float, Window], dict[str, Picture]] = {}
    for one in kept:
        for picture in one.pictures:
            together.setdefault((*picture.key, picture.window), {})[one.denoiser] = picture
    return tuple(Scene(*key, pictures) for key, pictures in together.items())
