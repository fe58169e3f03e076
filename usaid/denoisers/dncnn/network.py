"""DnCNN (Zhang et al. 2017), the network behind CDnCNN-B, S-SAID and U-SAID: what training and inference share."""

from collections.abc import Mapping

from torch import Tensor, nn

from usaid.checkpoints import check_state
from usaid.errors import UsaidError

FLOP_PER_PIXEL = 2 * 9 * (3 * 64 + 18 * 64 * 64 + 64 * 3)
"""Work of the 20-layer, 64-feature network: 1.334 MFLOP a pixel (a multiplication and an addition are two)."""


class DnCNN(nn.Module):
    """Residual denoising network (paper section III; PROTOCOL section 1).

    ``depth`` convolutions 3x3 without bias, ``features`` channels, ReLU after all but the last, BatchNorm on the inner
    ones. The default is the 20-layer blind colour model CDnCNN-B with 669,312 parameters. With ``merged`` the
    convolutions have biases and there is no BatchNorm: what a trained network becomes when its BatchNorm is merged into
    them, as in checkpoints for inference.
    """

    def __init__(self, depth: int = 20, features: int = 64, merged: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(depth):
            channels_in, channels = (3 if number == 0 else features), (3 if number == depth - 1 else features)
            layers.append(nn.Conv2d(channels_in, channels, 3, padding=1, bias=merged))
            if 0 < number < depth - 1 and not merged:
                layers.append(nn.BatchNorm2d(features))
            if number < depth - 1:
                layers.append(nn.ReLU(inplace=True))
        self.dncnn = nn.Sequential(*layers)

    def forward(self, noisy: Tensor) -> Tensor:
        """Predict the noise in a batch.

        Args:
            noisy: float (B, 3, H, W), [0, 1] image plus unclipped noise.

        Returns:
            The predicted noise, same shape; the denoised image is ``noisy - network(noisy)``.
        """
        return self.dncnn(noisy)


def dncnn_from_state(state: Mapping[str, Tensor], source: str) -> DnCNN:
    """Build the DnCNN whose weights ``state`` holds; depth and width are read off the shapes.

    Accepts the released checkpoints' keys and our own (``dncnn.<n>.*``), and those of KAIR's checkpoints for inference
    (``model.<n>.weight`` and ``.bias``: BatchNorm merged into the convolutions). A file does not tell the activation;
    it is taken to be DnCNN's ReLU.

    Args:
        state: name -> tensor, as :func:`usaid.checkpoints.load_state` reads it.
        source: the file, for error messages.

    Raises:
        UsaidError: a key is missing, unknown, or of another shape than a DnCNN's.
    """
    of_kair = "model.0.weight" in state and "dncnn.0.weight" not in state
    if of_kair:
        state = {f"dncnn.{key.removeprefix('model.')}": value for key, value in state.items()}
    first = state.get("dncnn.0.weight")
    if first is None or first.ndim != 4:
        raise UsaidError(f"{source}: key 'dncnn.0.weight' is missing; this is no DnCNN checkpoint")
    depth = sum(value.ndim == 4 for value in state.values())
    merged = "dncnn.0.bias" in state
    _refuse_relatives(state, depth, of_kair, source)
    network = DnCNN(depth, first.shape[0], merged)
    network.load_state_dict(check_state(state, network.state_dict(), f"{source}: not the weights of a colour DnCNN"))
    return network.eval()


def _refuse_relatives(state: Mapping[str, Tensor], depth: int, of_kair: bool, source: str) -> None:
    """Refuse networks that look like a DnCNN and compute something else."""
    if of_kair and depth == _DEPTH_OF_IRCNN:
        raise UsaidError(f"{source}: has IRCNN's {depth} layers, whose convolutions are dilated; give a DnCNN")
    biased = any(value.ndim == 4 and f"{key.removesuffix('weight')}bias" in state for key, value in state.items())
    if (biased or of_kair) and any(key.endswith("running_var") for key in state):
        reason = "has BatchNorm beside biases (KAIR's training layout), with an epsilon that the file does not tell"
        raise UsaidError(f"{source}: {reason}; merge BatchNorm into the convolutions (KAIR's merge_bn), save it again")


_DEPTH_OF_IRCNN = 7
"""Its checkpoints (Zhang et al., CVPR 2017) have the very keys and shapes of a DnCNN of that depth."""
