"""What an experiment says of one comparison that a sentence makes: the effect in the claimed direction, how sure."""

from dataclasses import dataclass

from usaid.paper.claims import Claim, Part
from usaid.report.statistics.estimates import Estimate

OF_FACTS = "facts of the methods"
"""The test of a comparison of facts: there is no chance in it."""


@dataclass(frozen=True)
class Finding:
    """A part of a claim, and what the scores say of it.

    Attributes:
        part: the comparison.
        estimate: of the one denoiser minus the other, in the metric's own direction; None: there is none.
        missing: why there is none, or why it cannot be tested; None: it is tested.
        files: the score files behind it, ``"kodak_quality/u_said.parquet"``.
        differs: in what these differ from what the paper measured.
    """

    part: Part
    estimate: Estimate | None = None
    missing: str | None = None
    files: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()

    @property
    def is_fact(self) -> bool:
        """Whether it compares facts, not scores."""
        return self.estimate is not None and self.estimate.test == OF_FACTS

    @property
    def effect(self) -> float | None:
        """By how much the one is better than the other; below 0: it is worse."""
        return None if self.estimate is None else self.part.sign * self.estimate.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the effect."""
        if self.estimate is None or self.estimate.low is None or self.estimate.high is None:
            return None
        low, high = sorted(self.part.sign * end for end in (self.estimate.low, self.estimate.high))
        return low, high

    def margin_left(self, claim: Claim) -> float:
        """How far the effect is on the claimed side; below 0: it is on the other. Only of what is tested."""
        assert self.effect is not None
        return self.effect - self.part.by if claim.significant else -self.part.by - abs(self.effect)

    def p_for(self, claim: Claim) -> float:
        """p-value of the part not being as claimed: a small one says that it is. Only of what is tested.

        One-sided; of a sentence on p-values two-sided, as the paper's are. That two denoisers are comparable is tested
        by two one-sided tests (D. Schuirmann, J. Pharmacokin. Biopharm. 15, 1987).
        """
        if not claim.significant:
            return max(self._above(self.part.by), self._below(-self.part.by))
        return min(1.0, self._sides(claim) * self._above(self.part.by))

    def p_against(self, claim: Claim) -> float:
        """p-value of the part being as claimed: a small one says that it is not. Only of what is tested.

        That two denoisers do not differ significantly is refuted by a difference that is significant.
        """
        if self.is_fact:
            return 1 - self.p_for(claim)
        if not claim.significant:
            return min(1.0, 2 * min(self._above(0), self._below(0)))
        return min(1.0, self._sides(claim) * self._below(self.part.by))

    def _sides(self, claim: Claim) -> int:
        return 2 if claim.over_draws else 1

    def _above(self, margin: float) -> float:
        """p-value of the effect being at most a margin."""
        assert self.estimate is not None
        up = self.part.sign > 0
        p_value = self.estimate.p_above(margin) if up else self.estimate.p_below(-margin)
        assert p_value is not None
        return p_value

    def _below(self, margin: float) -> float:
        """p-value of the effect being at least a margin."""
        assert self.estimate is not None
        up = self.part.sign > 0
        p_value = self.estimate.p_below(margin) if up else self.estimate.p_above(-margin)
        assert p_value is not None
        return p_value
