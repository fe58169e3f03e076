"""What a score job is: which score file is made, and from what."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.scoring.conditions import Condition, conditions_of
from evaluators.scoring.shard import WHOLE, Shard, shard_of
from usaid.denoisers.base import Denoiser
from usaid.registries import BENCHMARKS

if TYPE_CHECKING:
    from usaid.cards import Benchmark
    from usaid.experiment.benchmark import BenchmarkSettings
    from usaid.experiment.experiment import DenoiserEntry, Experiment


@dataclass(frozen=True)
class ScoreJob:
    """Which score file is made, and from what.

    Attributes:
        experiment: says how.
        benchmark: one of its benchmarks.
        denoiser: one of its denoisers, or a variant of its ablation.
        output: the score file.
        judge_file: what the judge reads: NIQE's pristine model, or the weights of its network; None: nothing.
        weights: the denoiser's, if it has any.
        code_hash: of the code that the scores depend on; rows in a journal of other code are computed anew.
        draws: the further noise draws that the file is of, at Table X's sigma alone, told the truth; None: it is the
            denoiser's main score file, of all sigmas and draws of the benchmark's settings.
        shard: the part of the images that it is of; ``output`` is then no score file, but a part of one.
    """

    experiment: "Experiment"
    benchmark: str
    denoiser: str
    output: Path
    judge_file: Path | None
    weights: Path | None = None
    code_hash: str = ""
    draws: range | None = None
    shard: Shard = WHOLE

    @property
    def card(self) -> "Benchmark":
        """The benchmark's card."""
        return BENCHMARKS[self.benchmark]

    @property
    def entry(self) -> "DenoiserEntry":
        """The denoiser's entry in the experiment."""
        return self.experiment.entries[self.denoiser]

    @property
    def settings(self) -> "BenchmarkSettings":
        """What of the benchmark's settings is scored."""
        of = self.experiment.settings_of if self.draws is None else self.experiment.settings_of_draws
        return of(self.benchmark, self.denoiser)

    @property
    def subset(self) -> str | None:
        """The list of ids that it is scored on; None: all images of the split."""
        of_draws = self.draws is not None
        return self.experiment.subset_of(self.card.dataset, self.card.split, self.benchmark, of_draws)

    def conditions(self, denoiser: Denoiser) -> list[Condition]:
        """What the denoiser is scored under."""
        draws = range(self.settings.draws) if self.draws is None else self.draws
        return conditions_of(denoiser, self.settings.sigmas, draws, self.settings.told_sigmas)


def score_job(experiment: "Experiment", part: Mapping[str, Any]) -> ScoreJob:
    """What a job of the workflow makes that is told of a score file.

    Args:
        experiment: says how.
        part: as :meth:`evaluators.dag.scores.Scores.part` has it.
    """
    benchmark, denoiser, *shard = part["wildcards"]
    settings = part["settings"]
    return ScoreJob(
        experiment,
        benchmark,
        denoiser,
        output=Path(part["output"]),
        judge_file=_path(settings["judge_file"]),
        weights=_path(settings["weights"]),
        code_hash=part["code"],
        draws=range(*settings["draws"]) if "draws" in settings else None,
        shard=shard_of(*shard) if shard else WHOLE,
    )


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)
