"""All jobs of an experiment, by the names of the workflow's rules, which ask here; last of all figures and the report.

Nothing heavy is imported, so that a workflow is parsed in a moment. No result depends on this room: a job that asks it
only learns what other jobs would be told.
"""

import os
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from evaluators.dag.code import Job, distinct, statistics_behind
from evaluators.dag.tables import PUBLISHED, Tables
from evaluators.keeping.asked import CLEAN, images_of_figures
from usaid.code_hash import hash_of_code
from usaid.paper.layouts import TABLES
from usaid.registries import METRICS
from usaid.report.figures import FIGURES
from usaid.report.figures.draw import CODE
from usaid.segmentation.supervisions import SUPERVISIONS

PAGE = "usaid.report.page"
LOOKS = (".css", ".html", ".j2", ".js")
"""What its templates, styles and scripts are."""

READ_BESIDE = ("tables/verdicts.csv", "claims.csv")
"""Of another experiment in the report: what changes whenever any of its scores does."""


class Dag(Tables):
    """The jobs of one experiment; those of a rule by its wildcards, in the method that has its name."""

    @property
    def figures(self) -> list[str]:
        """One file of each figure that the experiment can make."""
        names = [name for name in FIGURES if name in self.drawn or (name == "2" and self.experiment.convergence)]
        return [f"{self.results}/figures/figure_{name}.csv" for name in names]

    def figure_2_files(self) -> Job:
        """Figure 2's three learning curves, and what was trained."""
        stems = [f"{self.results}/figures/convergence_{name}" for name in SUPERVISIONS]
        files = {"curves": [f"{stem}.csv" for stem in stems], "provenance": [f"{stem}.json" for stem in stems]}
        return Job(files, {}, hash_of_code("usaid.report.figures.figure_2"))

    @cached_property
    def drawn(self) -> list[str]:
        """The figures but Figure 2 by name: those of images that the experiment names, and those of all numbers."""
        of_numbers = [name for name, spec in FIGURES.items() if spec.reads in ("tables", "scores")]
        return [*of_numbers, *(name for name in FIGURES if self._images_of_figure(name))]

    def figure(self, figure: str) -> Job:
        """Whole images of the paper's denoisers, or tables, or score files."""
        reads, settings = FIGURES[figure].reads, self._images_of_figure(figure)
        if reads == "archives":
            names = [name for name in (CLEAN, *settings["denoisers"]) if name in self.denoisers_with_images]
            files = {"archives": [self.archives_of(name)[1] for name in names]}
        elif reads == "tables":
            files = {"tables": self.table_files}
        else:
            files = {"scores": self.scores(self.experiment.benchmarks)}
        return Job(files, settings, self._code_of_figure(figure))

    def _code_of_figure(self, figure: str) -> str:
        """Photographs have captions of their own; the others say what tables say."""
        code, metrics = f"{CODE}.figure_{figure}", [name for table in TABLES.values() for name in table.metrics]
        if FIGURES[figure].reads == "archives":
            of_captions = [METRICS[name] for name in distinct(metrics) if name in METRICS]
            return hash_of_code(code, cards=of_captions, package_data=("usaid.paper:figures.yaml",))
        cards = self._cards_of(self.experiment.benchmarks, metrics)
        return hash_of_code(code, *statistics_behind(cards), cards=cards, package_data=(PUBLISHED,))

    def _images_of_figure(self, figure: str) -> dict[str, Any]:
        shown = {image.figure for image in images_of_figures(self.experiment)}
        return self.experiment.figures.of(figure) if self.experiment.figures and f"figure_{figure}" in shown else {}

    def report(self) -> Job:
        """Tables, pages, figures, images for the viewer, and what other experiments stand beside."""
        tables = [str(Path(table).with_suffix(".json")) for table in self.table_files]
        beside = [f"{folder}/{file}" for folder in self.experiment.report_beside for file in READ_BESIDE]
        files = {
            "tables": tables,
            "index": [f"{self.results}/tables/{name}" for name in ("verdicts.csv", "provenance.json")],
            "pages": self.pages,
            "figures": [str(Path(figure).with_suffix(".png")) for figure in self.figures],
            "images": [self.archives_of(name)[0] for name in self.denoisers_with_images],
            "beside": [path for path in beside if os.path.isfile(path)],
        }
        metrics = distinct(name for spec in TABLES.values() for name in spec.metrics if name in METRICS)
        cards, package = [METRICS[name] for name in metrics], Path(str(resources.files(PAGE)))
        looks = [f"{PAGE}:{path.relative_to(package)}" for path in package.rglob("*.*") if path.suffix in LOOKS]
        code = hash_of_code(f"{PAGE}.write", cards=cards, package_data=looks)
        return Job(files, {"beside": [*self.experiment.report_beside]}, code)
