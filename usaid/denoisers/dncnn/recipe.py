"""How a DnCNN is trained: as any denoiser, and its size."""

from typing import Annotated

from pydantic import Field

from usaid.denoisers.training.recipe import Loss, NetworkRecipe
from usaid.experiment.model import Count, Integer


class Recipe(NetworkRecipe):
    """How a denoiser is trained (paper section III; PROTOCOL section 1).

    ``recipe`` names where the keys come from that are not given.
    """

    depth: Annotated[Integer, Field(ge=3)] = 20
    """Convolutions of the DnCNN."""
    features: Count = 64
    """Channels of the DnCNN."""

    def loss_of(self, method: str) -> Loss:
        return _LOSSES[method]


_LOSSES: dict[str, Loss] = {"cdncnn_b": "mse", "s_said": "supervised", "u_said": "unsupervised"}
