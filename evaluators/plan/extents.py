"""How much there is of a split: its images, and their pixels, without decoding any."""

from dataclasses import dataclass

from evaluators.dag.code import list_of_ids
from evaluators.dag.dag import Dag
from usaid.datasets.base import read_id_list
from usaid.datasets.miniature.extents import EXTENTS
from usaid.errors import UsaidError
from usaid.registries import BENCHMARKS, DATASETS

UNKNOWN_PIXELS = 512 * 512
"""Of an image of a data set whose card does not say."""


@dataclass(frozen=True)
class Extent:
    """Images to be read.

    Attributes:
        images: how many.
        pixels: of one of them, on average.
        is_known: whether the data set's card says how large they are.
    """

    images: int
    pixels: float
    is_known: bool = True


def extent_of(dag: Dag, images: str, benchmark: str | None = None, of_draws: bool = False) -> Extent:
    """Of a split, or of the list of ids that names some of it; a list that cannot be read yet counts as all.

    Args:
        dag: of the experiment.
        images: ``<data set>/<split>``.
        benchmark: whose own list and size count.
        of_draws: of its further noise draws, which may have a list of their own.
    """
    name, split = images.split("/")
    card = DATASETS[name]
    if dag.is_generated and images in EXTENTS:
        count, pixels = EXTENTS[images]
    else:
        count, pixels = card.splits[split], card.pixels or UNKNOWN_PIXELS
        count = _listed(dag, images, benchmark, of_draws) or count
    view = None if benchmark is None else dag.experiment.view_of(benchmark, split)
    return Extent(count, pixels if view is None else view.pixels(pixels), card.pixels is not None)


def extent_of_benchmark(dag: Dag, benchmark: str, rule: str = "score") -> Extent:
    """Of what a benchmark is scored on by a rule."""
    card = BENCHMARKS[benchmark]
    return extent_of(dag, f"{card.dataset}/{card.split}", benchmark, rule.startswith("score_draws"))


def _listed(dag: Dag, images: str, benchmark: str | None, of_draws: bool) -> int | None:
    name, split = images.split("/")
    subset = dag.experiment.subset_of(name, split, benchmark, of_draws)
    try:
        return sum(len(read_id_list(path)) for path in list_of_ids(dag.data_root, subset)) or None
    except UsaidError:
        return None
