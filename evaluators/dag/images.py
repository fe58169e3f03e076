"""What the images for the viewer and for Figures 3 to 5 are made from: a choice, and two archives of each denoiser."""

import os
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from evaluators.dag.code import Job, code_on, distinct
from evaluators.dag.scores import Scores
from evaluators.keeping.asked import CLEAN, benchmarks_kept, entry_of, images_of_figures, window_side
from usaid.code_hash import hash_of_code
from usaid.registries import BENCHMARKS

ARCHIVES = ("images", "figures/images")
"""Folders below the results: windows for the viewer, whole images for figures."""


class Images(Scores):
    """The jobs of one experiment that keep images."""

    @cached_property
    def benchmarks_with_images(self) -> list[str]:
        """The benchmarks of which images are kept, by rule or for a figure."""
        of_figures = [image.benchmark for image in images_of_figures(self.experiment)]
        kept = {*benchmarks_kept(self.experiment), *of_figures}
        return [name for name in self.experiment.benchmarks if name in kept]

    @cached_property
    def denoisers_with_images(self) -> list[str]:
        """The denoisers that have archives: ``clean``, and all that are scored on a benchmark with kept images."""
        if not self.benchmarks_with_images:
            return []
        scored = {name for benchmark in self.benchmarks_with_images for name in self._pictured(benchmark)}
        return distinct([CLEAN, *(name for name in self.experiment.denoisers if name in scored)])

    def _pictured(self, benchmark: str) -> list[str]:
        """The denoisers on a benchmark that can denoise here: not those whose scores alone are at hand."""
        names = self.experiment.denoisers_of(benchmark)
        return [n for n in names if n not in self.borrowed or not self.entries[n].card.needs_weights]

    def archives_of(self, denoiser: str) -> list[str]:
        """The archives of a denoiser: the viewer's, and that of the figures."""
        return [f"{self.results}/{folder}/{denoiser}.zip" for folder in ARCHIVES]

    @property
    def kept_images(self) -> list[str]:
        """All archives."""
        return [path for name in self.denoisers_with_images for path in self.archives_of(name)]

    def choose_images(self) -> Job:
        """The score files of the two denoisers whose difference decides, and the ids of the data sets."""
        keep, by_rule = self.experiment.keep_images, benchmarks_kept(self.experiment)
        pair = () if keep is None else keep.difference
        scores = [self._score_file(b, d) for b in by_rule for d in pair if d in self.experiment.denoisers_of(b)]
        settings = {
            "keep_images": None if keep is None else keep.model_dump(mode="json", exclude={"window", "benchmarks"}),
            "sigmas": {name: [*self.experiment.benchmarks[name].sigmas] for name in by_rule},
            "figures": [
                [*image[:-1], image.centre and [*image.centre]] for image in images_of_figures(self.experiment)
            ],
            "subsets": self._subsets_of(self.benchmarks_with_images),
            "data_root": self.data_root,
        }
        codes = [
            code_on(images, "evaluators.keeping.choose", files=self._lists(images, name))
            for name, images in self._images_by_benchmark(self.benchmarks_with_images).items()
        ]
        files = {"scores": scores, "data": self._records_of(self.benchmarks_with_images)}
        return Job(files, settings, hash_of_code(cards=codes))

    def keep_images(self, denoiser: str) -> Job:
        """The choice, images, judges' files, weights, and all of the experiment that pictures depend on."""
        experiment = self.experiment
        benchmarks = [n for n in self.benchmarks_with_images if denoiser in (CLEAN, *experiment.denoisers_of(n))]
        entry = entry_of(experiment, denoiser)
        weights = self.weights_of(denoiser) if denoiser in experiment.denoisers else None
        judge_files = {n: experiment.benchmarks[n].judge_file(n, experiment.places) for n in benchmarks}
        judges = {name: None if file is None else os.path.normpath(file) for name, file in judge_files.items()}
        files = {
            "choice": [self.choice],
            "data": self._records_of(benchmarks),
            "judges": distinct(origin for file in judges.values() if file for origin in self._if_there(file)),
            "weights": [] if weights is None else self._if_there(weights),
        }
        of_rows = ("sigmas", "draws", "told_sigmas")
        settings = experiment.model_dump(
            mode="json", include={"data_root", "data_source", "device", "precision", "notes"}
        ) | {
            "denoiser": entry.as_record(),
            "benchmarks": {n: experiment.benchmarks[n].of_scores(exclude=of_rows) for n in benchmarks},
            "subsets": self._subsets_of(benchmarks),
            "judges": judges,
            "weights": weights,
            "window": window_side(experiment),
        }
        codes = [self._code_of_score(name, experiment.benchmarks[name], entry) for name in benchmarks]
        shown = [name for benchmark in benchmarks if (name := BENCHMARKS[benchmark].shown) is not None]
        return Job(files, settings, hash_of_code("evaluators.keeping.keep", *shown, cards=codes))

    @property
    def choice(self) -> str:
        """The file that says which images are kept."""
        return f"{self.results}/images/choice.json"

    @cached_property
    def archives_in_one_job(self) -> bool:
        """Whether one job makes the archives of all denoisers, so that torch is imported, and judges are made, once."""
        return self.experiment.score_jobs == "data_set"

    def part_of_images(self, denoiser: str) -> dict[str, Any]:
        """The archives of a denoiser as a job is told of them, like :meth:`part`.

        A judge or data that failed are no ``inputs``: they cost the pictures of their benchmark alone.
        """
        job = self.keep_images(denoiser)
        return {
            "rule": "keep_images",
            "wildcards": [denoiser],
            "inputs": [*job.files["choice"], *job.files["weights"]],
            "outputs": self.archives_of(denoiser),
            "settings": job.settings,
            "code": job.code,
            "failures": self.failures_of("keep_images", [denoiser]),
        }

    def inputs_of_images(self) -> list[str]:
        """All that the archives of all denoisers are made from."""
        jobs = map(self.keep_images, self.denoisers_with_images)
        return distinct(path for job in jobs for paths in job.files.values() for path in paths)

    def _images_by_benchmark(self, benchmarks: Iterable[str]) -> dict[str, str]:
        return {name: f"{(card := BENCHMARKS[name]).dataset}/{card.split}" for name in benchmarks}

    def _records_of(self, benchmarks: Iterable[str]) -> list[str]:
        return distinct(self._record_of(images) for images in self._images_by_benchmark(benchmarks).values())

    def _subsets_of(self, benchmarks: Iterable[str]) -> dict[str, str | None]:
        return {name: self._subset(images, name) for name, images in self._images_by_benchmark(benchmarks).items()}
