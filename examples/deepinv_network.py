"""A network of deepinv. It is told the noise level as its second argument, on the scale of its images.

usaid evaluate examples/deepinv_network.py:Network --told-as argument \
    --weights drunet_deepinv_color_finetune_22k.pth --benchmark kodak_quality --data-root data --images 3

The weights are those that deepinv downloads by itself where none are named.
"""

from pathlib import Path

from deepinv.models import DRUNet


class Network(DRUNet):
    """DRUNet with the weights of a file."""

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__(pretrained="download" if weights is None else str(weights))
