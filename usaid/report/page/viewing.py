"""The images' place in the page: the viewer is a part of its own, with its own text, style and script."""

from collections.abc import Sequence
from pathlib import Path

from usaid.report.page.experiments import Experiment
from usaid.report.page.tables import Table
from usaid.report.page.viewer.budget import BUDGET
from usaid.report.page.viewer.section import viewer_section
from usaid.report.page.viewer.sources import ViewerSource

PLACE = "<!-- images -->"
"""Where the section stands in the page until it is made; no title can say it, since its brackets are escaped."""


def images_section(experiments: Sequence[Experiment], room: int) -> str:
    """The kept images of some experiments, as HTML.

    Args:
        experiments: the first is the main one.
        room: bytes that the section may take; what stands around the images takes some of it, too.
    """
    sources = [ViewerSource(one.name, one.label, archives_of(one), one.key) for one in experiments]
    budget = max(0, min(room, BUDGET))
    section = viewer_section(sources, budget)
    while budget and (beyond := len(section.encode(errors="replace")) - room) > 0:
        budget = max(0, budget - max(beyond, BUDGET // 50))  # images go by scenes
        section = viewer_section(sources, budget)
    return section


def archives_of(experiment: Experiment) -> list[Path]:
    """The archives of an experiment's kept images, in the order of its tables' denoisers, then by name."""
    tables = (table for _, table in experiment.tables if isinstance(table, Table))
    order = list(dict.fromkeys(name for table in tables for name in table.titles("denoisers")))
    archives = sorted((experiment.folder / "images").glob("*.zip"))
    return sorted(archives, key=lambda path: order.index(path.stem) if path.stem in order else len(order))
