"""A file of ``torch.export`` as a denoiser."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export.passes import move_to_device_pass

from usaid.checkpoints import first_line, require_weights
from usaid.denoisers.facts import DerivedFacts
from usaid.denoisers.network_files import FromFile, level_told, shape_of_level
from usaid.errors import UsaidError


class TorchExport(FromFile):
    """A network that ``torch.export.save`` wrote. Dimensions that were not exported as dynamic are padded or tiled."""

    facts = DerivedFacts("torch.export", deep_learning=True)

    def __init__(self, weights: str | Path, device: torch.device | str = "cpu", precision: str = "float32") -> None:
        """
        Args:
            weights: the file.
            device: where to compute.
            precision: ``tf32``, or float32.

        Raises:
            UsaidError: there is no such file, or it is none of torch.export; a network without inputs.
        """
        require_weights(Path(weights))
        try:
            program = move_to_device_pass(torch.export.load(str(weights)), str(device))
        except Exception as error:  # damaged archives raise anything
            cure = "save it with torch.export.save(torch.export.export(network, (batch,)), file)"
            raise UsaidError(f"{weights}: not readable as torch.export ({first_line(error)}); {cure}") from None
        inputs = shapes_of_inputs(program)
        self.levels = inputs[1:]
        super().__init__(weights, program.module(), inputs[0] if inputs else (), len(inputs), device, precision)

    def called(self, noisy: Tensor, *told: float | Tensor, **options: Any) -> Any:
        """Call the program with tensors alone: the noise level in the shape that its input has."""
        shapes = [shape_of_level(shape, len(noisy)) for shape in self.levels]
        levels = [noisy.new_full(shape, level_told(level)) for shape, level in zip(shapes, told, strict=True)]
        return self.network(noisy, *levels)


def shapes_of_inputs(program: torch.export.ExportedProgram) -> list[list[int | None]]:
    """The shape of each input of a program that is a tensor; None: any size."""
    names = set(program.graph_signature.user_inputs)
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    return [[side if isinstance(side, int) else None for side in getattr(value, "shape", ())] for value in values]
