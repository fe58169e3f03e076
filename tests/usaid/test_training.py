"""Tests of usaid.training: continuing after a kill, refusing what would spoil a run, and CDnCNN-B's recipe."""

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from usaid import training
from usaid.checkpoints import load_state
from usaid.datasets.base import Sample
from usaid.denoisers.dncnn import DnCNN, dncnn_from_state
from usaid.errors import UsaidError

CPU = torch.device("cpu")
STEPS = 18
TINY = training.Recipe(depth=3, features=8, batch=4, patch=16, steps=12, milestones=(0.5,))


def squared_error(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """A loss with a second value for the curve."""
    outputs = network(batch)
    return (outputs - batch.mean(dim=1, keepdim=True)).square().mean(), {"size": outputs.abs().mean()}


def fit_toy(folder: Path, loss=squared_error, fingerprint=None, steps: int = STEPS, **options) -> nn.Module:
    """Train a network that has running statistics and draws from the global random generator, on every run alike."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 1))
    options = {"checkpoint_every": 5, "log_every": 3, "title": "toy"} | options
    training.fit(
        network,
        lambda step: torch.randn(32, 8, generator=training.generator_for(CPU, 0, step)),
        loss,
        torch.optim.Adam(network.parameters()),
        training.decayed(0.01, [10], steps),
        steps,
        folder / "checkpoint.pt",
        fingerprint=fingerprint or {"seed": 0, "steps": steps},
        log=folder / "curve.csv",
        **options,
    )
    return network


def fit_toy_until_killed(folder: Path) -> None:
    """Send SIGKILL to this process in the middle of writing the second checkpoint."""
    save, calls = torch.save, []

    def save_half(content: object, path: Path) -> None:
        calls.append(path)
        save(content, path)
        if len(calls) == 2:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save = save_half
    fit_toy(folder)


def saved_step(folder: Path) -> int:
    """Step of the checkpoint on disk."""
    return torch.load(folder / "checkpoint.pt", weights_only=True)["step"]


def assert_equal_states(one: nn.Module, other: nn.Module) -> None:
    for key, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key


def test_run_killed_while_it_writes_a_checkpoint_ends_with_the_same_bits(tmp_path):
    command = [sys.executable, __file__, str(tmp_path / "killed"), str(torch.get_num_threads())]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert saved_step(tmp_path / "killed") == 5
    assert (tmp_path / "killed" / "curve.csv").read_text().splitlines()[-1].startswith("10,")

    (tmp_path / "killed" / "curve.csv").unlink()  # as a workflow does with a killed job's outputs
    continued = fit_toy(tmp_path / "killed")
    uninterrupted = fit_toy(tmp_path / "whole")

    assert_equal_states(continued, uninterrupted)
    curves = [(tmp_path / name / "curve.csv").read_text() for name in ("killed", "whole")]
    assert curves[0] == curves[1]
    rows = [line.split(",") for line in curves[0].splitlines()]
    assert rows[0] == ["step", "learning_rate", "loss", "size"]
    assert [int(row[0]) for row in rows[1:]] == [3, 5, 6, 9, 10, 12, 15, 18]
    assert [float(row[1]) for row in rows[1:]] == pytest.approx([0.01] * 5 + [0.001] * 3)


def test_finished_run_is_not_repeated(tmp_path):
    first = fit_toy(tmp_path)

    def never(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        raise AssertionError("a finished run took a step")

    assert_equal_states(fit_toy(tmp_path, loss=never), first)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_at_its_step_and_spoils_no_checkpoint(tmp_path, value):
    steps_taken = []

    def fails_at_13(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        steps_taken.append(1)
        loss, parts = squared_error(network, batch)
        return (loss * value if len(steps_taken) == 13 else loss), parts

    with pytest.raises(UsaidError, match=rf"toy: the loss is {value:g} at step 13; lower 'learning_rate'"):
        fit_toy(tmp_path, loss=fails_at_13, log_every=100)
    assert saved_step(tmp_path) == 10
    assert len(steps_taken) == 15, "the loss is looked at before a checkpoint, not at every step"
    fit_toy(tmp_path)  # and the run can go on from there


def test_weight_that_is_not_finite_after_a_finite_loss_is_not_saved(tmp_path):
    def infinite_slope(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return (network[3].bias * 0).sqrt().sum() + network(batch).mean() * 0, {}

    with pytest.raises(UsaidError, match="toy: a weight is not finite after step 1;"):
        fit_toy(tmp_path, loss=infinite_slope, checkpoint_every=1)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_checkpoint_of_another_training_is_refused_with_the_keys_that_differ(tmp_path):
    fit_toy(tmp_path, fingerprint={"seed": 0, "milestones": (1, 2), "patch": 48})
    fit_toy(tmp_path, fingerprint={"milestones": [1, 2], "patch": 48, "seed": 0})
    with pytest.raises(UsaidError) as error:
        fit_toy(tmp_path, fingerprint={"seed": 1, "milestones": [1, 2], "batch": 16})
    expected = "batch (None there, 16 here), patch (48 there, None here), seed (0 there, 1 here); delete it"
    assert f"{tmp_path / 'checkpoint.pt'}: checkpoint of another training: {expected}" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a checkpoint"])
def test_unreadable_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(UsaidError, match=r"checkpoint\.pt: not a readable checkpoint; delete it"):
        fit_toy(tmp_path)


def test_gpu_out_of_memory_names_the_key_to_lower(tmp_path):
    def too_large(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nand a second line")

    with pytest.raises(UsaidError, match=r"^toy: the GPU's memory is too small at step 1; lower 'batch'$"):
        fit_toy(tmp_path, loss=too_large)


def test_decay_by_fractions_and_by_steps():
    by_fraction = training.decayed(1e-3, (0.1, 0.4, 0.8), 100)
    by_step = training.decayed(1e-3, (10, 40, 80), 100)
    for rate in (by_fraction, by_step):
        decays = {1: 0, 10: 0, 11: 1, 40: 1, 41: 2, 80: 2, 81: 3, 100: 3}
        assert [rate(step) for step in decays] == pytest.approx([1e-3 / 10**power for power in decays.values()])


def test_generators_depend_on_the_whole_key():
    keys = [(0, 1), (1, 0), (1, 1), (0, 1 + 2**32), (2**32, 1), (0, 2)]
    draws = [torch.rand(4, generator=training.generator_for(CPU, *key)) for key in keys]
    assert len({tuple(draw.tolist()) for draw in draws}) == len(keys)
    assert torch.equal(draws[0], torch.rand(4, generator=training.generator_for(CPU, 0, 1)))


# Patches


def pictures(count: int = 3, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Random images of different sizes."""
    generator = np.random.default_rng(seed)
    sizes = [(20 + 3 * index, 26 - 2 * index, 3) for index in range(count)]
    return [(f"image{index}", generator.integers(0, 256, size, dtype=np.uint8)) for index, size in enumerate(sizes)]


def test_patches_are_the_images_slices():
    images, patch = pictures(), 16
    sampler = training.PatchSampler(images, patch, CPU)
    slices = [
        image[row : row + patch, column : column + patch]
        for _, image in images
        for row in range(image.shape[0] - patch + 1)
        for column in range(image.shape[1] - patch + 1)
    ]
    expected = torch.from_numpy(np.stack(slices)).permute(0, 3, 1, 2)
    positions = torch.arange(sampler.positions)
    assert sampler.positions == len(slices)
    assert torch.equal(sampler.gather(positions, torch.zeros(len(slices), dtype=torch.bool)), expected)
    assert torch.equal(sampler.gather(positions, torch.ones(len(slices), dtype=torch.bool)), expected.flip(3))
    assert sampler.gather(positions[:2], positions[:2] > 0).is_contiguous(memory_format=torch.channels_last)


def test_drawn_patches_cover_every_position_and_both_directions():
    gradient = np.tile(np.arange(5, dtype=np.uint8), (4, 1))[..., None]  # 2 x 3 positions of a patch of 3
    sampler = training.PatchSampler([("wide", gradient)], 3, CPU)
    patches = sampler.draw(6000, training.generator_for(CPU, 0))
    found, counts = torch.unique(patches[:, 0, 0], dim=0, return_counts=True)
    assert found.tolist() == [[0, 1, 2], [1, 2, 3], [2, 1, 0], [2, 3, 4], [3, 2, 1], [4, 3, 2]]
    assert counts.float().std() < 100


def test_hash_of_images_sees_ids_sizes_and_pixels():
    images = pictures()
    renamed = [("other", images[0][1]), *images[1:]]
    turned = [(images[0][0], images[0][1].reshape(26, 20, 3)), *images[1:]]
    changed = [(images[0][0], images[0][1] ^ 1), *images[1:]]
    hashes = [training.PatchSampler(each, 16, CPU).sha256 for each in (images, renamed, turned, changed)]
    assert len(set(hashes)) == 4
    assert training.PatchSampler(pictures(), 8, CPU).sha256 == hashes[0]


def test_image_smaller_than_a_patch_is_named():
    with pytest.raises(UsaidError, match=r"image 'image2' is 22x26: smaller than 'patch' = 24"):
        training.PatchSampler(pictures()[2:], 24, CPU)
    with pytest.raises(UsaidError, match="no images to train on"):
        training.PatchSampler([], 24, CPU)


# CDnCNN-B


def test_noise_has_the_recipes_levels_and_is_not_clipped():
    white = np.full((40, 40, 3), 255, np.uint8)
    sampler = training.PatchSampler([("white", white)], 32, CPU)
    batch = training.noisy_patches(sampler, replace(TINY, batch=400), step=1)
    sigmas = batch.noise.flatten(1).std(dim=1) * 255
    assert torch.all(batch.clean == 1)
    assert (batch.clean + batch.noise).max() > 1.3
    assert sigmas.min() < 2
    assert 53 < sigmas.max() < 58
    assert sigmas.mean() == pytest.approx(27.5, abs=2.5)
    assert batch.noise.flatten(1).mean(dim=1).abs().max() < 0.03


def test_batches_depend_on_seed_and_step_alone():
    sampler = training.PatchSampler(pictures(), 16, CPU)
    first = training.noisy_patches(sampler, TINY, step=3)
    torch.rand(5)
    again = training.noisy_patches(sampler, TINY, step=3)
    assert torch.equal(first.clean, again.clean)
    assert torch.equal(first.noise, again.noise)
    for other in (training.noisy_patches(sampler, TINY, 4), training.noisy_patches(sampler, replace(TINY, seed=1), 3)):
        assert not torch.equal(first.noise, other.noise)


def test_mse_loss_is_half_the_sum_of_squares_for_each_patch():
    batch = training.NoisyPatches(torch.rand(4, 3, 8, 8), torch.full((4, 3, 8, 8), 0.1))
    loss, parts = training.mse_loss(lambda noisy: torch.zeros_like(noisy), batch)
    assert float(loss) == pytest.approx(3 * 8 * 8 * 0.01 / 2)
    assert parts == {}


def test_initialisation_is_that_of_the_protocol():
    networks = [DnCNN() for _ in range(3)]
    for network, seed in zip(networks, (0, 0, 1), strict=True):
        training.initialise_dncnn(network, seed)
    assert_equal_states(networks[0], networks[1])
    assert not torch.equal(networks[0].dncnn[0].weight, networks[2].dncnn[0].weight)
    inner = networks[0].dncnn[2].weight.detach()
    assert float(inner.std()) == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    gains = torch.cat([layer.weight.detach() for layer in networks[0].dncnn if isinstance(layer, nn.BatchNorm2d)])
    assert float(gains.abs().max()) == pytest.approx(0.025)
    clamped = (gains.abs() >= 0.0249).float().mean()  # |N(0, 0.0589)| is above 0.025 in 67 of 100
    assert float(clamped) == pytest.approx(0.67, abs=0.05)


def samples(count: int = 6) -> list[Sample]:
    """Smooth pictures, which a small network soon learns to clean."""
    y, x = np.mgrid[0:40, 0:48] / 48
    waves = [np.stack([np.sin(6 * x + k), np.cos(5 * y - k), np.sin(4 * (x + y) + k)], axis=2) for k in range(count)]
    return [Sample(f"wave{k}", np.uint8(127 + 100 * wave), None) for k, wave in enumerate(waves)]


def test_trained_denoiser_removes_noise(tmp_path):
    weights = tmp_path / "weights" / "cdncnn_b.safetensors"
    recipe = replace(TINY, batch=8, steps=120, learning_rate=0.01, milestones=(0.6, 0.9))
    training.train_mse_denoiser(samples(), recipe, weights, log=tmp_path / "curve.csv")
    network = dncnn_from_state(load_state(weights), "trained")
    sampler = training.PatchSampler([(each.id, each.image) for each in samples()], 32, CPU)
    batch = training.noisy_patches(sampler, replace(recipe, batch=32, sigma_range=(25, 25)), step=10_000)
    with torch.no_grad():
        remaining = batch.noise - network(batch.clean + batch.noise)
    assert 10 * torch.log10(batch.noise.square().mean() / remaining.square().mean()) > 5
    assert list(weights.parent.iterdir()) == [weights], "the checkpoint is gone once the weights are safe"
    with safe_open(weights, framework="pt") as file:
        facts = json.loads(file.metadata()["training"])
    assert (facts["depth"], facts["steps"], facts["milestones"]) == (3, 120, [0.6, 0.9])
    assert facts["images_sha256"] == sampler.sha256


def test_interrupted_training_writes_the_same_file(tmp_path, monkeypatch):
    whole, interrupted = tmp_path / "whole.safetensors", tmp_path / "interrupted.safetensors"
    training.train_mse_denoiser(samples(), TINY, whole, checkpoint_every=4)

    draw = training.noisy_patches

    def draw_until_step_7(sampler: training.PatchSampler, recipe: training.Recipe, step: int) -> training.NoisyPatches:
        if step == 7:
            raise KeyboardInterrupt
        return draw(sampler, recipe, step)

    with monkeypatch.context() as patch:
        patch.setattr(training, "noisy_patches", draw_until_step_7)
        with pytest.raises(KeyboardInterrupt):
            training.train_mse_denoiser(samples(), TINY, interrupted, checkpoint_every=4)
    assert training.checkpoint_beside(interrupted).exists()
    assert not interrupted.exists()
    with pytest.raises(UsaidError, match=r"another training: learning_rate \(0.001 there, 0.002 here\); delete it"):
        training.train_mse_denoiser(samples(), replace(TINY, learning_rate=0.002), interrupted)

    training.train_mse_denoiser(samples(), TINY, interrupted, checkpoint_every=4)
    assert interrupted.read_bytes() == whole.read_bytes()


def test_samples_that_are_too_small_are_refused(tmp_path):
    with pytest.raises(UsaidError, match=r"image 'wave0' is 48x40: smaller than 'patch' = 41"):
        training.train_mse_denoiser(samples(), replace(TINY, patch=41), tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    fit_toy_until_killed(Path(sys.argv[1]))
