"""Noise is made where it is added."""

import torch
from torch._subclasses.fake_tensor import FakeTensor

from usaid.noise import NoiseField, gaussian_noise, gaussian_noise_batch

FIELDS = [NoiseField(image_id, sigma, 0) for image_id in ("a", "b") for sigma in (15.0, 25.0)]


def test_noise_is_made_on_the_gpu(cuda):
    made = gaussian_noise_batch("kodak", FIELDS, 9, 7, device=cuda)
    assert (made.device.type, made.shape, made.dtype) == ("cuda", (4, 3, 9, 7), torch.float32)
    one = gaussian_noise("kodak", "a", 25.0, 0, 9, 7, device=cuda)
    assert (one.device.type, one.shape, one.dtype) == ("cuda", (3, 9, 7), torch.float32)


def test_a_gpu_turns_hardly_a_bit(cuda):
    """One step of float32 in one of a million deviates; a GPU without values has none to compare."""
    made = gaussian_noise_batch("kodak", FIELDS, 256, 384, device=cuda)
    if not isinstance(made, FakeTensor):
        cpu = gaussian_noise_batch("kodak", FIELDS, 256, 384)
        apart = (made.cpu().view(torch.int32).long() - cpu.view(torch.int32)).abs()
        assert apart.max() <= 1
        assert (apart > 0).sum() <= 1
