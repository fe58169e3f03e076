"""The batches of DnCNN's trainings: which patches, in which order, and with which noise and labels."""

import numpy as np
import pytest
import torch

from usaid.datasets.base import Sample
from usaid.denoisers.training.batches import Batches
from usaid.errors import UsaidError
from usaid.training.patches import PatchSampler, labelled_images

CPU = torch.device("cpu")


def pictures(count: int = 3, side: int = 20) -> list[tuple[str, np.ndarray]]:
    """Random images of different sizes."""
    generator = np.random.default_rng(0)
    sizes = [(side + 3 * index, side + 6 - 2 * index, 3) for index in range(count)]
    return [(f"image{index}", generator.integers(0, 256, size, dtype=np.uint8)) for index, size in enumerate(sizes)]


def test_noise_has_the_recipes_levels_and_is_not_clipped(tiny):
    white = [(f"white{index}", np.full((33, 33, 3), 255, np.uint8)) for index in range(400)]
    batch = Batches(PatchSampler(white, 32, CPU), tiny(batch=400))(1)
    sigmas = batch.noise.flatten(1).std(dim=1) * 255
    assert torch.all(batch.clean == 1)
    assert (batch.clean + batch.noise).max() > 1.3
    assert sigmas.min() < 2
    assert 53 < sigmas.max() < 58
    assert sigmas.mean() == pytest.approx(27.5, abs=2.5)
    assert batch.noise.flatten(1).mean(dim=1).abs().max() < 0.03


@pytest.mark.parametrize("patches_drawn", ["each_step", "once"])
def test_batches_depend_on_seed_and_step_alone(tiny, patches_drawn):
    def batch_of(step: int, seed: int = 0, steps_before: int = 0):
        recipe = tiny(patch=16, batch=3, patches_drawn=patches_drawn, patches_per_image=4, seed=seed)
        batches = Batches(PatchSampler(pictures(), 16, CPU), recipe)
        for earlier in range(1, steps_before + 1):
            batches(earlier)
        torch.rand(5)
        return batches(step)

    first, again = batch_of(7), batch_of(7, steps_before=9)
    assert torch.equal(first.clean, again.clean)
    assert torch.equal(first.noise, again.noise)
    for other in (batch_of(6), batch_of(7, seed=1)):
        assert not torch.equal(first.clean, other.clean)
        assert not torch.equal(first.noise, other.noise)


def test_patches_drawn_at_each_step_come_from_everywhere(tiny):
    recipe = tiny(patch=16, batch=3, patches_per_image=1)
    sampler = PatchSampler(pictures(), 16, CPU)
    batches = Batches(sampler, recipe)
    counts = torch.bincount(torch.cat([batches.positions(step) for step in range(1, 6001)]))
    assert len(counts) == sampler.positions == 55 + 72 + 77
    mean = 3 * 6000 / sampler.positions
    assert float(counts.float().std()) == pytest.approx(mean**0.5, rel=0.3), "every position alike: Poisson"


def test_an_epoch_sees_each_patch_that_was_drawn_once_and_the_next_one_in_another_order(tiny):
    batches = Batches(PatchSampler(pictures(), 16, CPU), tiny(batch=3, patches_drawn="once", patches_per_image=8))
    assert batches.steps_per_epoch == 8
    epochs = [torch.cat([batches.positions(step) for step in range(start, start + 8)]) for start in (1, 9, 17)]
    for epoch in epochs:
        assert torch.equal(epoch.sort().values, batches.drawn.sort().values)
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[1], epochs[2])


@pytest.mark.parametrize(
    ("keys", "steps"),
    [
        ({"patches_per_image": 8}, 100 * (3 * 8 // 2)),
        ({"patches_per_image": 5, "epochs": 4}, 4 * (3 * 5 // 2)),
        ({"patches_per_image": 0.2, "epochs": 3}, 3 * ((11 + 14 + 15) // 2)),
        ({"epochs": 0.001, "patches_per_image": 1}, 1),
        ({"steps": 7, "epochs": 50}, 7),
    ],
)
def test_the_run_is_as_long_as_epochs_of_patches_say_unless_steps_says_it(tiny, keys, steps):
    recipe = tiny(**{"steps": None, "batch": 2} | keys)
    assert Batches(PatchSampler(pictures(), 16, CPU), recipe).steps == steps


def ramp(width: int = 24) -> list[tuple[str, np.ndarray]]:
    """Two images that grow brighter to the right."""
    image = np.repeat(np.tile(np.arange(width, dtype=np.uint8), (20, 1))[..., None], 3, axis=2)
    return [("one", image), ("two", image)]


@pytest.mark.parametrize(("flip", "expected"), [(True, {1, -1}), (False, {1})])
def test_half_of_the_patches_are_mirrored_if_the_recipe_says_so(tiny, flip, expected):
    batches = Batches(PatchSampler(ramp(), 16, CPU), tiny(batch=2, flip=flip))
    clean = torch.cat([batches(step).clean for step in range(1, 51)])
    slopes = (clean[:, 0, 0, 1] - clean[:, 0, 0, 0]).mul(255).round().int()
    assert set(slopes.tolist()) == expected
    if flip:
        assert float((slopes < 0).float().mean()) == pytest.approx(0.5, abs=0.15)


def test_labels_are_cut_and_mirrored_with_the_image(tiny):
    generator = np.random.default_rng(0)
    samples = []
    for index in range(3):
        labels = generator.choice([0, 1, 5, 20, 255], (24 + index, 30 - index)).astype(np.uint8)
        image = np.stack([labels, 255 - labels, np.full_like(labels, index)], axis=2)
        samples.append(Sample(f"image{index}", image, labels))
    batches = Batches(PatchSampler(labelled_images(samples, 21), 16, CPU), tiny(patch=16, batch=3))
    for step in range(1, 11):
        batch = batches(step)
        assert batch.labels is not None
        assert batch.labels.dtype == torch.int64
        assert torch.equal(batch.labels, (batch.clean[:, 0] * 255).round().long())
        assert torch.equal(255 - batch.labels, (batch.clean[:, 1] * 255).round().long())


def test_all_methods_meet_the_same_patches_and_noise(tiny, samples):
    recipe = tiny()
    plain = Batches(PatchSampler([(each.id, each.image) for each in samples], 32, CPU), recipe)
    labelled = Batches(PatchSampler(labelled_images(samples, 21), 32, CPU), recipe)
    for step in (1, 5):
        assert torch.equal(plain(step).clean, labelled(step).clean)
        assert torch.equal(plain(step).noise, labelled(step).noise)
        assert plain(step).labels is None


def test_images_of_a_step_are_those_of_its_patches(tiny):
    flat = [(f"grey{value}", np.full((20, 20, 3), value, np.uint8)) for value in range(40)]
    batches = Batches(PatchSampler(flat, 16, CPU), tiny(patch=16, batch=8))
    for step in (1, 2):
        values = (batches(step).clean[:, 0, 0, 0] * 255).round().int().tolist()
        assert batches.images_of(step) == list(dict.fromkeys(f"grey{value}" for value in values))


def test_fewer_images_than_a_batch_are_refused(tiny):
    Batches(PatchSampler(pictures(), 16, CPU), tiny(batch=3))
    with pytest.raises(UsaidError, match=r"^3 images, fewer than 'batch' = 4; lower it, or add images$"):
        Batches(PatchSampler(pictures(), 16, CPU), tiny(batch=4))
