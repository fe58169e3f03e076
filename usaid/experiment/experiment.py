"""The experiment: everything that one run of the suite is asked for, as checked and frozen settings."""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    create_model,
    field_validator,
    model_validator,
)

from usaid.errors import UsaidError
from usaid.experiment.benchmark import OF_WORK, BenchmarkSettings, Places
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.earlier_scores import COMPARED
from usaid.experiment.model import (
    DenoisingPrecision,
    FilePath,
    Flag,
    Positive,
    Sentence,
    Settings,
    Text,
    Unique,
    image_lists,
    must_be,
    refuse,
    unknown_key,
)
from usaid.experiment.sight import Figures, KeepImages, check_sight
from usaid.experiment.studies import Ablation, Convergence, Draws
from usaid.paper.layouts import TABLES, TITLES, TableSpec
from usaid.registries import BENCHMARKS, DATASETS, load_object

if TYPE_CHECKING:
    from usaid.datasets.base import View

EXPERIMENT_NAME = "^[a-z0-9_]+(/[a-z0-9_]+)?$"
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", max_length=100)]
NIQE_IMAGES = "voc2012/train"
"""The clean images that an experiment's own NIQE is fitted to."""
CONVERGENCE_IMAGES = "voc2012/train"
"""What Figure 2's three runs are trained on."""


class Experiment(Settings):
    """An experiment file."""

    experiment: Annotated[str, Field(pattern=EXPERIMENT_NAME, max_length=200)]
    """Name, or `group/name`: results go to `results/<experiment>/`."""
    data_root: FilePath
    """Folder where the data sets lie in their official layouts; `usaid data status --data-root ...` says what is
    there. In this and every other path `~` and `$NAME` are expanded."""
    data_source: Literal["official", "miniature"] = "official"
    """`miniature`: write generated versions of all data sets to `data_root` first."""
    subsets: dict[str, FilePath] = Field(default_factory=dict)
    """`<data set>/<split>`: file. Run on the ids of a list (one a line; below `data_root` or the working folder).
    Tables say "n = ... of ...". null removes one that an earlier file has."""
    niqe: Literal["niqe_live", "niqe_matlab", "niqe_fitted"] = "niqe_live"
    """Whose pristine model NIQE uses: the LIVE release's, MATLAB's (the paper's), or one fitted to the experiment's own
    clean training images."""
    device: Annotated[str, Field(pattern="^(auto|cpu|cuda(:[0-9]+)?)$")] = "auto"
    """`auto` (the GPU if there is one), `cpu`, `cuda`, `cuda:N`."""
    precision: DenoisingPrecision = "float32"
    """Of the denoisers' networks. `tf32`: a GPU rounds factors to 10 bits; elsewhere it is float32. `bfloat16`
    costs hundredths of a dB, and is faster where the processor has it. `auto` measures at the start of a job which of
    them is clearly the fastest on its machine; a job that goes on and finds another begins anew."""
    denoisers: Annotated[dict[Name, DenoiserEntry], Field(min_length=1)]
    """The columns of the tables, in order; null removes one that an earlier file has."""
    compare_with: FilePath | None = None
    """`released`, or another results folder: `noisy`, `cdncnn_b`, `s_said`, `u_said` and `clean` have their scores from
    there (`scores_from`), as far as `denoisers` has no entry of that name; null there leaves one out."""
    left_out: Annotated[tuple[Text, ...], Unique()] = ()
    """Columns of the paper that no table shows where the experiment lacks them; an entry of `denoisers` that is null is
    one. Others are shown with the printed numbers alone."""
    benchmarks: Annotated[dict[str, SerializeAsAny[BenchmarkSettings]], Field(min_length=1)]
    """The data sets and judges; null removes one that an earlier file has."""
    ablation: Ablation | None = None
    """Table II; null removes it."""
    draws: Draws | None = None
    """Table X; null removes it."""
    convergence: Convergence | None = None
    """Figure 2; null removes it."""
    keep_images: KeepImages | None = None
    """Images for the report's viewer; null: none."""
    figures: Figures | None = None
    """The images of Figures 3, 4 and 5; null: none of the three."""
    report_beside: Annotated[tuple[Text, ...], Unique()] = ()
    """Results folders of other experiments, as `results/released`, that the report shows beside this one."""
    score_jobs: Literal["file", "data_set"] = "file"
    """`file`: the workflow has a job for each score file. `data_set`: one for all score files of a data set's
    split, which share a process; for many small ones. A change of one of them then makes all of them again, from their
    journals: only what changed is computed."""
    time_limit: Positive = 30
    """Minutes that a denoiser may take for a batch, which on a CPU is an image, if that is not a small one. One that
    takes longer is given up."""
    notes: tuple[Sentence, ...] = ()
    """Sentences for the footnotes of every table."""
    allow_failures: Flag = False
    """The workflow's exit status is 0 even if a job failed and cells show dashes; for once: `--config
    allow_failures=true`."""

    @model_validator(mode="before")
    @classmethod
    def _with_earlier_scores(cls, keys: Any) -> Any:
        """Add the columns of ``compare_with``, and note those of the paper that are not wanted."""
        entries = keys.get("denoisers") if isinstance(keys, Mapping) else None
        if not isinstance(entries, Mapping):
            return keys
        source, left_out = keys.get("compare_with"), keys.get("left_out", [])
        if isinstance(left_out, list | tuple):
            unwanted = [name for name, entry in entries.items() if entry is None and name in (*TITLES, *COMPARED)]
            left_out = [*left_out, *(name for name in unwanted if name not in left_out)]
            keys = {**keys, "left_out": left_out}
        if isinstance(source, str):
            missing = [name for name in COMPARED if name not in entries and name not in left_out]
            added = {name: {"method": name, "scores_from": source} for name in missing}
            keys = {**keys, "denoisers": {**added, **entries}}
        return keys

    @field_validator("denoisers", "subsets", mode="before")
    @classmethod
    def _without_removed(cls, entries: Any) -> Any:
        return {k: v for k, v in entries.items() if v is not None} if isinstance(entries, Mapping) else entries

    @field_validator("subsets")
    @classmethod
    def _of_known_splits(cls, subsets: dict[str, str]) -> dict[str, str]:
        known = image_lists()
        for name in subsets:
            if name not in known:
                raise unknown_key(name, known)
        return subsets

    @field_validator("benchmarks", mode="plain")
    @classmethod
    def _by_their_cards(cls, entries: Any) -> Any:
        if not isinstance(entries, Mapping):
            raise must_be("of type object")
        checked = benchmarks_model().model_validate(dict(entries))
        settings = {name: getattr(checked, name) for name, entry in entries.items() if entry is not None}
        if not settings:
            raise must_be("not empty")
        return settings

    @model_validator(mode="after")
    def _consistent(self) -> "Experiment":
        if self.data_source == "miniature" and not os.path.normpath(self.data_root).startswith("results/"):
            place = f"data_root = {json.dumps(self.data_root)}"
            why = "so that generated files never meet real ones"
            raise refuse(f"{place}: must lie below results/ with data_source miniature, {why}")
        for name, settings in self.benchmarks.items():
            if settings.longest_side is not None and not DATASETS[BENCHMARKS[name].dataset].classes:
                raise refuse(f"benchmarks.{name}.longest_side: only images with label maps are made smaller; drop it")
            if settings.shards > 1 and self.score_jobs == "data_set":
                why = "one job makes all score files of a data set (score_jobs: data_set)"
                raise refuse(f"benchmarks.{name}.shards = {settings.shards}: {why}; drop one of the two keys")
        for name, entry in self.denoisers.items():
            self._check_scored(name, entry)
            if entry.has_weights and name in self.benchmarks and self.benchmarks[name].is_trained:
                raise refuse(
                    f"denoisers.{name}: its weights and those of the judge of that name are one file; rename it"
                )
        if self.ablation is not None:
            self._check_ablation(self.ablation)
        if self.draws is not None:
            self._check_draws(self.draws)
        methods = {name: entry.method for name, entry in self.denoisers.items()}
        check_sight(self.keep_images, self.figures, methods)
        return self

    def _check_scored(self, name: str, entry: DenoiserEntry) -> None:
        """Where it is named it has to have a noise level, and in some benchmark at all."""
        asked = [name for name in self.benchmarks if entry.benchmarks is None or name in entry.benchmarks]
        without = [benchmark for benchmark in asked if not self._is_scored(entry, benchmark)]
        if without and (entry.benchmarks is not None or without == asked):
            benchmark, sigmas = without[0], self.benchmarks[without[0]].sigmas
            given, there = (json.dumps([*map(_as_written, own or ())]) for own in (entry.sigmas, sigmas))
            cure = "add one there, or name the 'benchmarks' that have them"
            raise refuse(f"denoisers.{name}.sigmas = {given}: none is among {benchmark}'s {there}; {cure}")

    def _check_ablation(self, ablation: Ablation) -> None:
        """Table II varies a key of a recipe, so its denoiser has to be trained."""
        (table,) = (table for table in TABLES.values() if table.ablated)
        entry = self.denoisers.get(ablation.denoiser)
        if entry is None or entry.method != table.ablated or entry.train is None:
            wanted = f"must be a denoiser of method {table.ablated} with 'train'"
            raise refuse(f"ablation.denoiser = {json.dumps(ablation.denoiser)}: {wanted}")
        for benchmark in table.benchmarks:
            if benchmark not in self.benchmarks:
                raise refuse(f"ablation: {table.title} is made from benchmark {benchmark}; add it")
            own = self.columns_of_ablation.values()
            if ablation.denoiser in own and table.sigma not in self.settings_of(benchmark, ablation.denoiser).sigmas:
                sigma = f"sigma {table.sigma:g}, at which {ablation.denoiser} is not scored on {benchmark}"
                raise refuse(f"ablation: {table.title} is of {sigma}; add it to 'sigmas'")
        for classes, name in self.columns_of_ablation.items():
            column = self.denoisers.get(name)
            if column is not None and column.train != entry.train.model_copy(update={"classes": classes}):
                what = f"the column K = {classes} of {table.title}, but not trained as {ablation.denoiser} is"
                raise refuse(f"denoisers.{name}: has the name of {what}; rename it")

    def _check_draws(self, draws: Draws) -> None:
        """Table X is of some benchmarks at one sigma; each of its denoisers has to be scored there."""
        table = _table_over_draws()
        there = [n for n in table.benchmarks if n in self.benchmarks and table.sigma in self.benchmarks[n].sigmas]
        for name in draws.subsets:
            if name not in there:
                raise refuse(f"draws.subsets.{name}: must be one of {', '.join(there) or 'no benchmark here'}")
        if not there:
            cure = f"add one of them, with {table.sigma:g} among its 'sigmas', or drop 'draws'"
            benchmarks = " or ".join(table.benchmarks)
            raise refuse(f"draws: {table.title} is made from {benchmarks} at sigma {table.sigma:g}; {cure}")
        scored = {name for benchmark in there for name in self._scored_at(table, benchmark)}
        places = f"at sigma {table.sigma:g} on {' or '.join(there)}"
        for index, name in enumerate(draws.denoisers or ()):
            key = f"draws.denoisers.{index} = {json.dumps(name)}"
            if name not in self.denoisers:
                raise refuse(f"{key}: must be one of {', '.join(self.denoisers)}")
            if self.denoisers[name].scores_from is not None:
                raise refuse(f"{key}: has its scores from an earlier run, which are of no further draws; drop it")
            if self.denoisers[name].card.given_clean:
                raise refuse(f"{key}: sees no noise, so that all draws are one; drop it")
            if name not in scored:
                raise refuse(f"{key}: is not scored {places}; widen its 'benchmarks' or 'sigmas', or drop it")
        if not any(self.draw_denoisers_of(benchmark) for benchmark in there):
            raise refuse(f"draws: none that {table.title} shows by itself is scored {places}; name 'denoisers'")

    @property
    def results(self) -> str:
        """Folder of its results: ``"results/<experiment>"``."""
        return f"results/{self.experiment}"

    @cached_property
    def variants(self) -> dict[str, DenoiserEntry]:
        """The denoisers that only Table II needs: one entry for each further K of the ablation, by name.

        The K that the ablation's denoiser has itself is not among them: its own scores serve.
        """
        if self.ablation is None:
            return {}
        entry = self.denoisers[self.ablation.denoiser]
        assert entry.train is not None
        return {
            name: entry.model_copy(
                update={"title": f"K = {classes}", "train": entry.train.model_copy(update={"classes": classes})}
            )
            for classes, name in self.columns_of_ablation.items()
            if name not in self.denoisers
        }

    @property
    def columns_of_ablation(self) -> dict[int, str]:
        """The columns of Table II: K -> the denoiser that was trained with it; empty without an ablation."""
        if self.ablation is None:
            return {}
        name = self.ablation.denoiser
        own = getattr(self.denoisers[name].train, "classes", None)
        return {k: name if k == own else f"{name}_k{k}" for k in self.ablation.classes}

    @property
    def entries(self) -> dict[str, DenoiserEntry]:
        """The denoisers and the variants that the ablation adds."""
        return self.denoisers | self.variants

    def settings_of(self, benchmark: str, denoiser: str) -> BenchmarkSettings:
        """How a benchmark is run for a denoiser: Table II's variants need one sigma only, slow methods may have few."""
        settings = self.benchmarks[benchmark]
        if denoiser not in self.denoisers:
            (sigma,) = (table.sigma for table in TABLES.values() if table.ablated)
            return settings.model_copy(update={"sigmas": (sigma,)})
        own = self.denoisers[denoiser].sigmas
        if own is None:
            return settings
        return settings.model_copy(update={"sigmas": tuple(sigma for sigma in settings.sigmas if sigma in own)})

    def settings_of_draws(self, benchmark: str, denoiser: str) -> BenchmarkSettings:
        """How the further noise draws of Table X are scored: at its sigma, and non-blind methods are told the truth."""
        settings = self.settings_of(benchmark, denoiser)
        return settings.model_copy(update={"sigmas": (_table_over_draws().sigma,), "told_sigmas": ("oracle",)})

    def further_draws(self, benchmark: str) -> range:
        """The noise draws of Table X that the score files of a benchmark lack; none if the table is not of it."""
        if self.draws is None or not self.draw_denoisers_of(benchmark):
            return range(0)
        own = self.benchmarks[benchmark].draws
        return range(own, max(own, self.draws.draws))

    def draw_denoisers_of(self, benchmark: str) -> list[str]:
        """The denoisers that Table X shows of a benchmark; none if the table is not of it, or not asked for."""
        table = _table_over_draws()
        if self.draws is None or benchmark not in table.benchmarks or benchmark not in self.benchmarks:
            return []
        named = self.draws.denoisers
        return [
            name
            for name in self._scored_at(table, benchmark)
            if (self.denoisers[name].method not in table.left_out if named is None else name in named)
        ]

    def _scored_at(self, table: TableSpec, benchmark: str) -> list[str]:
        """The denoisers that are scored on one of its benchmarks at the sigma of a table, in this experiment."""
        names = [name for name in self.denoisers_of(benchmark) if self.denoisers[name].scores_from is None]
        return [name for name in names if table.sigma in self.settings_of(benchmark, name).sigmas]

    def denoisers_of(self, benchmark: str) -> list[str]:
        """The denoisers that have scores on one of its benchmarks, variants of the ablation aside.

        One that is restricted to noise levels of which a benchmark has none is left out there.
        """
        return [name for name, entry in self.denoisers.items() if self._is_scored(entry, benchmark)]

    def _is_scored(self, entry: DenoiserEntry, benchmark: str) -> bool:
        is_named = entry.benchmarks is None or benchmark in entry.benchmarks
        return is_named and (entry.sigmas is None or any(s in entry.sigmas for s in self.benchmarks[benchmark].sigmas))

    def subset_of(self, dataset: str, split: str, benchmark: str | None = None, of_draws: bool = False) -> str | None:
        """The list of ids for a split, or a benchmark's own for what it scores; None: all images.

        Args:
            dataset, split: what is read.
            benchmark: one of its own, which reads it.
            of_draws: for the further noise draws of Table X, which may have a list of their own.
        """
        own = None
        if benchmark is not None and split == BENCHMARKS[benchmark].split:
            own = self.benchmarks[benchmark].subset
            if of_draws and self.draws is not None:
                own = self.draws.subsets.get(benchmark, own)
        return own or self.subsets.get(f"{dataset}/{split}")

    def view_of(self, benchmark: str, split: str) -> "View | None":
        """What one of its benchmarks makes of the images of a split: of what it scores, or of what its judge learns."""
        settings = self.benchmarks[benchmark]
        return settings.view if split == BENCHMARKS[benchmark].split else settings.training_view

    def images_of(self, benchmark: str, of_draws: bool = False) -> tuple[object, ...]:
        """What says whether two benchmarks see the same images: data set, split, list of ids, view."""
        card = BENCHMARKS[benchmark]
        subset = self.subset_of(card.dataset, card.split, benchmark, of_draws)
        return card.dataset, card.split, subset, self.view_of(benchmark, card.split)

    @property
    def unread_subsets(self) -> list[str]:
        """The ``subsets`` of splits that nothing of it reads: lists that change nothing."""
        read = {f"{BENCHMARKS[name].dataset}/{BENCHMARKS[name].split}" for name in self.benchmarks}
        read |= {f"{BENCHMARKS[name].dataset}/train" for name, entry in self.benchmarks.items() if entry.is_trained}
        read |= {entry.train.images for entry in self.denoisers.values() if entry.train is not None}
        if self.niqe == "niqe_fitted":
            read.add(NIQE_IMAGES)
        if self.convergence is not None:
            read.add(CONVERGENCE_IMAGES)
        return [images for images in self.subsets if images not in read]

    @property
    def places(self) -> Places:
        """Where it has its files."""
        return Places(self.results, self.data_root, self.niqe)

    def require(self, key: Literal["denoisers", "benchmarks"], name: str) -> None:
        """See that it has a denoiser or benchmark of a name.

        Raises:
            UsaidError: it has not; names those that it has.
        """
        known = getattr(self, key)
        if name not in known:
            raise UsaidError(f"{name!r} is not among the experiment's {key}: {', '.join(known)}")

    @property
    def sha256(self) -> str:
        """Hash of all its settings that scores depend on."""
        without: Any = {**dict.fromkeys(_OF_NO_SCORE, True), "benchmarks": {"__all__": {*OF_WORK}}}
        return hashlib.sha256(self.model_dump_json(exclude=without).encode()).hexdigest()


@cache
def benchmarks_model() -> type[Settings]:
    """The settings of all benchmarks, each a key that may be left out or null."""
    fields: dict[str, Any] = {name: (load_object(card.settings) | None, None) for name, card in BENCHMARKS.items()}
    return create_model("Benchmarks", __base__=Settings, **fields)


_OF_NO_SCORE = {"allow_failures", "score_jobs", "keep_images", "figures", "report_beside", "time_limit", "left_out"}


def _table_over_draws() -> TableSpec:
    (table,) = (table for table in TABLES.values() if table.over_draws)
    return table


def _as_written(sigma: float) -> float | int:
    return int(sigma) if sigma == int(sigma) else sigma
