"""The images' place in the page: the viewer is a part of its own, with its own text, style and script."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from usaid.registries import load_object
from usaid.report.page.experiments import Experiment
from usaid.report.page.tables import Table

PLACE = "<!-- images -->"
"""Where the section stands in the page until it is made; no title can say it, since its brackets are escaped."""

_PACKAGE = "usaid.report.page.viewer"

_LARGEST = 3_400_000
"""Bytes of base64 for all embedded images, in however small a page."""

_NONE = """<section id="images" aria-labelledby="images-title">
<h2 id="images-title">Images</h2>
<p class="missing">This page was made without a viewer of images.</p>
</section>"""


class Viewing(NamedTuple):
    """What the viewer brings besides its section: a style sheet, and scripts, each a module of its own."""

    css: str = ""
    scripts: Sequence[str] = ()


def viewing() -> Viewing:
    """The viewer's style and scripts; none: the suite came without it."""
    if find_spec(_PACKAGE) is None:
        return Viewing()
    style, script = (load_object(f"{_PACKAGE}.section:viewer_{part}") for part in ("style", "script"))
    return Viewing(style(), [script()])


def images_section(experiments: Sequence[Experiment], room: int) -> str:
    """The kept images of some experiments, as HTML.

    Args:
        experiments: the first is the main one.
        room: bytes that the embedded images may take.
    """
    if find_spec(_PACKAGE) is None:
        return _NONE
    source = load_object(f"{_PACKAGE}.sources:ViewerSource")
    sources = [source(one.name, one.label, archives_of(one)) for one in experiments]
    return str(load_object(f"{_PACKAGE}.section:viewer_section")(sources, max(0, min(room, _LARGEST))))


def archives_of(experiment: Experiment) -> list[Path]:
    """The archives of an experiment's kept images, in the order of its tables' denoisers, then by name."""
    tables = (table for _, table in experiment.tables if isinstance(table, Table))
    order = list(dict.fromkeys(name for table in tables for name in table.titles("denoisers")))
    archives = sorted((experiment.folder / "images").glob("*.zip"))
    return sorted(archives, key=lambda path: order.index(path.stem) if path.stem in order else len(order))
