"""What a judge is: it looks at a denoised batch and says for each image what a score can be made from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from usaid.checkpoints import stored_record
from usaid.registries import DATASETS


class Judge(ABC):
    """Scores denoised images.

    Attributes:
        metrics: names of the columns it gives, in order: conventions that are numbers of one image, and statistics
            (confusion counts, matched detections) of which only a whole data set has a score.
        record: what score files record of its network or model, as JSON-able values; none by default.
        deviations: how it differs from the paper's protocol, one sentence each, without a full stop; none by default.
    """

    metrics: tuple[str, ...]
    record: Mapping[str, Any] = MappingProxyType({})
    deviations: Sequence[str] = ()

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
        """Score a batch; a GPU is given its work here, and not waited for (no ``.item()``, ``.tolist()``, ``.cpu()``).

        Args:
            seen: what :meth:`look` returned for it.
            denoised: float32 (B, 3, H, W), may leave [0, 1].
            clean: float32 (B, 3, H, W), values in [0, 1], same device.
            targets: the B targets of the data set.

        Returns:
            Column -> B entries: a tensor on any device whose first dimension is B, or values of which :meth:`finish`
            makes JSON-able ones.
        """

    def finish(self, columns: Mapping[str, Any], targets: Sequence[Any]) -> Mapping[str, Tensor | Sequence[Any]]:
        """Do what the CPU has to do with a scored batch, in a thread behind the device; most have nothing to do.

        Args:
            columns: what :meth:`score` returned, its tensors on the CPU.
            targets: the B targets of the data set.

        Returns:
            Column -> B entries for each of ``metrics``: a tensor on the CPU, or JSON-able values.
        """
        return columns

    def write_findings(self, rows: list[dict[str, Any]], folder: Path) -> None:  # noqa: B027 - most have none
        """Write what others want to read of the rows into files of its own, and drop the columns that only these need.

        Args:
            rows: of one score file; changed in place.
            folder: for these files; made if there are any.
        """


def trained_on_a_part(weights: str | Path, images: str | None = None) -> list[str]:
    """Whether a network was trained here on a part of a data set only, as its weights' file says.

    Args:
        weights: of the network.
        images: ``<data set>/<split>`` that it was trained on; None: the file says it.

    Returns:
        One sentence that says so, without its subject; none for a network that saw all images, or that does not tell.
    """
    training = stored_record(weights)
    images = images or training.get("images")
    if images is None or "n_images" not in training:
        return []
    dataset, split = images.split("/")
    n, official = training["n_images"], DATASETS[dataset].splits[split]
    return [f"trained on {n:,} of the {official:,} images of {dataset}/{split}"] if n < official else []
