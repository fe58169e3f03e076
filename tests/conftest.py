"""What several test files share: small images and a small trained-looking DnCNN."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import resnet101

from usaid.denoisers.dncnn.network import DnCNN
from usaid.segmentation.encoders import default_weights

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    """A test that leaves torch another number of threads fails itself, not those that come after it."""
    before = torch.get_num_threads()
    yield
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == before, f"this test left torch {after} threads, not {before}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="run tests/cuda on the GPU of this machine, not on a fake one")


@pytest.fixture
def smooth_image() -> np.ndarray:
    """uint8 (40, 56, 3): a smooth colour pattern."""
    y, x = np.mgrid[0:40, 0:56]
    planes = [128 + 100 * np.sin(x / 7), 128 + 100 * np.cos(y / 5), 128 + 60 * np.sin((x + y) / 9)]
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.fixture
def image_folder(tmp_path: Path, smooth_image: np.ndarray) -> Path:
    """A folder with two PNGs and a file that is no image."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b"):
        Image.fromarray(smooth_image).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def small_dncnn() -> DnCNN:
    """A DnCNN of 5 layers and 8 features whose BatchNorm statistics are far from the identity."""
    torch.manual_seed(0)
    network = DnCNN(depth=5, features=8)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.2, 3)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


@pytest.fixture(scope="session")
def random_resnet101(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with random weights as if they were ImageNet's, statistics included (170 MB, hence only once)."""
    root = tmp_path_factory.mktemp("data")
    path = default_weights("resnet101", root)
    path.parent.mkdir()
    torch.manual_seed(0)
    state = resnet101(weights=None).state_dict()
    for key, value in state.items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1)
    torch.save(state, path)
    return root
