"""What a judge is: it looks at a denoised batch and says for each image what a score can be made from."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor


class Judge(ABC):
    """Scores denoised images.

    Attributes:
        metrics: names of the columns it gives, in order: conventions that are numbers of one image, and statistics
            (confusion counts, matched detections) of which only a whole data set has a score.
        facts: what score files record of its network or model, as JSON-able values.
        deviations: how it differs from the paper's protocol, one sentence each.
    """

    metrics: tuple[str, ...]
    facts: dict[str, Any]
    deviations: list[str]

    def look(self, denoised: Tensor) -> Any:
        """What the judge's network sees in a batch; None for a judge without a network.

        Args:
            denoised: float32 (B, 3, H, W), may leave [0, 1].
        """
        return None

    @abstractmethod
    def score(
        self, seen: Any, denoised: Tensor, clean: Tensor, targets: Sequence[Any]
    ) -> dict[str, Tensor | Sequence[Any]]:
        """Score a batch.

        Args:
            seen: what :meth:`look` returned for it.
            denoised: float32 (B, 3, H, W), may leave [0, 1].
            clean: float32 (B, 3, H, W), values in [0, 1], same device.
            targets: the B targets of the data set.

        Returns:
            Column -> B entries: a tensor on any device whose first dimension is B, or JSON-able values.
        """

    def write_findings(self, rows: list[dict[str, Any]], folder: Path) -> None:  # noqa: B027 - most have none
        """Write what others want to read of the rows into files of its own, and drop the columns that only these need.

        Args:
            rows: of one score file; changed in place.
            folder: for these files; made if there are any.
        """
