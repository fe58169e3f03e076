"""The two sides of a comparison: which score files are a denoiser's, its further noise draws and training seeds."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from usaid.errors import UsaidError
from usaid.experiment.seeds import without_seed
from usaid.scores.draws import is_of_further_draws, score_file_name, with_further_draws
from usaid.scores.files import Scores, read_scores

Side = Scores | str | Path | Sequence[Scores | str | Path]
"""The scores of a denoiser: one score file, or several of further noise draws or training seeds."""


class ScoreFile(NamedTuple):
    """Scores, and what messages call their file."""

    file: str
    scores: Scores

    @property
    def provenance(self) -> Mapping[str, Any]:
        """That of the scores."""
        return self.scores.provenance

    @property
    def seed(self) -> int | None:
        """The training seed of the denoiser; None: it was not trained in the experiment."""
        seed: int | None = self.provenance["entry"].get("train", {}).get("seed")
        return seed


def denoisers_of(side: Side, several_seeds: bool) -> list[ScoreFile]:
    """The scores of a side, those of further draws joined to the others: one denoiser, or one for each training seed.

    Args:
        side: score files or their paths.
        several_seeds: whether there may be several denoisers.

    Raises:
        UsaidError: no file, one that cannot be read or was not scored; further draws of another denoiser; or
            several that are not trained alike but for the seed.
    """
    parts = [side] if isinstance(side, Scores | str | Path) else [*side]
    if not parts:
        raise UsaidError("compare: one of the two sides has no score file; give one or several for each")
    files = _with_draws([_read(part) for part in parts])
    for own in files:
        if (failure := own.provenance["failure"]) is not None:
            raise UsaidError(f"{own.file}: not scored: {failure}; score it again")
    for one, other in combinations(files, 2):
        reason = _why_not_alike(one, other)
        if reason is None and not several_seeds:
            reason = "several training seeds; compare over seeds or all, or give one"
        if reason is not None:
            raise UsaidError(f"{one.file} and {other.file}: {reason}")
    return files


def _read(part: Scores | str | Path) -> ScoreFile:
    """Scores that were read already are called by their place in the results of their experiment."""
    if part == "":
        raise UsaidError("compare: the path of one of the two sides is empty; give a score file")
    if isinstance(part, str | Path):
        return ScoreFile(str(part), read_scores(part))
    return ScoreFile(f"{part.provenance['experiment']}/scores/{score_file_name(part.provenance)}", part)


def _with_draws(files: Sequence[ScoreFile]) -> list[ScoreFile]:
    """The main score files, each with its further draws; or those of further draws, if there are no others."""
    main = [own for own in files if not is_of_further_draws(own.provenance)]
    if not main:
        return [*files]
    for further in (own for own in files if is_of_further_draws(own.provenance)):
        owners = [own for own in main if _denoiser(own) == _denoiser(further)]
        if not owners:
            raise UsaidError(f"{further.file}: further draws of another denoiser than {main[0].file}; give its own")
        owner = owners[0]
        main[main.index(owner)] = owner._replace(scores=with_further_draws(owner.scores, further.scores))
    return main


def _denoiser(own: ScoreFile) -> tuple[str, str]:
    return own.provenance["experiment"], own.provenance["denoiser"]


def _why_not_alike(one: ScoreFile, other: ScoreFile) -> str | None:
    """Why two files of one side are not of denoisers that are trained alike but for the seed; None: they are."""
    entries = [without_seed(own.provenance["entry"]) for own in (one, other) if own.seed is not None]
    if len(entries) < 2 or entries[0] != entries[1]:
        return "of one side, but not trained alike but for the seed; give one, or compare them with each other"
    return f"both trained with seed {one.seed}; give one" if one.seed == other.seed else None
