"""DnCNN (Zhang et al. 2017), the network behind CDnCNN-B, S-SAID and U-SAID: what training and inference share."""

from collections.abc import Mapping

from torch import Tensor, nn

from usaid.errors import UsaidError

FLOP_PER_PIXEL = 2 * 9 * (3 * 64 + 18 * 64 * 64 + 64 * 3)
"""Work of the 20-layer, 64-feature network: 1.334 MFLOP a pixel (a multiplication and an addition are two)."""


class DnCNN(nn.Module):
    """Residual denoising network (paper section III; PROTOCOL section 1).

    ``depth`` convolutions 3x3 without bias, ``features`` channels, ReLU after all but the last, BatchNorm on the inner
    ones. The default is the 20-layer blind colour model CDnCNN-B with 669,312 parameters.
    """

    def __init__(self, depth: int = 20, features: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1, bias=False), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [
                nn.Conv2d(features, features, 3, padding=1, bias=False),
                nn.BatchNorm2d(features),
                nn.ReLU(inplace=True),
            ]
        layers.append(nn.Conv2d(features, 3, 3, padding=1, bias=False))
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

    Accepts the released checkpoints' keys (``module.dncnn.<n>.*``, from ``DataParallel``) and our own
    (``dncnn.<n>.*``).

    Args:
        state: name -> tensor.
        source: the file, for error messages.

    Raises:
        UsaidError: a key is missing, unknown, or of another shape than a DnCNN's.
    """
    state = {key.removeprefix("module."): value for key, value in state.items()}
    first, convolutions = state.get("dncnn.0.weight"), [k for k, v in state.items() if v.ndim == 4]
    if first is None or first.ndim != 4:
        raise UsaidError(f"{source}: key 'dncnn.0.weight' is missing; this is no DnCNN checkpoint")
    network = DnCNN(depth=len(convolutions), features=first.shape[0])
    expected = network.state_dict()
    for key in expected:
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, expected[key])
        if key not in state:
            raise UsaidError(f"{source}: key {key!r} of DnCNN is missing; this is no DnCNN checkpoint")
        if state[key].shape != expected[key].shape:
            shapes = f"has shape {tuple(state[key].shape)}, DnCNN needs {tuple(expected[key].shape)}"
            raise UsaidError(f"{source}: key {key!r} {shapes}")
    if unknown := sorted(state.keys() - expected.keys()):
        raise UsaidError(f"{source}: key {unknown[0]!r} does not belong to DnCNN")
    network.load_state_dict(state)
    return network.eval()
