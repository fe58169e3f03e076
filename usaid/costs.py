"""What work costs, whichever machine does it: amounts of kinds of work, for which a machine has rates.

A card's ``cost`` names a function that says it; the files are called ``cost.py`` and stand beside what they are about.
No result depends on them, so no code hash follows them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

Work = Mapping[str, float]
"""Kind of work, a name that machines have rates for (``evaluators/plan/rates/``) -> amount in the unit of that rate."""

NOTHING: Work = {}


@dataclass(frozen=True)
class Cost:
    """What a denoiser or a judge costs.

    Attributes:
        pixel: work for each pixel of an image, each time that it is denoised or judged.
        image: work for each image, each time, whatever its size.
        training: all of its training; empty: it is not trained.
        weights: bytes of its weights.
        memory: bytes that a process needs at its peak for each pixel of an image.
        training_memory: bytes that its training needs at the peak, beside what every process needs.
        uses_device: it computes on the experiment's device; False: always on the CPU.
    """

    pixel: Work = field(default_factory=dict)
    image: Work = field(default_factory=dict)
    training: Work = field(default_factory=dict)
    weights: float = 0.0
    memory: float = 100.0
    training_memory: float = 0.0
    uses_device: bool = True


def together(*works: Work) -> dict[str, float]:
    """The sum of some work."""
    total: Counter[str] = Counter()
    for work in works:
        total.update(work)
    return dict(total)


def times(factor: float, work: Work) -> dict[str, float]:
    """Some work so many times."""
    return {kind: factor * amount for kind, amount in work.items()}
