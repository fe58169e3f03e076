"""Networks saved as ONNX, computed by onnxruntime: from any framework."""

from usaid.cards import Method

CARDS = (
    Method(
        "onnx",
        None,
        "usaid.denoisers.onnx.denoiser:Onnx",
        needs_weights=True,
        packages=("onnxruntime",),
    ),
)
