"""What the tests of the device ``cuda`` share: by default there is none, with ``--gpu`` they run on a real one."""

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from fake_gpu import CUDA, fake_gpu

from usaid.datasets.base import Sample


@pytest.fixture
def cuda(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """The device ``cuda``, which need not be there: the test runs in :func:`fake_gpu.fake_gpu`."""
    with nullcontext(CUDA) if request.config.getoption("--gpu") else fake_gpu() as device:
        yield device


@pytest.fixture(scope="session")
def photos() -> list[Sample]:
    """Six images of 64x72 pixels with label maps of three classes, the same everywhere."""
    generator = np.random.default_rng(0)
    return [
        Sample(
            f"photo{number}",
            generator.integers(0, 256, (64, 72, 3), dtype=np.uint8),
            generator.integers(0, 3, (64, 72), dtype=np.uint8),
        )
        for number in range(6)
    ]
