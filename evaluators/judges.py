"""What a judge is: it looks at a denoised batch and gives one number per image and metric."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor


class Judge(ABC):
    """Scores denoised images.

    Attributes:
        metrics: names of the conventions it reports, in order.
        facts: what score files record of its network or model, as JSON-able values.
        deviations: how it differs from the paper's protocol, one sentence each.
    """

    metrics: tuple[str, ...]
    facts: dict[str, Any]
    deviations: list[str]

    @abstractmethod
    def __call__(self, denoised: Tensor, clean: Tensor, targets: Sequence[Any]) -> dict[str, Tensor]:
        """Score a batch.

        Args:
            denoised: float32 (B, 3, H, W), may leave [0, 1].
            clean: float32 (B, 3, H, W), values in [0, 1], same device.
            targets: the B targets of the data set.

        Returns:
            metric name -> float (B,), on any device.
        """
