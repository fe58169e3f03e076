"""The viewer as a section of a page: its HTML, and what its script shows as JSON."""

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2

from usaid.report.page.viewer.budget import BUDGET, within_budget
from usaid.report.page.viewer.contents import contents_of
from usaid.report.page.viewer.sources import ViewerSource, read_source


def viewer_section(experiments: Sequence[ViewerSource], budget: int = BUDGET) -> str:
    """The section that shows kept images.

    Args:
        experiments: their archives; the first is the main one.
        budget: for all embedded images, in bytes of base64.

    Returns:
        HTML: a ``<section id="images">`` with all controls, and a ``<script type="application/json">`` with the images.
        Without images it says what to do to get some. Archives that failed are named, each with the reason.
    """
    read = [read_source(source) for source in experiments]
    scenes, store = within_budget(read, budget)
    return _template().render(
        count=sum(len(scene.pictures) for some in scenes for scene in some),
        of=sum(len(scene.pictures) for experiment in read for scene in experiment.scenes),
        folders=[f"results/{source.name}/images/" for source in experiments if source.archives],
        without=[source for source in experiments if not source.archives],
        missing=[(experiment.source, experiment.missing) for experiment in read if experiment.missing],
        several=len(experiments) > 1,
        contents=_as_script(contents_of(read, scenes, store)),
    )


def viewer_script() -> str:
    """The script that the section needs, for a ``<script>`` behind it; without the section's images it does nothing."""
    parts = "\n".join(_text(name) for name in ("pixels.js", "drawing.js", "viewer.js"))
    return f'"use strict";\nif (document.getElementById("viewer-data")) (() => {{\n{parts}}})();\n'


def viewer_style() -> str:
    """The style of the section, which takes ``--fg --bg --accent --muted --line`` from the page."""
    return _text("viewer.css")


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("usaid.report.page", "viewer")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("section.html")


def _as_script(contents: dict[str, Any]) -> str:
    """JSON that a script element can hold, whatever names and titles say: ASCII, and no tag."""
    return json.dumps(contents, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
