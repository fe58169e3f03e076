"""One's own denoiser on one benchmark, in one call: no experiment, no workflow, no files but the images."""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators.dag.dag import Dag
from evaluators.evaluation.companions import RELEASED, companions_of, result_folders
from evaluators.evaluation.frames import Evaluation
from evaluators.evaluation.numbers import MINE
from evaluators.judge import Judge
from evaluators.quality.settings import QualitySettings
from evaluators.scoring.job import scored
from evaluators.scoring.record import Made
from evaluators.scoring.score_job import ScoreJob
from usaid.checkpoints import require_weights
from usaid.datasets.base import Dataset
from usaid.datasets.loading import load_for
from usaid.denoisers.base import Denoiser, checked_facts
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.recognise import method_and_weights
from usaid.devices import pick_device
from usaid.errors import UsaidError
from usaid.experiment.adapt import Adapt
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import as_config, checked_experiment, checked_settings, read_experiment
from usaid.memory import keep_freed_memory
from usaid.paper.layouts import sigmas_in_print
from usaid.registries import BENCHMARKS, METHODS, load_object
from usaid.report.tables.render_markdown import DASH
from usaid.scores.files import write_scores

Network = str | Path | nn.Module | type | Callable[..., Any]
"""A denoiser in whatever form one has it: :func:`evaluate` says which."""


def evaluate(
    network: Network,
    benchmark: str,
    *,
    data_root: str | Path | None = None,
    sigmas: float | Sequence[float] | None = None,
    images: int | Sequence[str] | None = None,
    draws: int = 1,
    device: str = "auto",
    told_sigma: float | str = "oracle",
    weights: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    experiment: str | Path | Sequence[str | Path] | None = None,
    judge_file: str | Path | None = None,
    title: str | None = None,
    compare_with: str | Path | None = RELEASED,
    output: str | Path | None = None,
    **adapt: Any,
) -> Evaluation:
    """Score a denoiser on a benchmark, with the noise, the judges and the numbers of the suite's experiments.

    A progress bar on stderr shows rate and time left; without a terminal it is a line now and then.

    Args:
        network: a :class:`usaid.denoisers.base.Denoiser`, an ``nn.Module`` (a class, or an instance, which is left in
            evaluation mode and on ``device``), or a function: float32 (B, 3, H, W) in [0, 1] plus noise, not clipped,
            to the same shape; a second parameter ``told_sigma`` is the noise level on the 0-255 scale. Or a text: a
            method's name (``"u_said"``), ``"mine.py:Net"``, ``"package.module:Net"``, or a network's file.
        benchmark: ``"kodak_quality"``, ``"voc_segmentation"`` ...: one of :data:`usaid.registries.BENCHMARKS`.
        data_root: folder of the data sets; None: the experiment's, or else ``data``.
        sigmas: noise levels, 0-255 scale; None: the experiment's, or else the paper's.
        images: the first so many of the data set, or a list of ids; None: all.
        draws: noise realisations of each image and sigma.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N``.
        told_sigma: what a non-blind denoiser is told: ``"oracle"``, the truth, or a noise level on the 0-255 scale.
        weights: file of the network's weights.
        options: keyword arguments of the class or function.
        experiment: experiment files, as ``config/released.yaml``, that say which network judges, and how; needed where
            one judges.
        judge_file: what the judge reads: its network's weights, or NIQE's parameters; None: as the experiment says, or
            NIQE's below ``data_root``. Without these, there is no NIQE.
        title: what the denoiser is called; None: its own name, or that of the network's file.
        compare_with: whose scores of the same images stand beside: as
            :func:`evaluators.evaluation.companions.result_folders` takes it. Printed numbers fill in for them. None:
            nobody's, and no printed numbers.
        output: score file (Parquet) to write, for ``usaid compare`` and ``usaid table``.
        **adapt: how a network is called that expects or returns something else, by the keys of
            :class:`usaid.experiment.adapt.Adapt`: ``predicts="noise"``, ``value_range=255`` ...

    Returns:
        a row an image, sigma and draw; ``.summary()`` is the table to print, ``.attrs`` the provenance.

    Raises:
        UsaidError: an argument that cannot be, data that are missing, or a denoiser that cannot be made, or fails on an
            image, which is named.
    """
    keep_freed_memory()
    if output is not None:
        _check_place(Path(output))
    folders = result_folders(compare_with)
    asked = {"draws": draws, "told_sigmas": [told_sigma]} | ({} if sigmas is None else {"sigmas": _levels(sigmas)})
    settings = _experiment(benchmark, asked, experiment, data_root, device)
    network_of = _Network(network, weights, _options(options), _adapt(adapt), title)
    judged_by, remarks = _judge_file(settings, benchmark, judge_file)
    with TemporaryDirectory(prefix="usaid-evaluate-") as folder:
        place = Path(folder, "scores.parquet") if output is None else Path(output)
        made = _made(network_of, settings, benchmark, judged_by, place)
        _choose(made.dataset, images)
        scores = scored(made, Path(folder, "rows.jsonl"))
    if output is not None:
        write_scores(output, scores)
    companions, others = companions_of(scores, folders)
    return Evaluation.of(scores, None if compare_with is None else companions, [*remarks, *others])


def _check_place(output: Path) -> None:
    """See that a score file can be written, before hours go by."""
    if output.is_dir():
        raise UsaidError(f"{output}: is a folder; name a score file (.parquet)")
    if output.suffix != ".parquet":
        raise UsaidError(f"{output}: score files are Parquet; call it {output.stem}.parquet")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=output.parent):
            pass
    except OSError as error:
        raise UsaidError(f"{output}: cannot be written there ({error.strerror}); name another place") from None


def _levels(sigmas: float | str | Iterable[float]) -> list[float]:
    try:
        levels = [*sigmas] if isinstance(sigmas, Iterable) and not isinstance(sigmas, str) else [sigmas]
        if any(isinstance(level, bool) for level in levels):
            raise TypeError
        return [float(level) for level in levels]
    except (TypeError, ValueError):
        raise UsaidError(f"sigmas = {sigmas!r}: must be noise levels on the 0-255 scale") from None


def _options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise UsaidError(f"options = {options!r}: must be keyword arguments by name, as {{'depth': 5}}")
    return dict(options)


def _adapt(keys: Mapping[str, Any]) -> Adapt | None:
    given = {key: value for key, value in keys.items() if value is not None}
    return checked_settings(Adapt, given, "evaluate") if given else None


# ------------------------------------------------------------------------------------------------ how it is judged


def _experiment(
    benchmark: str,
    asked: Mapping[str, Any],
    files: str | Path | Sequence[str | Path] | None,
    data_root: str | Path | None,
    device: str,
) -> Experiment:
    """The experiment that is asked for, of this benchmark alone; its denoiser is yet to be put in."""
    if benchmark not in BENCHMARKS:
        raise UsaidError(f"benchmark {benchmark!r}: must be one of {', '.join(BENCHMARKS)}")
    if files is None:
        _refuse_without_settings(benchmark)
        config: dict[str, Any] = {"experiment": NAME, "data_root": "data"}
        settings: dict[str, Any] = {"sigmas": [*sigmas_in_print(BENCHMARKS[benchmark])]}
    else:
        read = read_experiment(*([files] if isinstance(files, str | Path) else files))
        read.require("benchmarks", benchmark)
        whole = as_config(read)
        config, settings = {key: whole[key] for key in _JUDGED_BY}, whole["benchmarks"][benchmark]
    config |= {"denoisers": {"mine": {"method": "noisy"}}, "benchmarks": {benchmark: {**settings, **asked}}}
    config |= {} if data_root is None else {"data_root": str(data_root)}
    config |= {} if device == "auto" else {"device": device}
    return checked_experiment(config, NAME)


NAME = "evaluate"
"""The experiment that score files say they are of."""

_JUDGED_BY = ("experiment", "data_root", "data_source", "subsets", "niqe", "device", "precision", "notes")
"""The keys of an experiment that say what a benchmark is made from, beside its own."""


def _refuse_without_settings(benchmark: str) -> None:
    """Refuse a benchmark whose settings cannot be guessed: they say which network judges."""
    fields = load_object(BENCHMARKS[benchmark].settings).model_fields
    needed = [key for key, field in fields.items() if field.is_required() and key != "sigmas"]
    if needed:
        cure = "give experiment='config/released.yaml' (--experiment config/released.yaml), or one of your own"
        raise UsaidError(f"{benchmark}: an experiment has to say how it is judged ({', '.join(needed)}); {cure}")


def _judge_file(experiment: Experiment, benchmark: str, given: str | Path | None) -> tuple[Path | None, list[str]]:
    """What the judge reads, and what is not measured without it."""
    settings = experiment.benchmarks[benchmark]
    named = settings.judge_file(benchmark, experiment.places) if given is None else given
    if named is None or Path(named).exists():
        return (None if named is None else Path(named)), []
    if isinstance(settings, QualitySettings) and given is None:
        cure = f"usaid data fetch {experiment.niqe} --data-root {shlex.quote(experiment.data_root)}"
        return None, [f"NIQE: {DASH}, since its parameters are missing ({named}); to have it: {cure}."]
    raise UsaidError(f"{named}: what judges {benchmark} is missing; put it there, or name it: judge_file, --judge-file")


def _choose(dataset: Dataset, images: int | str | Sequence[str] | None) -> None:
    """Leave a data set the images that are asked for, in its own order."""
    if images is None:
        return
    if isinstance(images, int | np.integer):
        if isinstance(images, bool) or images < 1:
            raise UsaidError(f"images = {images}: must be a number > 0, or a list of ids")
        chosen = dataset.ids[:images]
    elif not isinstance(images, Iterable):
        raise UsaidError(f"images = {images!r}: must be a number > 0, or a list of ids")
    else:
        wanted = dict.fromkeys([images] if isinstance(images, str) else map(str, images))
        if unknown := [name for name in wanted if name not in {*dataset.ids}]:
            examples = ", ".join(dataset.ids[:3])
            raise UsaidError(f"images: {unknown[0]!r} is not among those of {dataset.name}: {examples} ...")
        chosen = tuple(name for name in dataset.ids if name in wanted)
        if not chosen:
            raise UsaidError("images: an empty list; give ids, a number, or None for all")
    if len(chosen) < len(dataset.ids):
        dataset.ids, dataset.subset = chosen, CHOSEN


CHOSEN = "images chosen for this evaluation"
"""What a score file says of them in place of a list of ids; their hash is there, too."""


# ------------------------------------------------------------------------------------------------ what is judged


@dataclass(frozen=True)
class _Network:
    """What is evaluated, as it was given."""

    network: Network
    weights: str | Path | None
    options: dict[str, Any]
    adapt: Adapt | None
    title: str | None

    def built(self, device: torch.device, precision: str) -> tuple[Denoiser, DenoiserEntry]:
        """The denoiser, and what an experiment would say of it."""
        weights = None if self.weights is None else Path(self.weights)
        method: Any = self.network
        if isinstance(self.network, str | Path):
            method, weights = method_and_weights(str(self.network), weights)
        if weights is not None:
            require_weights(weights)
        denoiser = build_denoiser(method, weights, device, precision, self.options, self.adapt)
        name = method if isinstance(method, str) else _name_of(method)
        file = weights if self.weights is None else None  # of a network that was recognised
        entry = DenoiserEntry.model_construct(
            method=name,
            title=self.title or (_title_of(name, denoiser) if file is None else file.stem),
            weights=None if weights is None else str(weights),
            options={key: _recordable(value) for key, value in self.options.items()},
            adapt=self.adapt,
        )
        return denoiser, entry


def _name_of(network: Any) -> str:
    """``"module:name"`` of an object's class, or of a class or function itself."""
    named = network if hasattr(network, "__qualname__") else type(network)
    return f"{named.__module__}:{named.__qualname__}"


def _title_of(method: str, denoiser: Denoiser) -> str:
    if method in METHODS and (facts := METHODS[method].facts) is not None:
        return facts.title
    title = checked_facts(denoiser).title
    return MINE if "<lambda>" in title else title


def _recordable(value: Any) -> Any:
    """A value as a score file can record it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return repr(value)


def _made(network: _Network, experiment: Experiment, benchmark: str, judge_file: Path | None, output: Path) -> Made:
    """All that the scoring needs: images, denoiser and judge."""
    device = pick_device(experiment.device)
    dataset = load_for(experiment, BENCHMARKS[benchmark].dataset, BENCHMARKS[benchmark].split, benchmark)
    judge: Judge = load_object(BENCHMARKS[benchmark].judge)(benchmark, experiment, judge_file, device)
    denoiser, entry = network.built(device, experiment.precision)
    is_of_the_suite = network.title is None and entry.method == network.network and entry.method in METHODS
    name = entry.method if is_of_the_suite else _as_name(str(entry.title))
    experiment = experiment.model_copy(update={"experiment": NAME, "denoisers": {name: entry}})
    code = Dag(experiment).score(benchmark, name).code
    weights = None if entry.weights is None else Path(str(entry.weights))
    job = ScoreJob(experiment, benchmark, name, output, judge_file, weights, code)
    return Made(job, dataset, denoiser, judge, device)


def _as_name(title: str) -> str:
    """A title as an experiment can name a denoiser: ``"My net (v2)"`` -> ``"my_net_v2"``."""
    name = re.sub("[^a-z0-9]+", "_", title.lower()).strip("_")
    return name if name[:1].isalpha() else f"{MINE}_{name}".rstrip("_")
