"""An ONNX file. This script makes one of a checkpoint of DnCNN; any other way to make one will do.

python examples/onnx_file.py data/released/USAID.pth u_said.onnx
usaid evaluate u_said.onnx --predicts noise --benchmark kodak_quality --data-root data --images 3
"""

import sys

import torch

from usaid.checkpoints import load_state
from usaid.denoisers.dncnn.network import dncnn_from_state

checkpoint, output = sys.argv[1:]
network = dncnn_from_state(load_state(checkpoint), checkpoint)
of_any_size = {0: "batch", 2: "height", 3: "width"}
torch.onnx.export(
    network,
    (torch.rand(2, 3, 64, 48),),
    output,
    input_names=["noisy"],
    output_names=["noise"],
    dynamic_shapes=(dict.fromkeys(of_any_size, torch.export.Dim.DYNAMIC),),
    external_data=False,
)
