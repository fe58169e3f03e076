"""A network of deepinv. It is told the noise level as its second argument, in units of white.

    usaid evaluate examples/deepinv_network.py:Network --told-as argument --weights drunet_deepinv_color.pth \
        --benchmark kodak_quality --data-root data --images 3

Weights of its DnCNN and DRUNet are read without deepinv, too: `usaid evaluate drunet_deepinv_color.pth ...`.
"""

from deepinv.models import DRUNet


class Network(DRUNet):
    """DRUNet without the weights that deepinv would download: they come from ``--weights``."""

    def __init__(self, channels: list[int] | None = None) -> None:
        super().__init__(nc=channels or [64, 128, 256, 512], pretrained=None)
