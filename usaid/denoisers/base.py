"""What a denoiser is."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from usaid.cards import Facts
from usaid.errors import UsaidError


class Denoiser(ABC):
    """Maps noisy images to denoised images of the same shape.

    What a user brings need not be one: :mod:`usaid.denoisers.adapters` makes one of a function or network. A class of a
    user's own, ``file.py:Class`` or ``module:Class`` in an experiment, may derive from it. Its constructor gets, by
    name, those of ``weights`` (path of a file), ``device`` and ``precision`` (a name of
    :data:`usaid.devices.PRECISIONS`, or ``auto``: its own choice) that it names, and the experiment's ``options``. It
    may have a static or class method ``train(samples, recipe, run)``, for entries with ``train``: ``samples`` are the clean
    images (:class:`usaid.datasets.base.Sample`), ``recipe`` is a :class:`usaid.experiment.model.OwnRecipe`, whose keys
    are attributes, and ``run`` says where to train and which files to write: ``run.weights``, for the constructor,
    ``run.curve`` and ``run.record`` (:class:`usaid.training.loop.Run`; :func:`usaid.training.loop.train` writes them).

    Attributes:
        facts: what Table III says about the method. A class of a user's own has them itself.
        device: where its input has to be.
        deviations: how it differs from what the paper compared with, one sentence each, for the tables' footnotes.
        precision: the number format that it computes in, a name of :data:`usaid.devices.PRECISIONS`.
        record: how it computes, where it chose between ways of the same result; plain data for provenance.
    """

    facts: Facts
    device: torch.device = torch.device("cpu")
    deviations: Sequence[str] = ()
    precision: str = "float32"
    record: Mapping[str, Any] = MappingProxyType({})

    def hears(self, told_sigma: float) -> float | None:
        """What a told noise level comes to: cells of a table that come to the same are computed once.

        Args:
            told_sigma: 0-255 scale.

        Returns:
            None for a blind method, to which it makes no difference; else the level that the method works with.

        Raises:
            UsaidError: the level is not above 0, or the class has no facts.
        """
        return None if checked_facts(self).blind else checked_told_sigma(told_sigma)

    @abstractmethod
    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        """Denoise a batch.

        Args:
            noisy: float32 (B, 3, H, W), a [0, 1] image plus unclipped noise, on ``device``.
            told_sigma: noise level on the 0-255 scale that a non-blind method is told; blind methods ignore it.

        Returns:
            float32 (B, 3, H, W) on ``device``; may leave [0, 1] (metrics clamp).

        Raises:
            UsaidError: a non-blind method is told no noise level, or one that is not above 0.
        """


def checked_facts(denoiser: Denoiser) -> Facts:
    """What Table III says about a denoiser.

    Raises:
        UsaidError: its class, a user's own, has no facts.
    """
    facts = getattr(denoiser, "facts", None)
    if not isinstance(facts, Facts):
        name = type(denoiser).__name__
        cure = f"write in the class: facts = Facts({name!r}, blind=True), or blind=False if it needs the noise level"
        raise UsaidError(f"{name}: has no attribute 'facts' of type usaid.cards.Facts; {cure}")
    return facts


def checked_told_sigma(told_sigma: float | None) -> float:
    """The noise level (0-255 scale) that a non-blind method is told.

    Raises:
        UsaidError: there is none, or it is not a finite number above 0.
    """
    if told_sigma is None:
        raise UsaidError("told sigma is missing: a non-blind method has to be told the noise level, 0-255 scale")
    if not (math.isfinite(told_sigma) and told_sigma > 0):
        raise UsaidError(f"told sigma = {told_sigma:g}: must be a finite number > 0, on the 0-255 scale")
    return float(told_sigma)
