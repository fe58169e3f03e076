"""Training that can be killed and continued: the step loop every network shares, and CDnCNN-B's plain MSE recipe."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from usaid.checkpoints import write_weights
from usaid.datasets.base import Sample
from usaid.denoisers.dncnn import DnCNN
from usaid.devices import device_description
from usaid.errors import UsaidError
from usaid.files import written_atomically

Batch = TypeVar("Batch")

# ------------------------------------------------------------------------------------------------ the loop


def fit(
    network: nn.Module,
    batches: Callable[[int], Batch],
    loss: Callable[[nn.Module, Batch], tuple[Tensor, Mapping[str, Tensor]]],
    optimizer: torch.optim.Optimizer,
    learning_rate: Callable[[int], float],
    steps: int,
    checkpoint: Path,
    fingerprint: Mapping[str, Any],
    checkpoint_every: int = 1000,
    log: Path | None = None,
    log_every: int = 50,
    title: str = "training",
) -> None:
    """Minimise ``loss`` over ``steps`` steps; after a kill, the same call goes on from the last checkpoint.

    Batches and learning rates are functions of the step alone, and the checkpoint holds all that changes from step to
    step, so a run that was killed ends with the same weights as one that was not: bit for bit on the CPU with the same
    number of threads, and up to the order of CUDA's sums on a GPU.

    Args:
        network: the weights to learn, on the device of the batches; put into training mode. Networks that stay frozen
            belong into ``loss``.
        batches: step (from 1) -> batch.
        loss: (network, batch) -> the scalar to minimise, and named scalars on the same device for the learning curve.
        optimizer: over the parameters to learn; all its groups get the learning rate of the step.
        learning_rate: step (from 1) -> learning rate; :func:`decayed` makes one.
        steps: number of the last step.
        checkpoint: file to continue from, and to write every ``checkpoint_every`` steps and at the end. Its owner
            deletes it when the result is safe.
        fingerprint: JSON-able facts that the run depends on; a checkpoint with others is refused.
        checkpoint_every: steps between checkpoints.
        log: CSV of the learning curve: a row every ``log_every`` steps and at checkpoints with step, learning rate and
            the means since the row before. The checkpoint holds it too: a continued run writes it anew from there, so
            that a curve that a workflow deleted with its other unfinished files is whole again.
        log_every: steps between looks at the loss; nothing crosses from device to host in between.
        title: what the progress bar (on a terminal) and the errors call this run.

    Raises:
        UsaidError: the loss or a weight stops being finite (names the step), the checkpoint is unreadable or of another
            run (names the differing keys), or the GPU's memory is too small for the batch.
    """
    network.train()
    done, curve = _load_checkpoint(checkpoint, fingerprint, network, optimizer)
    if log is not None:
        _write_rows(log, "w", curve)
    window: list[dict[str, Tensor]] = []
    with tqdm(total=steps, initial=done, desc=title, unit="step", disable=None) as bar:
        for step in range(done + 1, steps + 1):
            rate = learning_rate(step)
            try:
                window.append(_take_step(network, batches(step), loss, optimizer, rate))
            except torch.OutOfMemoryError:
                raise UsaidError(f"{title}: the GPU's memory is too small at step {step}; lower 'batch'") from None
            due = step % checkpoint_every == 0 or step == steps
            if due or step % log_every == 0:
                means = _finite_means(window, step, title)
                window.clear()
                bar.set_postfix({name: f"{value:.4g}" for name, value in means.items()}, refresh=False)
                curve.append({"step": step, "learning_rate": rate, **means})
                if log is not None:
                    _write_rows(log, "a", curve[-1:])
            if due:
                _check_weights(network, step, title)
                _save_checkpoint(checkpoint, fingerprint, network, optimizer, step, curve)
            bar.update()


def decayed(initial: float, milestones: Sequence[float], steps: int, factor: float = 0.1) -> Callable[[int], float]:
    """Learning rate that is multiplied by ``factor`` once each milestone is past.

    Args:
        initial: learning rate of the first step.
        milestones: fractions of the run (below 1) or numbers of steps (from 1 on).
        steps: length of the run.
        factor: of each decay.
    """
    ends = [milestone * steps if milestone < 1 else milestone for milestone in milestones]
    return lambda step: initial * factor ** sum(step > end for end in ends)


def generator_for(device: torch.device, *key: int) -> torch.Generator:
    """A random generator on ``device`` whose stream depends on the key and the device's type alone.

    The key is hashed because torch's CPU generator takes only the lower 32 bits of a seed: a seed shifted above a step
    would be lost.
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little"))


def _take_step(
    network: nn.Module,
    batch: Batch,
    loss: Callable[[nn.Module, Batch], tuple[Tensor, Mapping[str, Tensor]]],
    optimizer: torch.optim.Optimizer,
    rate: float,
) -> dict[str, Tensor]:
    for group in optimizer.param_groups:
        group["lr"] = rate
    total, parts = loss(network, batch)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return {"loss": total.detach(), **{name: part.detach() for name, part in parts.items()}}


def _finite_means(window: list[dict[str, Tensor]], last_step: int, title: str) -> dict[str, float]:
    """Mean of each value over the steps up to ``last_step``, in one transfer; refuses a loss that is not finite."""
    names = list(window[0])
    on_device = torch.stack([row[name].float() for row in window for name in names])
    values = on_device.cpu().double().reshape(len(window), len(names))
    bad = (~values[:, 0].isfinite()).nonzero()
    if len(bad):
        step = last_step - len(window) + 1 + int(bad[0])
        raise UsaidError(f"{title}: the loss is {values[bad[0, 0], 0]:g} at step {step}; lower 'learning_rate'")
    return dict(zip(names, values.mean(dim=0).tolist(), strict=True))


def _check_weights(network: nn.Module, step: int, title: str) -> None:
    if not torch.stack([value.isfinite().all() for value in network.state_dict().values()]).all():
        raise UsaidError(f"{title}: a weight is not finite after step {step}; lower 'learning_rate'")


# ------------------------------------------------------------------------------------------------ its files


def _save_checkpoint(
    path: Path,
    fingerprint: Mapping[str, Any],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    curve: list[dict[str, float]],
) -> None:
    device = next(network.parameters()).device
    content = {
        "fingerprint": json.dumps(fingerprint),
        "step": step,
        "curve": curve,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random_state": torch.get_rng_state(),  # dropout draws from the global generators
        "cuda_random_state": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    with written_atomically(path) as temporary:
        torch.save(content, temporary)


def _load_checkpoint(
    path: Path, fingerprint: Mapping[str, Any], network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, list[dict[str, float]]]:
    """Put the checkpoint's state into network, optimizer and random generators; its step and learning curve."""
    if not path.exists():
        return 0, []
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = json.loads(content["fingerprint"])
    except Exception:  # unpickling raises anything; their common base is Exception
        raise UsaidError(f"{path}: not a readable checkpoint; delete it to train from the start") from None
    wanted = json.loads(json.dumps(fingerprint))
    if differing := sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)):
        changes = ", ".join(f"{key} ({found.get(key)} there, {wanted.get(key)} here)" for key in differing)
        raise UsaidError(f"{path}: checkpoint of another training: {changes}; delete it, or restore the keys")
    network.load_state_dict(content["network"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random_state"])
    device = next(network.parameters()).device
    if device.type == "cuda" and content["cuda_random_state"] is not None:
        torch.cuda.set_rng_state(content["cuda_random_state"], device)
    return content["step"], content["curve"]


def _write_rows(log: Path, mode: Literal["w", "a"], rows: Sequence[Mapping[str, float]]) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, mode) as file:
        if rows and file.tell() == 0:
            file.write(",".join(rows[0]) + "\n")
        file.writelines(",".join(f"{value:.9g}" for value in row.values()) + "\n" for row in rows)


def checkpoint_beside(weights: Path) -> Path:
    """Where a training that will write ``weights`` keeps its checkpoint meanwhile."""
    return weights.with_name(f"{weights.stem}.checkpoint.pt")


# ------------------------------------------------------------------------------------------------ patches


class PatchSampler:
    """Square patches from images of any sizes, all of which stay decoded on the device.

    The pixels of all images lie one after the other in a single buffer, and a patch is a matter of index arithmetic, so
    a batch takes no loop over images and no trip to the host. Positions are numbered through: those of the first image
    row by row, then those of the next.

    Attributes:
        first_position: int64 (images,), number of each image's top left position.
        positions: how many there are in all.
        sha256: hash of the images' ids, sizes and pixels.
    """

    def __init__(self, images: Iterable[tuple[str, np.ndarray]], patch: int, device: torch.device) -> None:
        """Load the images.

        Args:
            images: (id, uint8 (H, W, C)), with the same C for all.
            patch: side of the patches in pixels.
            device: where pixels and patches live.

        Raises:
            UsaidError: no image, or one that is smaller than a patch (names its id).
        """
        arrays = []
        digest = hashlib.sha256()
        for image_id, image in images:
            height, width = image.shape[:2]
            if min(height, width) < patch:
                raise UsaidError(
                    f"image {image_id!r} is {width}x{height}: smaller than 'patch' = {patch}; leave it out"
                )
            digest.update(f"{image_id} {image.shape} ".encode())
            digest.update(np.ascontiguousarray(image).data)
            arrays.append(image)
        if not arrays:
            raise UsaidError("no images to train on; correct the data set's split or list of ids")
        self.sha256 = digest.hexdigest()
        sizes = torch.tensor([array.shape[:2] for array in arrays], device=device)
        counts = (sizes[:, 0] - patch + 1) * (sizes[:, 1] - patch + 1)
        self.widths = sizes[:, 1]
        self.first_position = counts.cumsum(0) - counts
        self.first_pixel = sizes.prod(1).cumsum(0) - sizes.prod(1)
        self.positions = int(counts.sum())
        self.offsets = torch.arange(patch, device=device)
        self.pixels = torch.from_numpy(np.concatenate([a.reshape(-1, a.shape[2]) for a in arrays])).to(device)

    def gather(self, positions: Tensor, flipped: Tensor) -> Tensor:
        """Cut out patches.

        Args:
            positions: int64 (B,), numbers of top left corners.
            flipped: bool (B,), which patches to mirror left to right.

        Returns:
            uint8 (B, C, patch, patch) in channels-last memory format.
        """
        image = torch.searchsorted(self.first_position, positions, right=True) - 1
        width = self.widths[image]
        within = positions - self.first_position[image]
        columns = width - len(self.offsets) + 1
        corner = self.first_pixel[image] + within // columns * width + within % columns
        down = self.offsets * width[:, None]
        across = torch.where(flipped[:, None], self.offsets.flip(0), self.offsets)
        return self.pixels[corner[:, None, None] + down[:, :, None] + across[:, None, :]].permute(0, 3, 1, 2)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Patches at random: every position of every image alike, mirrored or not alike; as :meth:`gather`."""
        device = self.pixels.device
        positions = torch.randint(self.positions, (count,), generator=generator, device=device)
        flipped = torch.rand(count, generator=generator, device=device) < 0.5
        return self.gather(positions, flipped)


# ------------------------------------------------------------------------------------------------ CDnCNN-B


@dataclass(frozen=True)
class Recipe:
    """How a DnCNN is trained; the defaults are the paper's (section III-B; PROTOCOL section 1).

    Attributes:
        depth: convolutions.
        features: channels between them.
        batch: patches in a step.
        patch: their side in pixels.
        steps: length of the run. The paper says 100 epochs, but not how many patches an epoch has; the default takes
            the released code's 150 patches of each of VOC's 1,464 training images, in batches of 16.
        learning_rate: Adam's, at the start.
        milestones: where the learning rate falls to a tenth: fractions of the run (below 1), or steps. The default is
            epochs 10, 40 and 80 of 100.
        sigma_range: lowest and highest noise level of a patch, on the 0-255 scale.
        seed: of initialisation, patches and noise.
    """

    depth: int = 20
    features: int = 64
    batch: int = 16
    patch: int = 48
    steps: int = 100 * (1464 * 150 // 16)
    learning_rate: float = 1e-3
    milestones: Sequence[float] = (0.1, 0.4, 0.8)
    sigma_range: Sequence[float] = (0.0, 55.0)
    seed: int = 0


class NoisyPatches(NamedTuple):
    """A batch to denoise.

    Attributes:
        clean: float32 (B, 3, patch, patch) in [0, 1].
        noise: same shape; white Gaussian, on the same scale, not clipped.
    """

    clean: Tensor
    noise: Tensor


def noisy_patches(sampler: PatchSampler, recipe: Recipe, step: int) -> NoisyPatches:
    """The batch of a step: a function of recipe, images and device type alone.

    Every patch has a sigma of its own, uniform in ``recipe.sigma_range`` (PROTOCOL section 1).
    """
    device = sampler.pixels.device
    generator = generator_for(device, recipe.seed, step)
    clean = sampler.draw(recipe.batch, generator).float().div_(255)
    low, high = recipe.sigma_range
    sigma = low + (high - low) * torch.rand(recipe.batch, 1, 1, 1, generator=generator, device=device)
    noise = torch.empty_like(clean).normal_(generator=generator)
    return NoisyPatches(clean, noise.mul_(sigma / 255))


def mse_loss(network: nn.Module, batch: NoisyPatches) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum of the squared errors of the predicted noise / (2 B), as DnCNN has it (PROTOCOL section 1).

    Returns:
        The loss, and no further values.
    """
    errors = network(batch.clean + batch.noise) - batch.noise
    return errors.square().sum() / (2 * len(errors)), {}


def initialise_dncnn(network: nn.Module, seed: int) -> None:
    """Draw a DnCNN's first weights (PROTOCOL section 1).

    Convolutions: Kaiming-normal over the fan-in. BatchNorm: gain N(0, sqrt(2/9/64)) clamped to +-0.025 (DnCNN's
    original, in MATLAB, pushed small gains *out* to +-0.025; its PyTorch descendants, this paper's code among them,
    clamp), shift 0.
    """
    generator = generator_for(torch.device("cpu"), seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / 9 / 64), generator=generator)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight.clamp_(-0.025, 0.025)


def train_mse_denoiser(
    samples: Iterable[Sample],
    recipe: Recipe,
    weights: Path,
    device: torch.device | str = "cpu",
    log: Path | None = None,
    checkpoint_every: int = 1000,
    title: str = "CDnCNN-B",
) -> None:
    """Train CDnCNN-B: a DnCNN by plain MSE, blind to the noise level (paper section IV-A; PROTOCOL section 1).

    Args:
        samples: training images; their targets are not used.
        recipe: how.
        weights: safetensors file to write (float32), with recipe, hash of the images and device in its metadata.
            Until then a checkpoint lies beside it, from which a killed training goes on.
        device: where to train.
        log: CSV of the learning curve.
        checkpoint_every: steps between checkpoints.
        title: name in progress bar and errors.

    Raises:
        UsaidError: an image is smaller than a patch, there is none, or as :func:`fit`.
    """
    device = torch.device(device)
    sampler = PatchSampler(((sample.id, sample.image) for sample in samples), recipe.patch, device)
    network = DnCNN(recipe.depth, recipe.features)
    initialise_dncnn(network, recipe.seed)
    network.to(device).to(memory_format=torch.channels_last)  # a quarter faster on the CPU
    facts = {**asdict(recipe), "images_sha256": sampler.sha256, "device_type": device.type}
    fit(
        network,
        lambda step: noisy_patches(sampler, recipe, step),
        mse_loss,
        torch.optim.Adam(network.parameters(), fused=True),
        decayed(recipe.learning_rate, recipe.milestones, recipe.steps),
        recipe.steps,
        checkpoint_beside(weights),
        fingerprint=facts,
        checkpoint_every=checkpoint_every,
        log=log,
        title=title,
    )
    write_weights(network, weights, {**facts, "device": device_description(device), "torch": torch.__version__})
    checkpoint_beside(weights).unlink()
