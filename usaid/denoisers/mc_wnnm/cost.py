"""What MC-WNNM costs: decompositions of groups, as many as its parameters ask for."""

from collections.abc import Mapping
from typing import Any

from usaid.costs import Cost
from usaid.experiment.model import TrainingRecipe

DEFAULTS = {"step": 5, "outer_iterations": 6, "admm_iterations": 10, "group": 70, "exact": False}
"""Of :class:`usaid.denoisers.mc_wnnm.denoiser.Parameters`, which a test compares."""


def cost(options: Mapping[str, Any], recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """One decomposition of each group in an outer iteration, or one in each iteration of ADMM where it is exact."""
    own = {**DEFAULTS, **(options.get("parameters") or {})}
    groups = own["outer_iterations"] / own["step"] ** 2 * own["group"] / DEFAULTS["group"]
    decompositions = groups * (own["admm_iterations"] if own["exact"] else 1)
    return Cost(pixel={"decompositions": decompositions / 1e3}, image={"call": 1}, memory=4000)
