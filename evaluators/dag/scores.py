"""What scores are made from, one file of a denoiser on a benchmark each, and which of them share work."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evaluators.dag.code import Job, code_on, distinct, of_scores
from evaluators.dag.trainings import Trainings
from evaluators.judge_code import computed, conventions_of_images, metrics_scored
from evaluators.scoring.shard import file_of_shard, shard_of, shards_of
from usaid.code_hash import hash_of_code
from usaid.errors import UsaidError
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.earlier_scores import EarlierScores, earlier_scores
from usaid.failures import Ledger, first_failure
from usaid.paper.layouts import TABLES
from usaid.registries import BENCHMARKS

MERGES = {"score": "merge_shards", "score_draws": "merge_draws_shards"}
"""Rule of a score file -> the one that makes it of its shards."""

MERGED = {merge: rule for rule, merge in MERGES.items()}
"""The other way round: what merges shards notes in the ledger of the score file's own rule."""

_UNSAFE = ("running", "shared", "failed")
"""What the ledger says of a score file that may have killed its process."""


@dataclass(frozen=True)
class Batch:
    """Score files that one job makes.

    Attributes:
        files: of each, its rule, as if it had a job of its own, benchmark and denoiser.
    """

    files: list[tuple[str, str, str]]

    @property
    def denoisers(self) -> int:
        """How many denoisers there are: what can kill the job's process in turn."""
        return len({denoiser for *_, denoiser in self.files})


class Scores(Trainings):
    """The jobs of one experiment that score."""

    def score(self, benchmark: str, denoiser: str) -> Job:
        """Images, the judge's file, weights, and all of the experiment that a score depends on.

        A user's own file that is not there is no input: it fails its own scores only, not the whole workflow.
        """
        settings = self.experiment.settings_of(benchmark, denoiser)
        return self._score(benchmark, denoiser, {"benchmark": settings.of_scores()})

    def score_draws(self, benchmark: str, denoiser: str) -> Job:
        """As :meth:`score`, of the noise draws that Table X needs beside the benchmark's own: from, and below which.

        Raises:
            UsaidError: the experiment has none of them.
        """
        draws = self.experiment.further_draws(benchmark)
        if not draws or denoiser not in self.experiment.draw_denoisers_of(benchmark):
            what = f"no further draws of {denoiser} on {benchmark}"
            raise UsaidError(f"experiment {self.experiment.experiment!r}: {what}; its key 'draws' says which it has")
        settings = self.experiment.settings_of_draws(benchmark, denoiser).of_scores(exclude=["draws"])
        return self._score(benchmark, denoiser, {"benchmark": settings, "draws": [draws.start, draws.stop]})

    @property
    def whole(self) -> list[str]:
        """The benchmarks whose score files are made by one job each."""
        return [name for name, settings in self.experiment.benchmarks.items() if settings.shards == 1]

    @property
    def sharded(self) -> list[str]:
        """The benchmarks whose score files are merged from those of several jobs."""
        return [name for name in self.experiment.benchmarks if name not in self.whole]

    def shards_of(self, benchmark: str) -> list[str]:
        """What the parts of a benchmark's images are called, ``"1-of-4"`` and so on; none: one job has all images."""
        number = self.experiment.benchmarks[benchmark].shards
        return [] if number == 1 else [str(shard) for shard in shards_of(number)]

    def score_shard(self, benchmark: str, denoiser: str, shard: str) -> Job:
        """As :meth:`score`, whose rows it makes of a part of the images.

        Raises:
            UsaidError: the benchmark has no such part.
        """
        self._check_shard(benchmark, shard)
        return self.score(benchmark, denoiser)

    def score_draws_shard(self, benchmark: str, denoiser: str, shard: str) -> Job:
        """As :meth:`score_draws`, whose rows it makes of a part of the images.

        Raises:
            UsaidError: the benchmark has no such part, or the experiment no such draws.
        """
        self._check_shard(benchmark, shard)
        return self.score_draws(benchmark, denoiser)

    def _check_shard(self, benchmark: str, shard: str) -> None:
        if shard not in (known := self.shards_of(benchmark)):
            which = f"they are {known[0]} to {known[-1]}" if known else "one job has all images"
            raise UsaidError(f"benchmarks.{benchmark}: no shard {shard!r}; {which}, as its key 'shards' says")

    def merge_shards(self, benchmark: str, denoiser: str) -> Job:
        """The shards of a score file, and what they were made from, as if the score file were made from it."""
        return self._merge("score", benchmark, denoiser)

    def merge_draws_shards(self, benchmark: str, denoiser: str) -> Job:
        """As :meth:`merge_shards`, of the further noise draws."""
        return self._merge("score_draws", benchmark, denoiser)

    def _merge(self, rule: str, benchmark: str, denoiser: str) -> Job:
        job: Job = getattr(self, rule)(benchmark, denoiser)
        files = {"shards": [self._output(rule, benchmark, denoiser, shard) for shard in self.shards_of(benchmark)]}
        return Job({**job.files, **files}, job.settings, hash_of_code("evaluators.scoring.merge"))

    @cached_property
    def borrowed(self) -> list[str]:
        """The denoisers whose scores are taken from an earlier run."""
        return [name for name, entry in self.experiment.denoisers.items() if entry.scores_from is not None]

    def borrow_scores(self, benchmark: str, denoiser: str) -> Job:
        """Images, the judge's file, and the score file of an earlier run, if it is there."""
        settings, entry = self.experiment.benchmarks[benchmark], self.entries[denoiser]
        of_rows = self.experiment.settings_of(benchmark, denoiser).of_scores()
        job = self._score(benchmark, denoiser, {"benchmark": of_rows})
        earlier = self.earlier_scores_of(denoiser).file(benchmark, denoiser)
        files = {**job.files, "scores": [str(earlier)] if earlier.is_file() else []}
        code = self._code_of_judging(benchmark, settings, ("evaluators.scoring.borrow",), (entry.method,))
        return Job(files, job.settings, code)

    def earlier_scores_of(self, denoiser: str) -> EarlierScores:
        """The results folder that a denoiser's scores are taken from."""
        return earlier_scores(str(self.experiment.denoisers[denoiser].scores_from), self.results)

    def _score(self, benchmark: str, denoiser: str, conditions: dict[str, Any]) -> Job:
        """Scores under some conditions."""
        settings, entry = self.experiment.benchmarks[benchmark], self.entries[denoiser]
        card, weights = BENCHMARKS[benchmark], self.weights_of(denoiser)
        judge_file = settings.judge_file(benchmark, self.experiment.places)
        judge_file = None if judge_file is None else os.path.normpath(judge_file)
        images = f"{card.dataset}/{card.split}"
        files = {
            "data": [self._record_of(images)],
            "judge": [] if judge_file is None else self._if_there(judge_file),
            "weights": [] if weights is None else self._if_there(weights),
        }
        shared = self.experiment.model_dump(
            mode="json", include={"data_root", "data_source", "device", "precision", "notes"}
        )
        depends_on = shared | {
            **conditions,
            "denoiser": entry.as_record(),
            "subset": self._subset(images, benchmark),
            "judge_file": judge_file,
            "weights": weights,
        }
        return Job(files, depends_on, self._code_of_score(benchmark, settings, entry))

    def _code_of_score(self, benchmark: str, settings: BenchmarkSettings, entry: DenoiserEntry) -> str:
        names = ("evaluators.scoring.job", entry.card.denoiser)
        files = [*self._files_named_in(entry.options), *self._own_weights(entry)]
        return self._code_of_judging(benchmark, settings, names, of_scores(entry.card), files)

    def _code_of_judging(
        self,
        benchmark: str,
        settings: BenchmarkSettings,
        names: Iterable[str],
        method: tuple[object, ...],
        files: Iterable[Path] = (),
    ) -> str:
        """Hash of the code of a benchmark's judge, and of some beside it."""
        card = BENCHMARKS[benchmark]
        of_images = conventions_of_images(card, settings)
        images = f"{card.dataset}/{card.split}"
        return code_on(
            images,
            *(*names, card.judge, *computed(of_images)),
            cards=(method, (card.name, card.judge, metrics_scored(card, of_images), card.network), *of_images.items()),
            package_data=settings.package_data,
            files=[*self._lists(images, benchmark), *self._files_below_data(settings.user_files), *files],
        )

    # -------------------------------------------------------------------------------------------- what shares work

    def part(self, rule: str, benchmark: str, denoiser: str, shard: str | None = None) -> dict[str, Any]:
        """A score file as a job is told of it: JSON-able, so that a change of any of it makes the job run again.

        How many shards there are is none of it, so that a score file is the same whatever their number.

        Args:
            rule: ``score``, ``score_draws`` or ``borrow_scores``; ``score_shard`` or ``score_draws_shard``.
            benchmark: one of the experiment's.
            denoiser: one of its denoisers, or a variant of its ablation.
            shard: which one, as :meth:`shards_of` calls it; None: it is no shard.

        Returns:
            ``rule``, ``wildcards``, ``images``, ``inputs``, ``output``, ``settings``, ``code`` and ``failures``.
        """
        wildcards = [benchmark, denoiser, *([] if shard is None else [shard])]
        job: Job = getattr(self, rule)(*wildcards)
        card = BENCHMARKS[benchmark]
        return {
            "rule": rule,
            "wildcards": wildcards,
            "images": f"{card.dataset}/{card.split}",
            "inputs": distinct(file for files in job.files.values() for file in files),
            "output": self._output(rule, *wildcards),
            "settings": job.settings,
            "code": job.code,
            "failures": self.failures_of(rule, wildcards),
        }

    @cached_property
    def batches(self) -> dict[str, Batch]:
        """The jobs that score whole data sets, by their rules; none where each score file has a job."""
        batches: dict[str, Batch] = {}
        if self.experiment.score_jobs == "data_set":
            for benchmark in self.experiment.benchmarks:
                card = BENCHMARKS[benchmark]
                batch = batches.setdefault(f"score_{card.dataset}_{card.split}", Batch([]))
                batch.files.extend((rule, benchmark, name) for rule, name in self._scored(benchmark))
        return {rule: batch for rule, batch in batches.items() if batch.files}

    def outputs_of(self, batch: str) -> list[str]:
        """The score files of a batch."""
        return [self._output(*file) for file in self.batches[batch].files]

    def _output(self, rule: str, benchmark: str, denoiser: str, *shard: str) -> str:
        folder = f"{benchmark}/draws" if rule.startswith("score_draws") else benchmark
        file = self._score_file(folder, denoiser)
        return str(file_of_shard(Path(file), shard_of(*shard))) if shard else file

    def batch(self, rule: str) -> Job:
        """All that the score files of a batch are made from."""
        parts = [self.part(*file) for file in self.batches[rule].files]
        inputs = distinct(path for part in parts for path in part["inputs"])
        return Job({"all": inputs}, {"parts": parts}, "")

    def siblings(self, rule: str, benchmark: str, denoiser: str) -> list[str]:
        """The other benchmarks for which a denoiser is scored on the same images by the same rule.

        Those have as many shards, so that a shard's images are the same, too.
        """
        images, shards = self.experiment.images_of(benchmark), self.shards_of(benchmark)
        others = (other for other in self.experiment.benchmarks if other != benchmark)
        alike = [n for n in others if self.experiment.images_of(n) == images and self.shards_of(n) == shards]
        return [name for name in alike if (rule.removesuffix("_shard"), denoiser) in self._scored(name)]

    def companions(self, rule: str, benchmark: str, denoiser: str, *shard: str) -> Iterator[dict[str, Any]]:
        """The :meth:`siblings` whose score files, or shards, could be made now, each as :meth:`part` has it.

        Not one that may have killed its process, as its ledger says: it would kill another that takes it along.
        """
        for sibling in self.siblings(rule, benchmark, denoiser):
            part = self.part(rule, sibling, denoiser, *shard)
            read = [part["settings"][key] for key in ("judge_file", "weights")]
            needed = [*part["inputs"], *(file for file in read if file is not None)]
            is_ready = all(Path(file).exists() for file in needed) and first_failure(needed) is None
            if is_ready and Ledger.at(self.results, rule, part["wildcards"]).state not in _UNSAFE:
                yield part

    def _scored(self, benchmark: str) -> list[tuple[str, str]]:
        """The rules and denoisers of a benchmark's score files, with Table II's variants."""
        ablated = {name for table in TABLES.values() if table.ablated for name in table.benchmarks}
        variants = self.experiment.variants if benchmark in ablated else ()
        further = self.experiment.draw_denoisers_of(benchmark) if self.experiment.further_draws(benchmark) else ()
        own = [name for name in self.experiment.denoisers_of(benchmark) if name not in self.borrowed]
        names = [("score", name) for name in (*own, *variants)]
        return [*names, *(("score_draws", name) for name in further)]

    # -------------------------------------------------------------------------------------------- for tables

    def scores(self, benchmarks: Iterable[str]) -> list[str]:
        """The score files of all denoisers on some benchmarks, variants of the ablation aside."""
        names = [(benchmark, name) for benchmark in benchmarks for name in self.experiment.denoisers_of(benchmark)]
        return [self._score_file(benchmark, name) for benchmark, name in names]

    @property
    def scored_files(self) -> list[tuple[str, str, str]]:
        """Rule, benchmark and denoiser of each score file that is computed here, whichever job makes it."""
        return [(rule, name, denoiser) for name in self.experiment.benchmarks for rule, denoiser in self._scored(name)]
