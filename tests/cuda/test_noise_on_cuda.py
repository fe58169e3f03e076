"""Noise is made where it is added."""

import pytest
import torch

from usaid import noise


@pytest.mark.skipif(not hasattr(noise, "gaussian_noise_batch"), reason="noise is made on the CPU alone so far")
def test_noise_is_made_on_the_gpu(cuda):
    fields = [noise.NoiseField(image_id, sigma, 0) for image_id in ("a", "b") for sigma in (15.0, 25.0)]
    made = noise.gaussian_noise_batch("kodak", fields, 9, 7, device=cuda)
    assert (made.device.type, made.shape, made.dtype) == ("cuda", (4, 3, 9, 7), torch.float32)
    one = noise.gaussian_noise("kodak", "a", 25.0, 0, 9, 7, device=cuda)
    assert (one.device.type, one.shape, one.dtype) == ("cuda", (3, 9, 7), torch.float32)
