"""Training MLP from images to a file of weights: what it learns, and that it can be killed and continued."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from usaid.checkpoints import load_state, stored_record
from usaid.datasets.base import Sample
from usaid.denoisers.mlp.denoiser import MLPDenoiser
from usaid.denoisers.mlp.models import load_models
from usaid.denoisers.mlp.network import MLP, denormalised
from usaid.denoisers.mlp.recipe import MLPRecipe
from usaid.denoisers.mlp.training import PatchPairBatches, PatchPairs, initialise_mlp, run_of_sigma, train_mlp
from usaid.errors import UsaidError
from usaid.noise import gaussian_noise
from usaid.registries import METHODS
from usaid.tensors import to_unit_range
from usaid.training.loop import Run
from usaid.training.patches import PatchSampler

CPU = torch.device("cpu")
FACTS = METHODS["mlp"].facts
TINY = MLPRecipe(hidden=(16,), input_side=9, output_side=5, batch=32, steps=8, learning_rate=3e-3)


def replace(recipe: MLPRecipe, **changes) -> MLPRecipe:
    """A recipe with other keys, checked."""
    return MLPRecipe(**{**recipe.model_dump(), **changes})


def run_of(weights: Path, **changes) -> Run:
    """A training on the CPU that writes these weights."""
    return Run(weights, CPU, "MLP", "mlp", **changes)


def batches_of(samples: list[Sample], recipe: MLPRecipe, sigma: float = 25) -> PatchPairBatches:
    sampler = PatchSampler(((sample.id, sample.image) for sample in samples), recipe.input_side, CPU)
    return PatchPairBatches(sampler, recipe, sigma)


def curve(path) -> list[dict[str, float]]:
    names, *rows = (line.split(",") for line in path.read_text().splitlines())
    return [dict(zip(names, map(float, row), strict=True)) for row in rows]


def test_trained_denoiser_removes_noise(samples, tmp_path):
    recipe = replace(TINY, hidden=(64, 32), batch=64, steps=500)
    train_mlp(samples, recipe, run_of(tmp_path / "mlp.safetensors"))
    rows = curve(tmp_path / "mlp.csv")
    assert list(rows[0]) == ["sigma", "step", "learning_rate", "loss", "mse", "psnr"]
    assert rows[-1]["loss"] < 0.3 * rows[0]["loss"]
    assert rows[-1]["loss"] == pytest.approx(rows[-1]["mse"])
    assert rows[-1]["psnr"] == pytest.approx(-10 * math.log10(0.2**2 * rows[-1]["mse"]), abs=0.5)

    clean = to_unit_range(samples[0].image)
    noisy = clean + gaussian_noise("test", "wave0", 25, 0, *clean.shape[2:])
    denoised = MLPDenoiser(tmp_path / "mlp.safetensors", FACTS)(noisy, 25)
    gain = 10 * torch.log10((noisy - clean).square().mean() / (denoised - clean).square().mean())
    assert gain > 5


def test_initialisation_follows_the_fan_in():
    networks = [MLP(15, (400,), 9) for _ in range(3)]
    for network, seed in zip(networks, (0, 0, 1), strict=True):
        initialise_mlp(network, seed)
    for layer, inputs in zip(networks[0].layers, (225, 400), strict=True):
        assert float(layer.weight.detach().std()) == pytest.approx(inputs**-0.5, rel=0.02)
        assert not layer.bias.any()
    for key, value in networks[0].state_dict().items():
        assert torch.equal(value, networks[1].state_dict()[key]), key
    assert not torch.equal(networks[0].layers[0].weight, networks[2].layers[0].weight)


# Patches


def test_clean_patches_are_the_middle_of_the_noisy_ones(samples):
    noisy, clean = batches_of(samples, replace(TINY, batch=400), sigma=1e-6)(1)
    middle = noisy.view(400, 9, 9)[:, 2:7, 2:7]
    assert clean.shape == (400, 25)
    assert (middle.flatten(1) - clean).abs().max() < 1e-6
    assert clean.std() > 0.5


def test_noise_has_the_level_of_sigma_and_is_not_clipped():
    white = [Sample("white", np.full((20, 20, 3), 255, np.uint8), None)]
    noisy, clean = batches_of(white, replace(TINY, batch=10_000), sigma=40)(1)
    noise = denormalised(noisy) - 1
    assert (denormalised(clean) - 1).abs().max() < 1e-6
    assert float(noise.std()) * 255 == pytest.approx(40, rel=0.003)
    assert float(noise.mean()) * 255 == pytest.approx(0, abs=0.2)


def test_patches_are_of_one_channel_mirrored_and_transposed():
    """An image that grows brighter to the right, each channel at its own pace."""
    ramp = np.tile(np.arange(24, dtype=np.uint8)[None, :, None] * np.array([1, 2, 4], np.uint8), (24, 1, 1))
    recipe = replace(TINY, batch=600)
    clean = denormalised(batches_of([Sample("ramp", ramp, None)], recipe)(1).clean).view(-1, 5, 5).mul(255)
    across, down = (clean[:, 0, 1] - clean[:, 0, 0]).round().int(), (clean[:, 1, 0] - clean[:, 0, 0]).round().int()
    slopes, counts = torch.stack([across, down]).unique(dim=1, return_counts=True)
    expected = {(s, 0) for s in (1, 2, 4, -1, -2, -4)} | {(0, s) for s in (1, 2, 4, -1, -2, -4)}
    assert {tuple(pair) for pair in slopes.T.tolist()} == expected
    assert counts.min() > 25, "each of twelve has 50 on average"


@pytest.mark.parametrize("other", [{"step": 8}, {"seed": 1}, {"sigma": 25.5}])
def test_batches_are_a_function_of_seed_step_and_sigma(samples, other):
    def batch_of(step: int = 7, seed: int = 0, sigma: float = 25, steps_before: int = 0) -> PatchPairs:
        batches = batches_of(samples, replace(TINY, seed=seed), sigma)
        for earlier in range(1, steps_before + 1):
            batches(earlier)
        torch.rand(5)
        return batches(step)

    one, again, another = batch_of(), batch_of(steps_before=3), batch_of(**other)
    assert torch.equal(one.noisy, again.noisy)
    assert torch.equal(one.clean, again.clean)
    assert not torch.equal(one.clean, another.clean)
    assert not torch.equal(one.noisy, another.noisy)


def test_images_of_a_step_are_those_of_its_patches():
    flat = [Sample(f"grey{value}", np.full((12, 12, 3), value, np.uint8), None) for value in range(40)]
    batches = batches_of(flat, replace(TINY, batch=8))
    values = denormalised(batches(2).clean[:, 0]).mul(255).round().int().tolist()
    assert batches.images_of(2) == list(dict.fromkeys(f"grey{value}" for value in values))


# The file of weights, and what lies beside it


def test_weights_and_provenance_say_how_they_came_to_be(samples, tmp_path):
    weights, recipe = tmp_path / "weights" / "mlp.safetensors", replace(TINY, sigmas=(12.5, 25))
    train_mlp(samples, recipe, run_of(weights))
    assert list(load_models(weights)) == [12.5, 25]
    facts = stored_record(weights)
    assert facts == json.loads(weights.with_suffix(".json").read_text())["training"]
    assert (facts["origin"], facts["method"], facts["images"]) == ("trained", "mlp", "voc2012/train")
    assert (facts["sigmas"], facts["steps"], facts["patches"], facts["n_images"]) == ([12.5, 25], 8, 8 * 32, 6)
    assert facts["images_sha256"] == batches_of(samples, recipe).sampler.sha256
    assert facts["torch"] == torch.__version__
    (sentence,) = MLPDenoiser(weights, FACTS).deviations
    assert "on 256 patches (8 steps of 32) of 6 images at each sigma" in sentence
    files = sorted(path.name for path in weights.parent.iterdir())
    assert [row["sigma"] for row in curve(weights.with_suffix(".csv"))] == [12.5, 25]
    assert files == ["mlp.csv", "mlp.json", "mlp.safetensors"]


def test_bfloat16_trains_other_weights_that_are_written_in_float32(samples, tmp_path):
    train_mlp(samples, TINY, run_of(tmp_path / "float32.safetensors"))
    train_mlp(samples, replace(TINY, precision="bfloat16"), run_of(tmp_path / "bfloat16.safetensors"))
    exact, rounded = load_state(tmp_path / "float32.safetensors"), load_state(tmp_path / "bfloat16.safetensors")
    assert {value.dtype for value in rounded.values()} == {torch.float32}
    far = max(float((exact[key] - rounded[key]).abs().max()) for key in exact)
    assert 0 < far < 0.05


def test_the_seed_decides_the_weights(samples, tmp_path):
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        train_mlp(samples, replace(TINY, seed=seed), run_of(tmp_path / f"{name}.safetensors"))
    one, again, other = (load_state(tmp_path / f"{name}.safetensors") for name in ("one", "again", "other"))
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert all(not torch.equal(one[key], other[key]) for key in one)


# Killed and continued


def test_interrupted_training_writes_the_same_files(samples, tmp_path, monkeypatch):
    """Stopped in the second of two sigmas: the first is not trained again, the second goes on from its checkpoint."""
    recipe = replace(TINY, sigmas=(25, 50))
    whole, interrupted = tmp_path / "whole.safetensors", tmp_path / "interrupted.safetensors"
    train_mlp(samples, recipe, run_of(whole, checkpoint_every=3))
    make, made = PatchPairBatches.__call__, []

    def make_until_step_5_of_sigma_50(batches: PatchPairBatches, step: int) -> PatchPairs:
        if (batches.sigma, step) == (50, 5):
            raise KeyboardInterrupt
        return make(batches, step)

    def make_and_note(batches: PatchPairBatches, step: int) -> PatchPairs:
        made.append((batches.sigma, step))
        return make(batches, step)

    with monkeypatch.context() as patch:
        patch.setattr(PatchPairBatches, "__call__", make_until_step_5_of_sigma_50)
        with pytest.raises(KeyboardInterrupt):
            train_mlp(samples, recipe, run_of(interrupted, checkpoint_every=3))
    steps = [
        torch.load(run_of_sigma(run_of(interrupted), sigma).checkpoint, weights_only=True)["step"]
        for sigma in recipe.sigmas
    ]
    assert steps == [8, 3]
    assert not interrupted.exists()
    for sigma in recipe.sigmas:  # as a workflow does with a killed job's outputs
        run_of_sigma(run_of(interrupted), sigma).curve.unlink()

    monkeypatch.setattr(PatchPairBatches, "__call__", make_and_note)
    train_mlp(samples, recipe, run_of(interrupted, checkpoint_every=3))
    assert made == [(50, step) for step in range(4, 9)]
    assert interrupted.read_bytes() == whole.read_bytes()
    assert (tmp_path / "interrupted.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_a_sigma_is_trained_alike_alone_and_among_others(samples, tmp_path):
    train_mlp(samples, TINY, run_of(tmp_path / "alone.safetensors"))
    train_mlp(samples, replace(TINY, sigmas=(50, 25)), run_of(tmp_path / "both.safetensors"))
    alone, both = load_state(tmp_path / "alone.safetensors"), load_state(tmp_path / "both.safetensors")
    assert all(torch.equal(both[key], value) for key, value in alone.items())
    assert not torch.equal(both["sigma50.layers.0.weight"], both["sigma25.layers.0.weight"])


def test_checkpoint_of_another_recipe_is_refused(samples, tmp_path, monkeypatch):
    weights = tmp_path / "mlp.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(
            "usaid.denoisers.mlp.training.finish", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            train_mlp(samples, TINY, run_of(weights))
    with pytest.raises(
        UsaidError, match=r"another training: batch \(32 there, 16 here\), hidden \(\[16\] there, \[8\]"
    ):
        train_mlp(samples, replace(TINY, batch=16, hidden=(8,)), run_of(weights))
    of_25, of_50 = (run_of_sigma(run_of(weights), sigma) for sigma in (25, 50))
    of_25.checkpoint.rename(of_50.checkpoint)
    with pytest.raises(UsaidError, match=r"another training: sigma \(25.0 there, 50.0 here\); delete it"):
        train_mlp(samples, replace(TINY, sigmas=(50,)), run_of(weights))
    assert not weights.exists()


# Bad input


def test_images_smaller_than_a_patch_are_refused(samples, tmp_path):
    with pytest.raises(UsaidError, match=r"image 'wave0' is 64x56: smaller than 'input_side' = 57"):
        train_mlp(samples, replace(TINY, input_side=57), run_of(tmp_path / "mlp.safetensors"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sides", [(9, 11), (9, 6)])
def test_clean_patches_outside_the_noisy_ones_are_refused(samples, tmp_path, sides):
    with pytest.raises(UsaidError, match=r"MLP: has output patches of .* the sides must differ by 0, 2, 4"):
        train_mlp(
            samples, replace(TINY, input_side=sides[0], output_side=sides[1]), run_of(tmp_path / "mlp.safetensors")
        )
    assert not list(tmp_path.iterdir())


def test_learning_rate_that_is_too_high_is_named(samples, tmp_path):
    with pytest.raises(UsaidError, match=r"MLP, sigma 25: .*lower 'learning_rate'"):
        train_mlp(samples, replace(TINY, learning_rate=1e30, steps=20), run_of(tmp_path / "mlp.safetensors"))
    assert not (tmp_path / "mlp.safetensors").exists()
