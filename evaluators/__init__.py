"""The judges: image quality, segmentation, classification and detection, and the networks that judge.

``evaluate`` scores one's own denoiser in one call (:func:`evaluators.one_call.evaluate`); torch waits until it is asked
for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluators.one_call import evaluate

__all__ = ["evaluate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("evaluators.one_call"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
