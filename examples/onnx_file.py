"""An ONNX file. This script makes one of a released checkpoint; any other way to make one will do.

python examples/onnx_file.py data/released/USAID.pth u_said.onnx
usaid evaluate u_said.onnx --predicts noise --benchmark kodak_quality --data-root data --images 3
"""

import sys

import torch

from usaid.checkpoints import load_state
from usaid.denoisers.dncnn.network import dncnn_from_state

checkpoint, output = sys.argv[1:]
network = dncnn_from_state(load_state(checkpoint), checkpoint)
any_size = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)  # batch, height, width
torch.onnx.export(network, (torch.rand(2, 3, 64, 48),), output, dynamic_shapes=(any_size,), external_data=False)
