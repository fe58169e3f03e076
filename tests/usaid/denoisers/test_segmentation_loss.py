"""The loss of S-SAID and U-SAID: what reaches the denoiser, what stays frozen, and what the segmenter is shown."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from usaid.denoisers.dncnn.training import initialised_dncnn, without_noise
from usaid.denoisers.training import segmentation_loss
from usaid.denoisers.training.segmentation_loss import DenoiserLoss, Segmentation
from usaid.denoisers.training.training import learnt_parts
from usaid.training.losses import psnr

CPU = torch.device("cpu")
LOSSES = [("u_said", "entropy"), ("u_said", "focal"), ("s_said", "entropy")]


def made(method, recipe) -> tuple[Segmentation, nn.ModuleDict]:
    """The segmentation loss, and the parts that learn, in training mode as the step loop puts them."""
    segmentation = Segmentation(recipe.loss_of(method), recipe, "data", CPU)
    return segmentation, learnt_parts(initialised_dncnn(recipe), recipe, segmentation, CPU).train()


def after_backward(method, recipe, batch) -> tuple[Segmentation, nn.ModuleDict, Tensor, dict[str, Tensor]]:
    """As :func:`made`, with the total loss of a batch and its parts, once the total has sent its slopes back."""
    segmentation, learnt = made(method, recipe)
    total, parts = DenoiserLoss(recipe, segmentation, without_noise)(learnt, batch)
    total.backward()
    return segmentation, learnt, total, parts


def slopes_of(parts: nn.Module) -> Tensor:
    """Largest absolute slope of each parameter; 0 for those without."""
    sizes = [torch.zeros(()) if each.grad is None else each.grad.abs().max() for each in parts.parameters()]
    return torch.stack(sizes)


# What the segmentation loss reaches


@pytest.mark.parametrize(("method", "loss"), LOSSES)
@pytest.mark.parametrize("head", ["learnable", "frozen"])
def test_attached_segmentation_loss_reaches_every_weight_of_the_denoiser(tiny, first_batch, method, loss, head):
    recipe = tiny(patch=48, gradient="attached", segmentation_loss=loss, head=head, mse_weight=0)
    segmentation, learnt, _, _ = after_backward(method, recipe, first_batch(recipe))
    assert torch.all(slopes_of(learnt["denoiser"]) > 0)
    assert torch.all(slopes_of(segmentation.usa.encoder) == 0)


@pytest.mark.parametrize(("method", "loss"), LOSSES)
def test_detached_segmentation_loss_reaches_a_learnable_head_but_not_the_denoiser(tiny, first_batch, method, loss):
    recipe = tiny(patch=48, gradient="detached", segmentation_loss=loss, head="learnable", mse_weight=0)
    _, learnt, _, _ = after_backward(method, recipe, first_batch(recipe))
    assert torch.all(slopes_of(learnt["denoiser"]) == 0)
    assert torch.all(slopes_of(learnt["head"]) > 0)


@pytest.mark.parametrize(("method", "loss"), LOSSES)
def test_detached_segmentation_loss_with_a_frozen_head_is_a_constant(tiny, first_batch, method, loss):
    recipe = tiny(patch=48, gradient="detached", segmentation_loss=loss, head="frozen", mse_weight=0)
    _, learnt, total, parts = after_backward(method, recipe, first_batch(recipe))
    assert torch.all(slopes_of(learnt) == 0)
    assert total.item() == parts["segmentation"].item() > 0
    assert not parts["segmentation"].requires_grad


def test_total_is_the_weighted_sum_of_its_parts(tiny, first_batch):
    recipe = tiny(mse_weight=0.25, segmentation_weight=3)
    segmentation, learnt = made("u_said", recipe)
    total, parts = DenoiserLoss(recipe, segmentation, without_noise)(learnt, first_batch(recipe))
    assert total.item() == pytest.approx(0.25 * parts["mse"].item() + 3 * parts["segmentation"].item())
    assert parts["segmentation"].item() > 1, "21 classes and random convolutions: near ln 21 = 3.04"


def test_cdncnn_bs_loss_is_the_mse_alone_whatever_its_weight(tiny, first_batch):
    recipe = tiny(mse_weight=0.25)
    learnt, batch = learnt_parts(initialised_dncnn(recipe), recipe, None, CPU), first_batch(recipe)
    total, parts = DenoiserLoss(recipe, None, without_noise)(learnt, batch)
    denoised = batch.clean + batch.noise - learnt["denoiser"](batch.clean + batch.noise)
    assert list(learnt) == ["denoiser"]
    assert total.item() == pytest.approx((denoised - batch.clean).square().sum().item() / 2 / 4, rel=1e-5)
    assert parts["psnr"].item() == pytest.approx(psnr(denoised, batch.clean).item(), rel=1e-5)


# What stays frozen


@pytest.mark.parametrize(("head", "batchnorm"), list(itertools.product(["learnable", "frozen"], ["running", "batch"])))
def test_steps_change_denoiser_and_learnable_head_and_not_one_bit_of_the_rest(tiny, first_batch, head, batchnorm):
    recipe = tiny(head=head, segmenter_batchnorm=batchnorm)
    segmentation, learnt = made("u_said", recipe)
    before = {key: value.clone() for key, value in segmentation.usa.state_dict().items()}
    denoiser = {key: value.clone() for key, value in learnt["denoiser"].state_dict().items()}
    statistics = [key for key in before if key.endswith(("running_mean", "running_var"))]
    assert bool(statistics) == (batchnorm == "running")
    learnable = {key for key, value in segmentation.usa.named_parameters() if value.requires_grad}
    head_keys = {"head.weight", "head.bias"} if head == "learnable" else set()
    assert learnable == head_keys

    loss, optimizer = DenoiserLoss(recipe, segmentation, without_noise), torch.optim.Adam(learnt.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss(learnt, first_batch(recipe))[0].backward()
        optimizer.step()

    after = segmentation.usa.state_dict()
    assert after.keys() == before.keys()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == head_keys
    assert all(not torch.equal(value, learnt["denoiser"].state_dict()[key]) for key, value in denoiser.items())


def test_batch_statistics_are_those_of_the_batch_at_hand_and_are_not_kept(tiny, first_batch):
    running, batch = (
        Segmentation("unsupervised", tiny(segmenter_batchnorm=each), "data", CPU).usa for each in ("running", "batch")
    )
    images = first_batch(tiny(patch=48)).clean
    with torch.no_grad():
        assert torch.equal(running(images)[:1], running(images)[:1])
        assert torch.allclose(running(images[:1]), running(images)[:1], atol=1e-6), "each image for itself"
        alone, together = batch(images[:1]), batch(images)
        assert not torch.allclose(together, running(images), rtol=0.1)
        assert not torch.allclose(alone, together[:1], rtol=0.1), "the others of the batch matter"
        assert torch.equal(batch(images), together), "and the batch before does not"


# What the segmenter is shown


def shown_to_segmenter(recipe, images: Tensor) -> Tensor:
    """What the USA module gets when the loss is asked about these images."""
    segmentation, seen = Segmentation("unsupervised", recipe, "data", CPU), []

    def remember(batch: Tensor) -> Tensor:
        seen.append(batch)
        return torch.zeros(len(batch), recipe.classes, 8, 8)

    segmentation.usa = remember
    segmentation(images, None)
    return seen[0]


def test_the_papers_segmenter_sees_the_denoised_image_as_its_encoder_was_trained(tiny):
    images = torch.rand(2, 3, 32, 32) * 3 - 1
    assert torch.allclose(shown_to_segmenter(tiny(), images), (images * 255 - 127) / 128, atol=1e-5)


def test_the_released_codes_segmenter_sees_it_clamped_and_less_the_mean(tiny):
    images = torch.rand(2, 3, 32, 32) * 3 - 1
    mean = torch.tensor([0.4811, 0.4575, 0.4079]).view(3, 1, 1)
    seen = shown_to_segmenter(tiny(recipe="released_code", batch=2), images)
    assert torch.allclose(seen, images.clamp(0, 1) - mean, atol=1e-6)


@pytest.mark.parametrize(("stride", "size"), [(1, 48), (4, 12)])
def test_loss_is_taken_at_the_stride_of_the_recipe(tiny, monkeypatch, stride, size):
    shapes = []
    monkeypatch.setattr(segmentation_loss, "entropy", lambda logits: shapes.append(logits.shape) or logits.sum())
    Segmentation("unsupervised", tiny(loss_stride=stride, classes=7), "data", CPU)(torch.rand(2, 3, 48, 48), None)
    assert shapes == [(2, 7, size, size)]


def test_s_said_listens_to_the_labels_and_u_said_does_not(tiny, first_batch):
    recipe = tiny()
    batch = first_batch(recipe)
    others = torch.where(batch.labels == 255, 255, 20 - batch.labels)
    for method, listens in (("s_said", True), ("u_said", False)):
        segmentation = Segmentation(recipe.loss_of(method), recipe, "data", CPU)
        values = [segmentation(batch.clean, labels).item() for labels in (batch.labels, others)]
        assert (values[0] != values[1]) == listens


def test_how_it_is_computed_changes_the_loss_by_rounding_only(tiny, first_batch):
    def values_of(**keys) -> list[float]:
        recipe = tiny(**keys)
        segmentation, learnt = made("u_said", recipe)
        total, parts = DenoiserLoss(recipe, segmentation, without_noise)(learnt, first_batch(recipe))
        assert total.dtype == parts["segmentation"].dtype == torch.float32
        return [total.item(), parts["segmentation"].item()]

    assert values_of(channels_last=False) == pytest.approx(values_of(), rel=1e-4)
    assert values_of(precision="bfloat16") == pytest.approx(values_of(), rel=0.03)
    assert values_of(precision="bfloat16") != values_of()
