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
        estimate: by how much the one is better than the other, whether higher or lower scores are; below 0: it is
            worse; None: there is none.
        missing: why there is none, or why it cannot be tested.
        not_comparable: why it says nothing about the paper: generated images, a denoiser with weights of ours in place
            of its authors', or a margin in another convention.
        files: the score files behind it, ``"kodak_quality/u_said.parquet"``.
        differs: in what these differ from what the paper measured.
        convention: how the metric was computed, where the paper computed it otherwise: ``"niqe_live"``; empty: alike.
    """

    part: Part
    estimate: Estimate | None = None
    missing: str | None = None
    not_comparable: str | None = None
    files: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    convention: str = ""

    @property
    def is_tested(self) -> bool:
        """Whether it has p-values that count."""
        return self.missing is None and self.not_comparable is None

    @property
    def is_fact(self) -> bool:
        """Whether it compares facts, not scores."""
        return self.estimate is not None and self.estimate.test == OF_FACTS

    def margin_left(self, claim: Claim) -> float:
        """How far the effect is on the claimed side; below 0: it is on the other. Only where nothing is missing."""
        effect = self._known.value
        return effect - self.part.by if claim.significant else -self.part.by - abs(effect)

    def p_for(self, claim: Claim) -> float:
        """p-value of the part not being as claimed: a small one says that it is. Only where nothing is missing.

        One-sided; of a sentence on p-values two-sided, as the paper's are. That two denoisers are comparable is tested
        by two one-sided tests (D. Schuirmann, J. Pharmacokin. Biopharm. 15, 1987).
        """
        if not claim.significant:
            return max(_p_above(self._known, self.part.by), _p_above(self._known.negated, self.part.by))
        return min(1.0, claim.sides * _p_above(self._known, self.part.by))

    def p_against(self, claim: Claim) -> float:
        """p-value of the part being as claimed: a small one says that it is not. Only where nothing is missing.

        That two denoisers do not differ significantly is refuted by a difference that is significant.
        """
        if self.is_fact:
            return 1 - self.p_for(claim)
        if not claim.significant:
            return min(1.0, 2 * min(_p_above(self._known, 0), _p_above(self._known.negated, 0)))
        return min(1.0, claim.sides * _p_above(self._known.negated, -self.part.by))

    @property
    def _known(self) -> Estimate:
        assert self.estimate is not None
        return self.estimate


def _p_above(effect: Estimate, margin: float) -> float:
    """One-sided p-value of an effect being at most a margin: Student's t, and no less than that of its own test of 0.

    The own test of a score of the whole data set is a permutation test. Student's t on the bootstrap's error is liberal
    where classes are rare.
    """
    p_value = effect.p_above(margin)
    assert p_value is not None
    if margin != 0 or effect.p is None:
        return p_value
    return max(p_value, effect.p / 2 if effect.value > 0 else 1 - effect.p / 2)
