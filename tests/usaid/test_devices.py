"""The device of a run: a request that cannot be met is one line at once."""

import pytest
import torch

from usaid.devices import pick_device
from usaid.errors import UsaidError


@pytest.fixture
def gpus(monkeypatch):
    """Pretends that there are so many GPUs."""

    def set_count(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return set_count


def test_auto_takes_the_gpu_if_there_is_one(gpus):
    gpus(0)
    assert pick_device() == torch.device("cpu")
    gpus(2)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("count", "name", "message"),
    [
        (0, "cuda", r"^device 'cuda': .*; take cpu or auto$"),
        (0, "cuda:7", r"^device 'cuda:7': .*; take cpu or auto$"),
        (2, "cuda:7", r"^device 'cuda:7': there is only cuda:0, cuda:1; take one$"),
        (1, "mps", r"^device 'mps': must be auto, cpu, cuda or cuda:N$"),
        (1, "", "must be auto"),
        (1, "CPU", "must be auto"),
        (1, "cuda:", "must be auto"),
        (1, "cuda:-1", "must be auto"),
        (1, "cuda:0\n", "must be auto"),
        (1, "cuda:99999999999999999999", "must be auto"),
        (1, "meta", "must be auto"),
    ],
)
def test_what_cannot_be_met_is_one_line(gpus, count, name, message):
    gpus(count)
    with pytest.raises(UsaidError, match=message):
        pick_device(name)
