"""Verdicts on sentences: from p-values of their parts to one of each, corrected for how many sentences are tested."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from usaid.paper.claims import SIGNIFICANT, Claim, InPrint, Part, verdict_of_print
from usaid.report.claims.findings import Finding
from usaid.report.statistics.estimates import Over
from usaid.report.statistics.inference import holm
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_CERTAIN, NOT_COMPARABLE, NOT_TESTED


class Units(NamedTuple):
    """Units of a source of chance.

    Attributes:
        needed: how many would find an effect, were it the only source.
        known: how many there are.
    """

    needed: int
    known: int


UnitsNeeded = Callable[[Part, float, float], Mapping[Over, Units]]
"""Part, effect, level of a two-sided test -> source of chance -> how many units of it would find the effect."""


@dataclass(frozen=True)
class JudgedClaim:
    """A sentence with its verdict.

    Attributes:
        claim: the sentence.
        findings: on its parts, in their order.
        in_print: whether it follows from the paper's own tables.
        verdict: one of :data:`usaid.report.verdict_words.WORDS`.
        p: p-value of the sentence not holding; where it does not hold, of it holding. None: not tested.
        p_corrected: Holm's, over ``family_size`` sentences; None: not tested, or a matter of facts.
        family_size: how many are tested in the same direction.
        decisive: the part that decides: the weakest of those that the sentence needs, or of those that refute it; None:
            no part has an estimate.
        beside: of a sentence on another network, what the scores say of U-SAID against CDnCNN-B in the same places, in
            the order of ``findings``; empty: it is no such sentence, or there is no such network.
        needed: of what is not certain, source of chance -> how many units it would take for the part that decides, if
            the other sources were none.
    """

    claim: Claim
    findings: tuple[Finding, ...]
    in_print: InPrint
    verdict: str
    p: float | None = None
    p_corrected: float | None = None
    family_size: int = 0
    decisive: Finding | None = None
    beside: tuple[Finding, ...] = ()
    needed: Mapping[Over, Units] = field(default_factory=dict)

    @property
    def tested(self) -> list[Finding]:
        """The findings that have a p-value."""
        return [finding for finding in self.findings if finding.is_tested]

    @property
    def lacking(self) -> dict[Over, int]:
        """Of ``needed``, the sources that have fewer units, with how many it would take."""
        return {over: units.needed for over, units in self.needed.items() if units.needed > units.known}

    @property
    def n_as_claimed(self) -> int:
        """How many of the tested parts have their effect on the claimed side, sure or not."""
        return sum(finding.margin_left(self.claim) > 0 for finding in self.tested)

    @property
    def p_of_tested(self) -> float | None:
        """As ``p``, of the tested parts alone, all or most of them; None: none is tested."""
        p_values, n = [finding.p_for(self.claim) for finding in self.tested], len(self.tested)
        return _at_least(n if self.claim.needs == "all" else n // 2 + 1, n, p_values) if n else None

    @property
    def differs(self) -> tuple[str, ...]:
        """In what the scores differ from what the paper measured; first what is first of a part: sample, convention."""
        places: dict[str, int] = {}
        for finding in self.findings:
            for place, text in enumerate(finding.differs):
                places[text] = min(place, places.get(text, place))
        return tuple(sorted(places, key=places.__getitem__))

    @property
    def conventions(self) -> tuple[str, ...]:
        """The metrics' conventions that the verdict rests on, of those that are not the paper's.

        Where the sentence does not hold, it rests on the parts that are not as claimed; where it is open, on none.
        """
        if self.verdict in (NOT_COMPARABLE, NOT_TESTED):
            return ()
        refuted = self.verdict == DOES_NOT_HOLD
        found = [own for own in self.tested if not (refuted and own.margin_left(self.claim) > 0)]
        return tuple(dict.fromkeys(own.convention for own in found if own.convention))

    @property
    def files(self) -> tuple[str, ...]:
        """The score files behind the verdict."""
        return tuple(dict.fromkeys(file for finding in self.findings for file in finding.files))


@dataclass(frozen=True)
class _Tested:
    """The two p-values of a claim that Holm's correction is about; None: what is tested cannot decide it so."""

    claim: Claim
    findings: tuple[Finding, ...]
    p_for: float | None
    p_against: float | None


def judge(
    claims: Sequence[Claim],
    finding: Callable[[Part], Finding],
    units_needed: UnitsNeeded,
) -> list[JudgedClaim]:
    """The verdict on each claim.

    A claim that at least k of its m parts hold has the p-value (m - k + 1) p_(k) of its ordered p-values, those of
    parts that are missing or not comparable 1 (Y. Benjamini, R. Heller, Biometrics 64, 2008: partial conjunction); that
    at least m - k + 1 of them do not, likewise. Both are corrected by Holm's method, each over the claims that can be
    decided so; facts do not count.

    * ``does not hold``, ``holds``: a corrected p-value is below 0.05.
    * ``not comparable``: it could not hold without parts that are not comparable.
    * ``not tested``: parts are missing, and the others do not decide.
    * ``not certain``: all else.

    Args:
        claims: all of a family.
        finding: part -> what the scores say of it.
        units_needed: how many units would find an effect.
    """
    tested = [_tested(claim, tuple(map(finding, claim.parts))) for claim in claims]
    counted = [own for own in tested if not _are_facts(own.findings)]
    corrected_for = _corrected({own.claim.id: own.p_for for own in counted})
    corrected_against = _corrected({own.claim.id: own.p_against for own in counted})
    judged = []
    for own in tested:
        p_for, p_against = corrected_for.get(own.claim.id), corrected_against.get(own.claim.id)
        verdict = _verdict(own, p_for, p_against)
        if verdict == DOES_NOT_HOLD:
            judged.append(_judged(own, verdict, p_against, len(corrected_against)))
        else:
            judged.append(_judged(own, verdict, p_for, len(corrected_for)))
    return [_with_needed(own, units_needed) for own in judged]


def _corrected(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's p-values of the claims that have one, by their ids."""
    known = {name: p_value for name, p_value in p_values.items() if p_value is not None}
    return dict(zip(known, holm([*known.values()]), strict=True))


def _tested(claim: Claim, findings: tuple[Finding, ...]) -> _Tested:
    known = [finding for finding in findings if finding.is_tested]
    n, k = len(claim.parts), claim.n_needed
    return _Tested(
        claim,
        findings,
        _at_least(k, n, [finding.p_for(claim) for finding in known]),
        _at_least(n - k + 1, n, [finding.p_against(claim) for finding in known]),
    )


def _at_least(k: int, n: int, p_values: Sequence[float]) -> float | None:
    """p-value of less than k of n parts being true; None: too few are tested."""
    return min(1.0, (n - k + 1) * sorted(p_values)[k - 1]) if len(p_values) >= k else None


def _are_facts(findings: Sequence[Finding]) -> bool:
    return all(finding.is_fact for finding in findings)


def _verdict(tested: _Tested, p_for: float | None, p_against: float | None) -> str:
    if _are_facts(tested.findings):
        p_for, p_against = tested.p_for, tested.p_against
    if p_against is not None and p_against < SIGNIFICANT:
        return DOES_NOT_HOLD
    if p_for is not None and p_for < SIGNIFICANT:
        return HOLDS
    if sum(finding.not_comparable is None for finding in tested.findings) < tested.claim.n_needed:
        return NOT_COMPARABLE
    return NOT_TESTED if any(finding.missing is not None for finding in tested.findings) else NOT_CERTAIN


def _judged(tested: _Tested, verdict: str, p_corrected: float | None, family_size: int) -> JudgedClaim:
    claim, findings = tested.claim, tested.findings
    refuted = verdict == DOES_NOT_HOLD
    judged = JudgedClaim(
        claim, findings, verdict_of_print(claim), verdict, decisive=_decisive(claim, findings, refuted)
    )
    if _are_facts(findings):
        return judged
    p_value = tested.p_against if refuted else tested.p_for
    return replace(
        judged, p=p_value, p_corrected=p_corrected, family_size=family_size if p_corrected is not None else 0
    )


def _decisive(claim: Claim, findings: Sequence[Finding], refuted: bool) -> Finding | None:
    """The part whose p-value is that of the claim; where parts are missing, the weakest that is tested, else known."""
    known = [finding for finding in findings if finding.missing is None]
    known = [finding for finding in known if finding.is_tested] or known
    if not known:
        return None

    def strength(finding: Finding) -> tuple[float, float]:
        """The p-value, and where it is 0 how many standard errors there are."""
        assert finding.estimate is not None
        distance = finding.margin_left(claim) / finding.estimate.error if finding.estimate.error else 0.0
        return (finding.p_against(claim), distance) if refuted else (finding.p_for(claim), -distance)

    n_asked = len(claim.parts) - claim.n_needed + 1 if refuted else claim.n_needed
    return sorted(known, key=strength)[min(n_asked, len(known)) - 1]


def _with_needed(judged: JudgedClaim, units_needed: UnitsNeeded) -> JudgedClaim:
    """With the units that the part that decides would need, at Holm's strictest level of the family."""
    if judged.verdict != NOT_CERTAIN or judged.decisive is None:
        return judged
    effect = judged.decisive.margin_left(judged.claim)
    level = SIGNIFICANT / max(judged.family_size, 1) * 2 / judged.claim.sides
    return replace(judged, needed=units_needed(judged.decisive.part, effect, level)) if effect > 0 else judged
