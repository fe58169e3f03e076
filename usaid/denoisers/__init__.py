"""The denoisers by name: facts about every method of the paper, and how to build those that exist here."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import torch

from usaid.checkpoints import load_state
from usaid.denoisers.base import Denoiser, Facts
from usaid.errors import UsaidError

_DNCNN = "Zhang et al., Beyond a Gaussian denoiser, TIP 2017"
_USAID = "Wang et al., Segmentation-aware image denoising without knowing true segmentation, 2019"

FACTS: dict[str, Facts] = {
    "noisy": Facts("Noisy", True, False, False, False, "MIT", "none"),
    "clean": Facts("Clean", True, False, False, False, "MIT", "none"),
    "cdncnn_b": Facts("CDnCNN-B", True, True, False, False, "MIT", _DNCNN),
    "s_said": Facts("S-SAID", True, True, True, True, "MIT", "Liu et al., When image denoising meets..., IJCAI 2018"),
    "u_said": Facts("U-SAID", True, True, True, False, "MIT", _USAID),
    "mlp": Facts("MLP", False, True, False, False, "not built yet", "Burger et al., CVPR 2012"),
    "mc_wnnm": Facts("MC-WNNM", False, False, False, False, "not built yet", "Xu et al., ICCV 2017"),
    "cbm3d": Facts("CBM3D", False, False, False, False, "not built yet", "Dabov et al., ICIP 2007"),
}
"""Facts about every method that the paper compares (Table III), by method name."""

MODULES = {
    "noisy": "usaid.denoisers.identity",
    "clean": "usaid.denoisers.identity",
    "cdncnn_b": "usaid.denoisers.dncnn",
    "s_said": "usaid.denoisers.dncnn",
    "u_said": "usaid.denoisers.dncnn",
}
"""The module that implements each method built here."""


def module_of(method: str) -> str:
    """Name of the module that implements a method: one of :data:`MODULES`, or the user's own ``module:Class``.

    Raises:
        UsaidError: the method is not built here and is no ``module:Class``.
    """
    if ":" in method:
        return method.split(":")[0]
    if method not in MODULES:
        raise UsaidError(f"method {method!r} is not built; one of {', '.join(MODULES)}, or your own as module:Class")
    return MODULES[method]


def build_denoiser(
    method: str,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    options: dict[str, Any] | None = None,
) -> Denoiser:
    """Make a denoiser ready to call.

    Args:
        method: a name of :data:`MODULES`, or ``module:Class`` of a :class:`Denoiser` of the user's own, which is
            called with those of ``weights``, ``device``, ``precision`` and ``options`` that its constructor names.
        weights: file of the network's weights; needed by ``cdncnn_b``, ``s_said`` and ``u_said``.
        device: where to compute.
        precision: ``float32`` or ``bfloat16``.
        options: further keyword arguments for the user's own class.

    Raises:
        UsaidError: unknown method, weights missing or wrong, module or class that does not exist.
    """
    module_name = module_of(method)
    if ":" in method:
        offered = {"weights": weights, "device": device, "precision": precision}
        return _build_own(module_name, method.split(":")[1], offered, options or {})
    module = importlib.import_module(module_name)
    if module_name == "usaid.denoisers.identity":
        identity: Denoiser = module.Clean() if method == "clean" else module.Noisy()
        identity.facts, identity.device = FACTS[method], torch.device(device)
        return identity
    if weights is None:
        raise UsaidError(f"method {method!r} needs weights; name their file")
    network = module.dncnn_from_state(load_state(weights), str(weights))
    denoiser: Denoiser = module.DnCNNDenoiser(network, FACTS[method], device, precision)
    return denoiser


def facts_of(method: str) -> Facts:
    """Facts about a method by name, or of a user's own ``module:Class``.

    Raises:
        UsaidError: the class cannot be imported or has no facts.
    """
    if ":" not in method:
        return FACTS[method]
    facts = getattr(_own_class(*method.split(":")), "facts", None)
    if not isinstance(facts, Facts):
        raise UsaidError(f"method {method!r}: the class has no attribute 'facts' of type usaid.denoisers.base.Facts")
    return facts


def _own_class(module_name: str, class_name: str) -> Any:
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise UsaidError(f"method '{module_name}:{class_name}' cannot be imported ({error})") from None


def _build_own(module_name: str, class_name: str, offered: dict[str, Any], options: dict[str, Any]) -> Denoiser:
    denoiser_class = _own_class(module_name, class_name)
    known = inspect.signature(denoiser_class).parameters
    own: Denoiser = denoiser_class(**{key: value for key, value in offered.items() if key in known}, **options)
    return own
