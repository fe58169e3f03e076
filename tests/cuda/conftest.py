"""What the tests without a GPU share."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from fake_gpu import fake_gpu

from usaid.datasets.base import Sample


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    """The device ``cuda``, which need not be there: the test runs in :func:`fake_gpu.fake_gpu`."""
    with fake_gpu() as device:
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
