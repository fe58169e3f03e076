"""What each job of an experiment reads: its files, its settings, and a hash of its code. The workflow's rules ask here.

Nothing heavy is imported, so that a workflow is parsed in a moment; and no job imports this module, so that no result
depends on it.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from evaluators.judge_code import computed, conventions_of_images
from usaid.cards import Method, Metric
from usaid.code_hash import hash_of_code
from usaid.datasets.sources import WEIGHTS, files_of
from usaid.errors import UsaidError
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.experiment import CONVERGENCE_IMAGES, NIQE_IMAGES, DenoiserEntry, Experiment
from usaid.experiment.model import EncoderSettings
from usaid.failures import Ledger
from usaid.paper.layouts import REFERENCES, TABLES, TABLES_OF_PRINT, TITLES, TableSpec, table_of
from usaid.registries import BENCHMARKS, DATASETS, METHODS, METRICS, load_object
from usaid.segmentation.supervisions import SUPERVISIONS

TABLE_FILES = "usaid.report.tables.files"
PUBLISHED = "usaid.paper:published.yaml"
CLAIMS = "usaid.paper:claims.yaml"


@dataclass(frozen=True)
class Job:
    """What a job reads. It is made again when one of these changes.

    Attributes:
        files: its inputs, by the names that its script knows them by.
        settings: JSON-able: what of the experiment it depends on, and nothing else.
        code: hash of its code, and of what that reads beside the inputs: package data, lists of ids.
    """

    files: Mapping[str, list[str]]
    settings: dict[str, Any]
    code: str


class Dag:
    """The jobs of one experiment; those of a rule by its wildcards, in the method that has its name."""

    def __init__(self, experiment: Experiment) -> None:
        """
        Args:
            experiment: with its results below the working folder.
        """
        self.experiment = experiment
        self.results = experiment.results
        self.data_root = os.path.normpath(experiment.data_root)
        self.entries = experiment.entries
        self._failures: dict[tuple[str, ...], int] = {}

    @property
    def is_generated(self) -> bool:
        """Whether its data sets are generated: too small for threads to share."""
        return self.experiment.data_source == "miniature"

    # -------------------------------------------------------------------------------------------- data

    @property
    def sources(self) -> tuple[str, ...]:
        """What a record can be of: data sets and weights that can be fetched."""
        return (*DATASETS, *WEIGHTS)

    def record(self, source: str) -> str:
        """The record that a data set or a set of weights is there: what a job waits for that reads of it.

        It has no code hash: what is on disk stays what it is when the way to get it changes.
        """
        return f"{self.results}/data/{source}.json"

    def miniature(self) -> Job:
        """The generated data sets."""
        return Job({}, {}, hash_of_code("usaid.datasets.miniature.writer"))

    # -------------------------------------------------------------------------------------------- denoisers

    @property
    def imported(self) -> list[str]:
        """Denoisers whose weights are checked and rewritten before they are used."""
        return [n for n, entry in self.entries.items() if entry.weights is not None and entry.card.importer is not None]

    @property
    def trained(self) -> list[str]:
        """Denoisers that are trained."""
        return [name for name, entry in self.entries.items() if entry.train is not None]

    def weights_of(self, denoiser: str) -> str | None:
        """The file of weights that a denoiser is scored with, imported, trained or as it is; None: it has none.

        Raises:
            UsaidError: its card takes a file for each sigma, but has nothing that makes one of them.
        """
        entry = self.entries[denoiser]
        if entry.train is not None or denoiser in self.imported:
            return f"{self.results}/weights/{denoiser}.safetensors"
        if isinstance(entry.weights, Mapping):
            raise UsaidError(f"method {entry.method!r}: its card says weights_by_sigma, which needs an importer")
        return None if entry.weights is None else self.below_data(entry.weights)

    def import_weights(self, denoiser: str) -> Job:
        """Checkpoints, by the sigma that they are for, or "" if one is for all; one that is not there fails the job."""
        entry, checkpoints = self.entries[denoiser], self.checkpoints_of(denoiser)
        settings = {"method": entry.method, "checkpoints": checkpoints, "sha256": entry.sha256}
        importer = str(entry.card.importer)
        code = hash_of_code(importer, cards=((entry.card.name, importer),))
        waits_for = [file for checkpoint in checkpoints.values() for file in self._if_there(checkpoint)]
        return Job({"checkpoints": _distinct(waits_for)}, settings, code)

    def checkpoints_of(self, denoiser: str) -> dict[str, str]:
        """The files that a denoiser's ``weights`` name, by sigma, or "" if one is for all; empty: it names none."""
        weights = self.entries[denoiser].weights
        files = weights if isinstance(weights, Mapping) else {"": weights}
        return {sigma: self.below_data(file) for sigma, file in files.items() if file is not None}

    def train_denoiser(self, denoiser: str) -> Job:
        """Clean images, an encoder if the recipe has one, and the recipe. A title retrains nothing."""
        entry = self.entries[denoiser]
        recipe = entry.train
        assert recipe is not None
        files = {"data": [self._record_of(recipe.images), *self._encoder(recipe.encoder_for(entry.method))]}
        settings = {
            "method": entry.method,
            "train": recipe.model_dump(mode="json"),
            "subset": self._subset(recipe.images),
        }
        named = self._files_named_in(recipe.model_extra or {})  # an own class has keys of its own
        return Job(files, settings, code_of_training(entry.card, recipe.images, [*self._lists(recipe.images), *named]))

    # -------------------------------------------------------------------------------------------- judges

    def fit_niqe(self) -> Job:
        """Clean images of which NIQE's pristine model is fitted."""
        settings = {"images": NIQE_IMAGES, "subset": self._subset(NIQE_IMAGES)}
        code = _code_on(NIQE_IMAGES, "evaluators.metrics.niqe", files=self._lists(NIQE_IMAGES))
        return Job({"data": [self._record_of(NIQE_IMAGES)]}, settings, code)

    def train_judge(self, benchmark: str) -> Job:
        """Clean images, an encoder if the network has one, and how the network is trained: no sigma, no draw."""
        settings, card = self.experiment.benchmarks[benchmark], BENCHMARKS[benchmark]
        images = f"{card.dataset}/train"
        files = {"data": [self._record_of(images), *self._encoder(settings.encoder)]}
        of_scores = BenchmarkSettings.model_fields.keys() - {"longest_side"}
        depends_on = settings.model_dump(mode="json", exclude=set(of_scores))
        code = _code_on(
            images,
            *(str(card.training), "evaluators.judge_training"),
            cards=((card.name, card.dataset, card.training, card.network),),
            package_data=settings.package_data,
            files=[*self._lists(images, benchmark), *self._files_below_data(settings.user_files)],
        )
        return Job(files, depends_on | {"subset": self._subset(images, benchmark)}, code)

    def train_convergence(self, supervision: str) -> Job:
        """Images with label maps and an encoder: one curve of Figure 2, whichever supervision."""
        settings = self.experiment.convergence
        assert settings is not None
        files = {"data": [self._record_of(CONVERGENCE_IMAGES), *self._encoder(settings)]}
        depends_on = settings.model_dump(mode="json")
        depends_on |= {"images": CONVERGENCE_IMAGES, "subset": self._subset(CONVERGENCE_IMAGES)}
        lists = self._lists(CONVERGENCE_IMAGES)
        return Job(files, depends_on, _code_on(CONVERGENCE_IMAGES, "usaid.segmentation.convergence", files=lists))

    # -------------------------------------------------------------------------------------------- scores

    def score(self, benchmark: str, denoiser: str) -> Job:
        """Images, the judge's file, weights, and all of the experiment that a score depends on.

        A user's own file that is not there is no input: it fails its own scores only, not the whole workflow.
        """
        settings = self.experiment.settings_of(benchmark, denoiser)
        return self._score(benchmark, denoiser, {"benchmark": settings.model_dump(mode="json")})

    def score_draws(self, benchmark: str, denoiser: str) -> Job:
        """As :meth:`score`, of the noise draws that Table X needs beside the benchmark's own: from, and below which.

        Raises:
            UsaidError: the experiment has none of them.
        """
        draws = self.experiment.further_draws(benchmark)
        if not draws or denoiser not in self.experiment.draw_denoisers_of(benchmark):
            what = f"no further draws of {denoiser} on {benchmark}"
            raise UsaidError(f"experiment {self.experiment.experiment!r}: {what}; its key 'draws' says which it has")
        settings = self.experiment.settings_of_draws(benchmark, denoiser).model_dump(mode="json", exclude={"draws"})
        return self._score(benchmark, denoiser, {"benchmark": settings, "draws": [draws.start, draws.stop]})

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
        card, method = BENCHMARKS[benchmark], entry.card
        of_images = conventions_of_images(card, settings)
        images = f"{card.dataset}/{card.split}"
        return _code_on(
            images,
            *("evaluators.scoring.job", method.denoiser, card.judge, *computed(of_images)),
            cards=(_of_scores(method), (card.name, card.judge, card.metrics, card.network), *of_images.items()),
            package_data=settings.package_data,
            files=[
                *self._lists(images, benchmark),
                *self._files_named_in(entry.options),
                *self._files_below_data(settings.user_files),
                *self._own_weights(entry),
            ],
        )

    def scores(self, benchmarks: Iterable[str]) -> list[str]:
        """The score files of all denoisers on some benchmarks, variants of the ablation aside."""
        names = [(benchmark, name) for benchmark in benchmarks for name in self.experiment.denoisers_of(benchmark)]
        return [self._score_file(benchmark, name) for benchmark, name in names]

    # -------------------------------------------------------------------------------------------- tables

    @cached_property
    def specs(self) -> dict[str, TableSpec]:
        """The tables by name: the paper's, and one of each of its benchmarks that the paper does not have."""
        further = (table_of(BENCHMARKS[name]) for name in self.experiment.benchmarks)
        return {spec.name: spec for spec in (*TABLES.values(), *TABLES_OF_PRINT.values(), *filter(None, further))}

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """The tables that the experiment can make: name -> those of its benchmarks that they are made from."""
        benchmarks_of = {name: self._benchmarks_of(spec) for name, spec in self.specs.items()}
        return {name: known for name, known in benchmarks_of.items() if known or not self.specs[name].benchmarks}

    @property
    def table_files(self) -> list[str]:
        """One file of each of its tables."""
        return [f"{self.results}/tables/table_{name}.csv" for name in self.tables]

    def scores_of_table(self, table: str) -> list[str]:
        """The score files of a table: one for each of its benchmarks and columns; none if it is made from facts.

        Of Table X they are followed by those of the further draws, ``<benchmark>/draws/<denoiser>.parquet``.
        """
        if self.specs[table].over_draws:
            return [path for benchmark in self.tables.get(table, []) for path in self._scores_over_draws(benchmark)]
        columns = self.experiment.columns_of_ablation.values() if self.specs[table].ablated else None
        return [
            self._score_file(benchmark, name)
            for benchmark in self.tables.get(table, [])
            for name in (columns if columns is not None else self.experiment.denoisers_of(benchmark))
            if self.shows(table, name)
        ]

    def _scores_over_draws(self, benchmark: str) -> list[str]:
        """The score files of a benchmark that Table X is made from."""
        folders = [benchmark, *([f"{benchmark}/draws"] if self.experiment.further_draws(benchmark) else [])]
        names = self.experiment.draw_denoisers_of(benchmark)
        return [self._score_file(folder, name) for folder in folders for name in names]

    def shows(self, table: str, denoiser: str) -> bool:
        """Whether a table shows a denoiser that was scored on its benchmark."""
        return denoiser not in self.entries or self.entries[denoiser].method not in self.specs[table].left_out

    def table(self, table: str) -> Job:
        """Score files, or facts, or nothing but print.

        Raises:
            UsaidError: the experiment cannot make it.
        """
        spec = self.specs[table]
        if table not in self.tables:
            needs = " or ".join(spec.benchmarks) + (" and an ablation" if spec.ablated else "")
            needs += " and 'draws'" if spec.over_draws else ""
            raise UsaidError(f"{spec.title}: needs {needs}, which experiment {self.experiment.experiment!r} lacks")
        if spec.of_print:
            return Job({}, {}, hash_of_code(TABLE_FILES, cards=_cards_of_print(spec), package_data=(PUBLISHED,)))
        if not spec.benchmarks:
            return self._table_of_facts()
        cards = self._cards_of(self.tables[table], spec.metrics)
        code = hash_of_code(TABLE_FILES, *_statistics(cards), cards=[*cards, *_recipes()], package_data=(PUBLISHED,))
        return Job({"scores": self.scores_of_table(table)}, {}, code)

    def _table_of_facts(self) -> Job:
        """What the paper's methods and the experiment's others say of themselves."""
        entries = self.experiment.denoisers.items()
        own = {name: entry for name, entry in entries if entry.method not in (*TITLES, *REFERENCES)}
        cards = [*(METHODS[name] for name in TITLES if name in METHODS), *(entry.card for entry in own.values())]
        classes = [entry.card.denoiser for entry in own.values() if entry.card.facts is None]
        code = hash_of_code(TABLE_FILES, *classes, cards=cards, package_data=(PUBLISHED,))
        return Job({}, {"own_methods": {name: entry.method for name, entry in own.items()}}, code)

    def statistics_page(self, benchmark: str) -> Job:
        """The score files of a benchmark, with further draws and Table II's, and those that share a table with it."""
        made = {name: known for name, known in self.tables.items() if benchmark in known}
        files = self._scores_behind(made, beside=self.scores([benchmark]))
        metrics = [metric for name in made for metric in self.specs[name].metrics]
        cards = self._cards_of(_distinct(name for known in made.values() for name in known), metrics)
        names = ("usaid.report.statistics.pages", *_statistics(cards))
        return Job(files, {}, hash_of_code(*names, cards=cards, package_data=(PUBLISHED,)))

    @property
    def statistics(self) -> list[str]:
        """One file of each benchmark's statistics."""
        return [f"{self.results}/statistics/{name}.csv" for name in self.experiment.benchmarks]

    def claims(self) -> Job:
        """The score files of the paper's tables, with further draws, and Table II's."""
        made = {name: known for name, known in self.tables.items() if self.specs[name].number is not None}
        files = self._scores_behind(made)
        metrics = [metric for spec in TABLES.values() for metric in spec.metrics]
        cards = self._cards_of(_distinct(name for known in made.values() for name in known), metrics)
        (facts,) = (spec.metrics for spec in TABLES.values() if not spec.benchmarks)
        methods = [(name, [getattr(METHODS[name].facts, fact) for fact in facts]) for name in TITLES if name in METHODS]
        names = ("usaid.report.claims.files", *_statistics(cards))
        all_cards = [*cards, *methods, *_recipes()]
        return Job(files, {}, hash_of_code(*names, cards=all_cards, package_data=(PUBLISHED, CLAIMS)))

    def _scores_behind(self, tables: Iterable[str], beside: Iterable[str] = ()) -> dict[str, list[str]]:
        """The score files behind some tables, those of Table II's columns apart, as pages on several tables read them.

        Args:
            tables: their names.
            beside: further score files.
        """
        of_tables: dict[bool, list[str]] = {False: [*beside], True: []}
        for name in tables:
            of_tables[self.specs[name].ablated is not None] += self.scores_of_table(name)
        return {"scores": _distinct(of_tables[False]), "ablation": of_tables[True]}

    def classes(self) -> Job:
        """The score files whose scores are means over classes."""
        return self._page("usaid.report.tables.classes", self._benchmarks_with_classes)

    @property
    def pages(self) -> list[str]:
        """Pages beside the tables: the paper's sentences, classes behind a mean, the statistics of each benchmark."""
        classes = [f"{self.results}/tables/classes.csv"] if self._benchmarks_with_classes else []
        return [f"{self.results}/claims.csv", *classes, *self.statistics]

    def index(self) -> Job:
        """Tables, pages, the verdicts of the tables, and the provenance of all scores in them."""
        scores = _distinct(path for table in self.tables for path in self.scores_of_table(table))
        files = {"tables": self.table_files, "pages": self.pages, "scores": scores}
        metrics = _distinct(name for spec in TABLES.values() for name in spec.metrics if name in METRICS)
        code = hash_of_code(TABLE_FILES, cards=[METRICS[name] for name in metrics], package_data=(PUBLISHED,))
        return Job(files, {}, code)

    # -------------------------------------------------------------------------------------------- figures

    @property
    def figures(self) -> list[str]:
        """The figures that the experiment can make."""
        return [f"{self.results}/figures/figure_2.csv"] if self.experiment.convergence is not None else []

    def figure_2_files(self) -> Job:
        """Figure 2's three learning curves, and what was trained."""
        stems = [f"{self.results}/figures/convergence_{name}" for name in SUPERVISIONS]
        files = {"curves": [f"{stem}.csv" for stem in stems], "provenance": [f"{stem}.json" for stem in stems]}
        return Job(files, {}, hash_of_code("usaid.report.figures.figure_2"))

    # -------------------------------------------------------------------------------------------- failures

    def failures_of(self, rule: str, wildcards: Iterable[str]) -> int:
        """How often a job has failed so far, as it was when this object first looked.

        A parameter of every job: one that failed has raised the number, so that it is made again.
        """
        place = (rule, *wildcards)
        if place not in self._failures:
            self._failures[place] = Ledger.at(self.results, rule, place[1:]).failures
        return self._failures[place]

    # -------------------------------------------------------------------------------------------- what they share

    def below_data(self, file: str) -> str:
        """The path of a file that the experiment names below ``data_root``; absolute paths stay as they are."""
        return os.path.normpath(os.path.join(self.data_root, file))

    def _record_of(self, images: str) -> str:
        return self.record(images.partition("/")[0])

    def _origin_of(self, path: str) -> str:
        """What a job waits for that reads a file: the record that it was fetched, or the file itself."""
        return self.record(self._fetched[path]) if path in self._fetched else path

    @cached_property
    def _fetched(self) -> dict[str, str]:
        return {self.below_data(file): source for source in WEIGHTS for file in files_of(source)}

    def _if_there(self, path: str) -> list[str]:
        """What a job waits for that fails by itself without the file: nothing, if it is a user's own and not there."""
        return [self._origin_of(path)] if self.is_made(path) or Path(path).is_file() else []

    def is_made(self, path: str) -> bool:
        """Whether a job makes or fetches a file; else it is a user's own."""
        return self._origin_of(path).startswith(f"{self.results}/")

    def _encoder(self, settings: EncoderSettings | None) -> list[str]:
        """What a training waits for before it reads an encoder's weights; nothing if a package has them."""
        if settings is None:
            return []
        if settings.encoder_weights is not None:
            return self._if_there(self.below_data(settings.encoder_weights))
        return [self.record(settings.encoder)] if settings.encoder in WEIGHTS else []

    def _subset(self, images: str, benchmark: str | None = None) -> str | None:
        dataset, split = images.split("/")
        return self.experiment.subset_of(dataset, split, benchmark)

    def _lists(self, images: str, benchmark: str | None = None) -> list[Path]:
        return list_of_ids(self._user_root, self._subset(images, benchmark))

    @property
    def _user_root(self) -> str:
        """Where files of the user's are looked for beside the working folder: not where the workflow generates them."""
        return "" if self.is_generated else self.data_root

    def _files_named_in(self, value: Any) -> list[Path]:
        """The files that texts in a denoiser's options name."""
        if isinstance(value, Mapping):
            return [path for part in (*value, *value.values()) for path in self._files_named_in(part)]
        if isinstance(value, list | tuple):
            return [path for part in value for path in self._files_named_in(part)]
        path = _user_file(self._user_root, value) if isinstance(value, str) and value else None
        return [] if path is None else [path]

    def _files_below_data(self, names: Iterable[str]) -> list[Path]:
        return [Path(self.below_data(name)) for name in names]

    def _own_weights(self, entry: DenoiserEntry) -> list[Path]:
        """The file that an own class reads its weights from: by content, since no job makes or imports it."""
        is_read_as_it_is = entry.card.importer is None and isinstance(entry.weights, str)
        return self._files_below_data([str(entry.weights)]) if is_read_as_it_is else []

    def _score_file(self, benchmark: str, denoiser: str) -> str:
        return f"{self.results}/scores/{benchmark}/{denoiser}.parquet"

    def _benchmarks_of(self, spec: TableSpec) -> list[str]:
        if spec.ablated and self.experiment.ablation is None:
            return []
        if spec.over_draws:
            return [name for name in spec.benchmarks if self.experiment.draw_denoisers_of(name)]
        return [name for name in spec.benchmarks if name in self.experiment.benchmarks]

    @property
    def _benchmarks_with_classes(self) -> list[str]:
        return [
            n
            for n in self.experiment.benchmarks
            if any(METRICS[metric].over_classes for metric in BENCHMARKS[n].metrics)
        ]

    def _page(self, module: str, benchmarks: list[str]) -> Job:
        cards = self._cards_of(benchmarks, [name for benchmark in benchmarks for name in BENCHMARKS[benchmark].metrics])
        return Job({"scores": self.scores(benchmarks)}, {}, hash_of_code(module, *_statistics(cards), cards=cards))

    def _cards_of(self, benchmarks: Iterable[str], metrics: Iterable[str]) -> list[object]:
        """The cards that a report of benchmarks reads: titles of metrics and data sets."""
        benchmarks = [*benchmarks]
        further = [name for benchmark in benchmarks for name in self.experiment.benchmarks[benchmark].further_metrics]
        names = _distinct([*metrics, *further])
        datasets = _distinct(BENCHMARKS[benchmark].dataset for benchmark in benchmarks)
        return [*(METRICS[n] for n in names if n in METRICS), *(replace(DATASETS[n], sources=None) for n in datasets)]


def list_of_ids(data_root: str | Path, subset: str | Path | None) -> list[Path]:
    """The list of ids that names the images of a split, where readers look for it; none: all images."""
    return [] if subset is None else [_user_file(data_root, subset) or Path(subset)]


def _user_file(data_root: str | Path, name: str | Path) -> Path | None:
    try:
        return next((path for path in (Path(data_root, name), Path(name)) if path.is_file()), None)
    except (OSError, ValueError):  # a text that cannot be a name
        return None


def code_of_training(method: Method, images: str, files: Iterable[Path] = ()) -> str:
    """Hash of the code that trains a denoiser: nothing of what tables say of it, and no values of its recipe.

    Args:
        method: its card.
        images: ``<data set>/<split>`` that it is trained on.
        files: the list of ids that names them, if there is one.
    """
    training = str(method.training)
    names = (training, "usaid.denoisers.weights")
    return _code_on(images, *names, cards=((method.name, training),), files=files)


def _of_scores(method: Method) -> tuple[object, ...]:
    """What of a method's card a score depends on: not its citation, its licence, or how it is trained."""
    facts = method.facts
    return (method.name, method.denoiser, method.packages, method.given_clean, facts and (facts.title, facts.blind))


def _code_on(
    images: str,
    *names: str,
    cards: Iterable[object] = (),
    package_data: Iterable[str] = (),
    files: Iterable[Path] = (),
) -> str:
    """Hash of code that reads images: also the reader, and what that reads beside them; no title, no source."""
    name, split = images.split("/")
    dataset = DATASETS[name]
    of_images = (name, dataset.reader, dataset.classes, dataset.left_out, dataset.splits.get(split))
    return hash_of_code(
        *(*names, dataset.reader, "usaid.datasets.loading"),
        cards=(*cards, of_images),
        package_data=(*package_data, *dataset.package_data),
        files=files,
    )


def any_of(names: Iterable[str]) -> str:
    """A regular expression for one of some names; one that matches nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def _cards_of_print(spec: TableSpec) -> list[object]:
    """The cards that name metrics and data sets in what is made from print."""
    assert spec.number is not None
    printed = TABLES[spec.number]
    datasets = (DATASETS[BENCHMARKS[benchmark].dataset] for benchmark in printed.benchmarks)
    return [*(METRICS[name] for name in printed.metrics), *(replace(dataset, sources=None) for dataset in datasets)]


def _statistics(cards: Iterable[object]) -> list[str]:
    """The code behind scores of a whole data set."""
    conventions = [convention for card in cards if isinstance(card, Metric) for convention in card.conventions]
    return [c.compute for c in conventions if c.of_whole_set and c.compute is not None]


def _recipes() -> list[object]:
    """The keys of the recipes that methods come with, by name: what verdicts compare a training with."""
    classes = _distinct(card.recipe for card in METHODS.own.values() if card.recipe is not None)
    return [load_object(recipe).by_name() for recipe in classes]


def _distinct(values: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(values)]
