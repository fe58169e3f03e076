"""Networks saved by ``torch.export.save`` (``.pt2``): code and weights in one file."""

from usaid.cards import Method

CARDS = (Method("torch_export", None, "usaid.denoisers.torch_export.denoiser:TorchExport", needs_weights=True),)
