"""The viewer as a section of a page: its HTML, and what its script shows as JSON."""

from collections.abc import Sequence

from usaid.report.page.embedding import as_script, template_of, text_of
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
    return template_of("section.html", "viewer").render(
        count=sum(len(scene.pictures) for some in scenes for scene in some),
        of=sum(len(scene.pictures) for experiment in read for scene in experiment.scenes),
        folders=[f"results/{source.name}/images/" for source in experiments if source.archives],
        without=[source for source in experiments if not source.archives],
        missing=[(experiment.source, experiment.missing) for experiment in read if experiment.missing],
        several=len(experiments) > 1,
        contents=as_script(contents_of(read, scenes, store)),
    )


def viewer_script() -> str:
    """The script that the section needs, for a ``<script>`` behind it; without the section's images it does nothing."""
    parts = "\n".join(text_of(f"viewer/{name}") for name in ("pixels.js", "drawing.js", "viewer.js"))
    return f'"use strict";\nif (document.getElementById("viewer-data")) (() => {{\n{parts}}})();\n'


def viewer_style() -> str:
    """The style of the section, which takes ``--fg --bg --accent --muted --line`` from the page."""
    return text_of("viewer/viewer.css")
