"""Networks saved as TorchScript (``torch.jit.save``): code and weights in one file."""

from usaid.cards import Method

CARDS = (Method("torchscript", None, "usaid.denoisers.torchscript.denoiser:TorchScript", needs_weights=True),)
