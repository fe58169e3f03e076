"""The words of a verdict on a printed number or sentence."""

HOLDS = "holds"
DOES_NOT_HOLD = "does not hold"
NOT_CERTAIN = "not certain"
NOT_COMPARABLE = "not comparable"
NOT_TESTED = "not tested"

WORDS = (HOLDS, DOES_NOT_HOLD, NOT_CERTAIN, NOT_COMPARABLE, NOT_TESTED)
"""All of them; a printed number is never "not certain"."""
