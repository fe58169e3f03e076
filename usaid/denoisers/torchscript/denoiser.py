"""A TorchScript file as a denoiser."""

import warnings
from pathlib import Path

import torch

from usaid.checkpoints import first_line, require_weights
from usaid.denoisers.facts import DerivedFacts
from usaid.denoisers.network_files import FromFile
from usaid.errors import UsaidError


class TorchScript(FromFile):
    """A network that ``torch.jit.save`` wrote, traced or scripted. A traced one may know one size of images only."""

    facts = DerivedFacts("TorchScript", deep_learning=True)

    def __init__(self, weights: str | Path, device: torch.device | str = "cpu", precision: str = "float32") -> None:
        """
        Args:
            weights: the file.
            device: where to compute.
            precision: ``tf32``, or float32.

        Raises:
            UsaidError: there is no such file, or it is no TorchScript.
        """
        require_weights(Path(weights))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch advises another format
                network = torch.jit.load(str(weights), map_location=device)
        except Exception as error:  # damaged archives raise anything
            cure = "save it with torch.jit.save(torch.jit.script(network), file)"
            raise UsaidError(f"{weights}: not readable as TorchScript ({first_line(error)}); {cure}") from None
        super().__init__(weights, network, device=device, precision=precision)
