"""Trains a network of a user's own, a blind ``nn.Module``, by one of the paper's three losses."""

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from usaid.datasets.base import Sample
from usaid.denoisers.code import code_of
from usaid.denoisers.facts import TOLD_SIGMA, hears_told_sigma
from usaid.denoisers.training.segmentation_loss import Denoise
from usaid.denoisers.training.training import train_network
from usaid.errors import UsaidError, is_signal
from usaid.own_files import described
from usaid.training.loop import Run

if TYPE_CHECKING:
    from usaid.denoisers.training.recipe import OwnNetworkRecipe
    from usaid.experiment.adapt import Adapt
    from usaid.experiment.denoiser_entry import DenoiserEntry


def train_own_network(entry: "DenoiserEntry", samples: Iterable[Sample], recipe: "OwnNetworkRecipe", run: Run) -> None:
    """Train the network of an entry.

    Its first weights are its own, drawn after ``torch.manual_seed(recipe.seed)``; dropout, if it has some, draws on
    from there. BatchNorm sees the statistics of the batches. What is written is its state.

    Args:
        entry: its method is an ``nn.Module`` class, called with the entry's options; its ``adapt`` says what the
            network predicts, in which range, and by what its sides are divided.
        samples: clean training images; the supervised loss also needs their label maps.
        recipe: how.
        run: its name is the method.

    Raises:
        UsaidError: no such class, a network that cannot be made, that is not blind, that has nothing to learn or
            returns something else than its patches, a patch that its sides do not allow, or as
            :func:`usaid.denoisers.training.training.train_network`.
    """
    adapt = entry.adapt
    if adapt is not None:
        _check_adapt(adapt, recipe.patch, run.title)
    network = own_network(entry.method, entry.card.denoiser, entry.options, recipe.seed)
    if hears_told_sigma(network) and (adapt is None or adapt.told_as is None):
        cure = "only blind networks are trained by a recipe; drop it, or say adapt: {told_as: nothing}"
        raise UsaidError(f"{run.title}: the network has a parameter {TOLD_SIGMA}; {cure}")
    denoise = called_as(adapt)
    _check_network(network, denoise, recipe.patch, run.title)
    train_network(network, denoise, samples, recipe, run, entry.network)


def own_network(method: str, name: str, options: Mapping[str, Any], seed: int) -> nn.Module:
    """A network of a user's own class with its first weights.

    Args:
        method: what errors call it.
        name: ``"module:Class"``.
        options: its constructor arguments.
        seed: of torch's generators before the class is called.

    Raises:
        UsaidError: no class of networks, or whatever it raises.
    """
    network_class = code_of(method, name)
    if not (isinstance(network_class, type) and issubclass(network_class, nn.Module)):
        cure = "name the class of the network, or give your class a static method 'train'"
        raise UsaidError(f"method {method!r}: is no torch.nn.Module class, so no recipe trains it; {cure}")
    try:
        torch.manual_seed(seed)
        network: nn.Module = network_class(**options)
    except UsaidError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's code raises anything
        if is_signal(error):
            raise
        raise UsaidError(f"method {method!r}: cannot be made ({described(error)}); see its 'options'") from error
    return network


def called_as(adapt: "Adapt | None") -> Denoise:
    """How a network is called on a batch of noisy images in [0, 1], so that a batch of denoised ones comes back."""
    if adapt is None:
        return lambda network, noisy: network(noisy).float()
    scale, grey, predicts_noise = adapt.value_range, adapt.channels == "grey", adapt.predicts == "noise"

    def denoise(network: nn.Module, noisy: Tensor) -> Tensor:
        seen = noisy.reshape(-1, 1, *noisy.shape[2:]) if grey else noisy
        out: Tensor = network(seen * scale).float() / scale
        denoised = seen - out if predicts_noise else out
        return denoised.reshape(noisy.shape) if grey and denoised.shape == seen.shape else denoised

    return denoise


def _check_adapt(adapt: "Adapt", patch: int, title: str) -> None:
    """Refuse what cannot be trained by patches of this side."""
    if adapt.told_as in ("argument", "tensor", "map"):
        raise UsaidError(f"{title}: adapt says told_as = {adapt.told_as}; only blind networks are trained by a recipe")
    if patch % adapt.divisible_by:
        fitting = -(-patch // adapt.divisible_by) * adapt.divisible_by
        raise UsaidError(
            f"{title}: adapt says divisible_by = {adapt.divisible_by}; set 'patch' = {fitting}, not {patch}"
        )


def _check_network(network: nn.Module, denoise: Denoise, patch: int, title: str) -> None:
    """Try a network on black patches: as it is in evaluation, then a copy of it as it is in training.

    It draws and learns nothing by that.
    """
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise UsaidError(f"{title}: the network has no parameters to learn")
    with torch.random.fork_rng(devices=[]):
        _try_patches(network.eval(), denoise, patch, title)  # before it is copied: lazy layers get their shapes
        _try_patches(copy.deepcopy(network).train(), denoise, patch, title)
    if others := [key for key, value in network.state_dict().items() if not isinstance(value, Tensor)]:
        raise UsaidError(f"{title}: the network's state holds more than tensors ({others[0]!r}); weights files do not")


def _try_patches(network: nn.Module, denoise: Denoise, patch: int, title: str) -> None:
    black = torch.zeros(2, 3, patch, patch)
    try:
        with torch.set_grad_enabled(network.training):
            denoised = denoise(network, black.clone())
    except Exception as error:  # a stranger's code raises anything
        cure = "it is called with nothing but the patch; see 'patch' and 'adapt'"
        raise UsaidError(f"{title}: the network fails on a patch ({described(error)}); {cure}") from error
    if denoised.shape != black.shape:
        cure = "it has to keep the shape; see 'adapt'"
        made = f"{tuple(denoised.shape)} of patches of {tuple(black.shape)}"
        raise UsaidError(f"{title}: the network makes {made}; {cure}")
    if network.training and not denoised.requires_grad:
        raise UsaidError(f"{title}: no gradient reaches the network's parameters; compute without no_grad and detach")
