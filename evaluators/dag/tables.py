"""What tables and the pages beside them are made from."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from evaluators.dag.code import Job, cards_of_print, distinct, recipes, statistics_behind
from evaluators.dag.images import Images
from usaid.code_hash import hash_of_code
from usaid.denoisers.training.recipe import NetworkRecipe
from usaid.errors import UsaidError
from usaid.paper.layouts import REFERENCES, TABLES, TABLES_OF_PRINT, TITLES, TableSpec, table_of
from usaid.registries import BENCHMARKS, DATASETS, METHODS, METRICS

TABLE_FILES = "usaid.report.tables.files"
PUBLISHED = "usaid.paper:published.yaml"
CLAIMS = "usaid.paper:claims.yaml"


class Tables(Images):
    """The jobs of one experiment that make tables, statistics and claims."""

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
            return Job({}, {}, hash_of_code(TABLE_FILES, cards=cards_of_print(spec), package_data=(PUBLISHED,)))
        if not spec.benchmarks:
            return self._table_of_facts()
        cards = self._cards_of(self.tables[table], spec.metrics)
        code = hash_of_code(
            TABLE_FILES, *statistics_behind(cards), cards=[*cards, *recipes()], package_data=(PUBLISHED,)
        )
        return Job({"scores": self.scores_of_table(table)}, self._left_out, code)

    def _table_of_facts(self) -> Job:
        """What the paper's methods and the experiment's others say of themselves."""
        entries = self.experiment.denoisers.items()
        own = {name: entry for name, entry in entries if entry.method not in (*TITLES, *REFERENCES)}
        methods = [*(METHODS[name] for name in TITLES if name in METHODS), *(entry.card for entry in own.values())]
        cards = [replace(card, cost=None) for card in methods]
        classes = [entry.card.denoiser for entry in own.values() if entry.card.facts is None]
        code = hash_of_code(TABLE_FILES, *classes, cards=cards, package_data=(PUBLISHED,))
        named = {"own_methods": {name: entry.method for name, entry in own.items()}}
        titles = {name: entry.title for name, entry in own.items() if entry.title is not None}
        trained = {name: (entry.method, entry.train) for name, entry in own.items()}
        losses = {name: by.loss_of(method) for name, (method, by) in trained.items() if isinstance(by, NetworkRecipe)}
        given = {key: value for key, value in (("titles", titles), ("losses", losses)) if value}
        return Job({}, named | given | self._left_out, code)

    @property
    def _left_out(self) -> dict[str, list[str]]:
        """Of what a table depends on: columns of the paper's that are not wanted."""
        return {"left_out": [*self.experiment.left_out]} if self.experiment.left_out else {}

    def statistics_page(self, benchmark: str) -> Job:
        """The score files of a benchmark, with further draws and Table II's, and those that share a table with it."""
        made = {name: known for name, known in self.tables.items() if benchmark in known}
        files = self._scores_behind(made, beside=self.scores([benchmark]))
        metrics = [metric for name in made for metric in self.specs[name].metrics]
        cards = self._cards_of(distinct(name for known in made.values() for name in known), metrics)
        names = ("usaid.report.statistics.pages", *statistics_behind(cards))
        return Job(files, {}, hash_of_code(*names, cards=cards, package_data=(PUBLISHED,)))

    @property
    def statistics(self) -> list[str]:
        """One file of each benchmark's statistics."""
        return [f"{self.results}/statistics/{name}.csv" for name in self.experiment.benchmarks]

    def claims(self) -> Job:
        """The score files of the paper's tables, with further draws, and Table II's."""
        made = {name: known for name, known in self.tables.items() if name.isdecimal()}
        files = self._scores_behind(made)
        metrics = [metric for spec in TABLES.values() for metric in spec.metrics]
        cards = self._cards_of(distinct(name for known in made.values() for name in known), metrics)
        (facts,) = (spec.metrics for spec in TABLES.values() if not spec.benchmarks)
        methods = [(name, [getattr(METHODS[name].facts, fact) for fact in facts]) for name in TITLES if name in METHODS]
        names = ("usaid.report.claims.files", *statistics_behind(cards))
        all_cards = [*cards, *methods, *recipes()]
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
        return {"scores": distinct(of_tables[False]), "ablation": of_tables[True]}

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
        scores = distinct(path for table in self.tables for path in self.scores_of_table(table))
        files = {"tables": self.table_files, "pages": self.pages, "scores": scores}
        metrics = distinct(name for spec in TABLES.values() for name in spec.metrics if name in METRICS)
        code = hash_of_code(TABLE_FILES, cards=[METRICS[name] for name in metrics], package_data=(PUBLISHED,))
        return Job(files, {}, code)

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
        return Job(
            {"scores": self.scores(benchmarks)}, {}, hash_of_code(module, *statistics_behind(cards), cards=cards)
        )

    def _cards_of(self, benchmarks: Iterable[str], metrics: Iterable[str]) -> list[object]:
        """The cards that a report of benchmarks reads: titles of metrics and data sets."""
        benchmarks = [*benchmarks]
        further = [name for benchmark in benchmarks for name in self.experiment.benchmarks[benchmark].further_metrics]
        of_cards = [name for benchmark in benchmarks for name in BENCHMARKS[benchmark].metrics]
        other = [name for name in of_cards if METRICS[name].printed_as is not None]
        names = distinct([*metrics, *other, *further])
        datasets = distinct(BENCHMARKS[benchmark].dataset for benchmark in benchmarks)
        return [*(METRICS[n] for n in names if n in METRICS), *(replace(DATASETS[n], sources=None) for n in datasets)]
