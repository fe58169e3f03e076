"""The device of a run: a request that cannot be met is one line at once."""

from contextlib import suppress

import pytest
import torch

from usaid.devices import clearly_fastest, float32_products, pick_device, precisions_of, resolved_precision
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


CUDA = torch.device("cuda")


def allowed() -> list[str]:
    """Whether a GPU may compute float32 in TF32: matrix products, convolutions; by the old setting and the new."""
    backends = torch.backends
    new = [setting.fp32_precision for setting in (backends.cuda.matmul, backends.cudnn.conv)]
    return [*new, str(backends.cuda.matmul.allow_tf32), str(backends.cudnn.allow_tf32)]


@pytest.mark.parametrize(("precision", "inside"), [("float32", "ieee"), ("bfloat16", "ieee"), ("tf32", "tf32")])
def test_float32_on_a_gpu_is_what_it_says_and_elsewhere_as_before(precision, inside):
    before = allowed()
    with suppress(KeyError), float32_products(precision, CUDA):
        assert torch.backends.cuda.matmul.fp32_precision == inside
        assert torch.backends.cudnn.conv.fp32_precision == inside
        raise KeyError
    assert allowed() == before
    with float32_products(precision, torch.device("cpu")):
        assert allowed() == before


def test_precisions_that_are_apart():
    assert precisions_of(CUDA) == ["float32", "tf32", "bfloat16"]
    assert precisions_of(torch.device("cpu")) == ["float32", "bfloat16"]
    assert resolved_precision("tf32", CUDA) == "tf32"
    assert resolved_precision("tf32", torch.device("cpu")) == "float32"
    assert resolved_precision("auto", CUDA, lambda: "bfloat16") == "bfloat16"
    with pytest.raises(UsaidError, match=r"^precision 'half': must be one of float32, tf32, bfloat16, auto$"):
        resolved_precision("half", CUDA)


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"exact": 1.0, "less": 0.95}, "exact"),
        ({"exact": 1.0, "less": 0.5, "least": 0.48}, "less"),
        ({"exact": 1.0, "less": 0.95, "least": 0.5}, "least"),
        ({"exact": 1.0}, "exact"),
    ],
)
def test_what_is_less_exact_has_to_be_clearly_faster(seconds, chosen):
    assert clearly_fastest(seconds, seconds.__getitem__) == chosen
