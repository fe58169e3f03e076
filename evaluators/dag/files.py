"""Where an experiment has its files, and what a job waits for that reads one."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from evaluators.dag.code import files_of_onnx, list_of_ids, user_file
from usaid.datasets.sources import WEIGHTS, files_of
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.experiment import Experiment
from usaid.experiment.model import EncoderSettings
from usaid.failures import Ledger
from usaid.files import written_atomically
from usaid.registries import DATASETS


class Files:
    """The files of one experiment."""

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
        self._planned: dict[tuple[str, ...], int] | None = None

    @property
    def is_generated(self) -> bool:
        """Whether its data sets are generated: too small for threads to share."""
        return self.experiment.data_source == "miniature"

    @property
    def sources(self) -> tuple[str, ...]:
        """What a record can be of: data sets and weights that can be fetched."""
        return (*DATASETS, *WEIGHTS)

    def record(self, source: str) -> str:
        """The record that a data set or a set of weights is there: what a job waits for that reads of it.

        It has no code hash: what is on disk stays what it is when the way to get it changes.
        """
        return f"{self.results}/data/{source}.json"

    def failures_of(self, rule: str, wildcards: Iterable[str]) -> int:
        """How often a job has failed so far, as it was when this object first looked.

        A parameter of every job: one that failed has raised the number, so that it is made again.
        """
        place = (rule, *wildcards)
        if self._planned is not None:
            return self._planned.get(place, 0)
        if place not in self._failures:
            self._failures[place] = Ledger.at(self.results, rule, place[1:]).failures
        return self._failures[place]

    def keep_planned_failures(self) -> None:
        """Write down what :meth:`failures_of` has said so far, for jobs on other machines: they look later."""
        planned = {"/".join(place): failures for place, failures in self._failures.items() if failures}
        with written_atomically(self._planned_failures) as temporary:
            temporary.write_text(json.dumps(planned, indent=1) + "\n", encoding="utf-8")

    def take_planned_failures(self) -> None:
        """Let :meth:`failures_of` say what was written down, and 0 of the others; as it is where nothing was."""
        with suppress(OSError, ValueError):
            planned = json.loads(self._planned_failures.read_text(encoding="utf-8"))
            self._planned = {tuple(place.split("/")): int(failures) for place, failures in planned.items()}

    @property
    def _planned_failures(self) -> Path:
        return Path(self.results, ".failures.json")

    def below_data(self, file: str) -> str:
        """The path of a file that the experiment names below ``data_root``; absolute paths stay as they are."""
        return os.path.normpath(os.path.join(self.data_root, file))

    def _record_of(self, images: str) -> str:
        return self.record(images.partition("/")[0])

    def _origin_of(self, path: str) -> str:
        """What a job waits for that reads a file: the record that it was fetched, or the file itself."""
        return self.record(self.fetched[path]) if path in self.fetched else path

    @cached_property
    def fetched(self) -> dict[str, str]:
        """Files below ``data_root`` that are fetched: path -> the weights that they are of, by name."""
        return {self.below_data(file): source for source in WEIGHTS for file in files_of(source)}

    def _if_there(self, path: str) -> list[str]:
        """What a job waits for that fails by itself without the file: nothing, if it is a user's own and not there."""
        return [self._origin_of(path)] if self.is_made(path) or Path(path).is_file() else []

    def is_made(self, path: str) -> bool:
        """Whether a job makes or fetches a file; else it is a user's own."""
        origin = self._origin_of(path)
        is_data = origin == path and path.startswith(f"{self.data_root}/")  # generated data lie below the results
        return origin.startswith(f"{self.results}/") and not is_data

    def _encoder(self, settings: EncoderSettings | None) -> list[str]:
        """What a training waits for before it reads an encoder's weights; nothing if a package has them."""
        if settings is None:
            return []
        if settings.encoder_weights is not None:
            return self._if_there(self.below_data(settings.encoder_weights))
        return [self.record(settings.encoder)] if settings.encoder in WEIGHTS else []

    def _subset(self, images: str, benchmark: str | None = None, of_draws: bool = False) -> str | None:
        dataset, split = images.split("/")
        return self.experiment.subset_of(dataset, split, benchmark, of_draws)

    def _lists(self, images: str, benchmark: str | None = None, of_draws: bool = False) -> list[Path]:
        return list_of_ids(self._user_root, self._subset(images, benchmark, of_draws))

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
        path = user_file(self._user_root, value) if isinstance(value, str) and value else None
        return [] if path is None else [path]

    def _files_below_data(self, names: Iterable[str]) -> list[Path]:
        return [Path(self.below_data(name)) for name in names]

    def _own_weights(self, entry: DenoiserEntry) -> list[Path]:
        """The file that an own class reads its weights from: by content, since no job makes or imports it."""
        is_read_as_it_is = entry.card.importer is None and isinstance(entry.weights, str)
        if not is_read_as_it_is:
            return []
        file = Path(self.below_data(str(entry.weights)))
        return [file, *files_of_onnx(file)] if file.suffix == ".onnx" else [file]

    def _score_file(self, benchmark: str, denoiser: str) -> str:
        return f"{self.results}/scores/{benchmark}/{denoiser}.parquet"
