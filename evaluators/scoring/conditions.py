"""Under which conditions a denoiser is scored: noise level, noise draw, and what a non-blind method is told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from usaid.denoisers.base import Denoiser, checked_facts
from usaid.errors import UsaidError, reason_of


class Condition(NamedTuple):
    """What an image is denoised under: computed once, whatever was told that comes to the same.

    Attributes:
        sigma: noise level, 0-255 scale.
        draw: index of the noise realisation.
        told: the noise levels, 0-255 scale, that the denoiser is told with the same outcome, each a row of the score
            file; (None,): it is blind.
    """

    sigma: float
    draw: int
    told: tuple[float | None, ...]

    @property
    def computed(self) -> tuple[float, int, float | None]:
        """Sigma, draw and the one level that the denoiser is told: conditions that share it share the output."""
        return self.sigma, self.draw, self.told[0]

    @property
    def level(self) -> tuple[float, tuple[float | None, ...]]:
        """Sigma and what is told: rows of all draws of a level are shown together, or none of them."""
        return self.sigma, self.told


def failed_levels(failed: Mapping[tuple[float, tuple[float | None, ...]], Exception]) -> list[dict[str, Any]]:
    """What a score file says of the levels that it lacks: sigma, what was told (None: nothing), and why."""
    return [
        {"sigma": sigma, "told_sigma": level, "reason": reason_of(error)}
        for (sigma, told), error in failed.items()
        for level in told
    ]


def conditions_of(
    denoiser: Denoiser, sigmas: Sequence[float], draws: Iterable[int], told_sigmas: Sequence[float | str]
) -> list[Condition]:
    """The conditions that a denoiser is scored under.

    Args:
        denoiser: says what a told level comes to.
        sigmas: noise levels, 0-255 scale.
        draws: indices of the noise realisations of each.
        told_sigmas: what a non-blind method is told: noise levels, or ``"oracle"`` for the true one.

    Returns:
        also those of levels that the denoiser cannot be told, which :func:`refused` finds.

    Raises:
        UsaidError: the denoiser's class has no facts.
    """
    checked_facts(denoiser)
    conditions, draws = [], tuple(draws)
    for sigma in sigmas:
        levels = dict.fromkeys(float(sigma if told == "oracle" else told) for told in told_sigmas)
        told: dict[float | None, list[float | None]] = {}
        for level in levels:
            told.setdefault(_heard(denoiser, level), []).append(level)
        alike = [(None,) if heard is None else tuple(same) for heard, same in told.items()]
        conditions += [Condition(float(sigma), draw, same) for draw in draws for same in alike]
    return conditions


def refused(denoiser: Denoiser, conditions: Iterable[Condition]) -> Iterator[tuple[Condition, UsaidError]]:
    """The conditions whose level a denoiser cannot be told, as none is told a sigma of 0, and why."""
    for condition in conditions:
        try:
            if condition.told[0] is not None:
                denoiser.hears(condition.told[0])
        except UsaidError as error:
            yield condition, error


def _heard(denoiser: Denoiser, level: float) -> float | None:
    """What a level comes to; itself, where the denoiser cannot be told it."""
    try:
        return denoiser.hears(level)
    except UsaidError:
        return level
