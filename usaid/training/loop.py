"""The step loop that every training shares: it can be killed and continued, and stops where it would go wrong."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from usaid.checkpoints import write_weights
from usaid.denoisers.dncnn.denoiser import PRECISIONS
from usaid.devices import device_description
from usaid.errors import UsaidError
from usaid.files import written_atomically
from usaid.provenance import write_record_of_training

Batch = TypeVar("Batch")
Optimizer = Literal["sgd", "adamw"]

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
    images_of: Callable[[int], Sequence[str]] | None = None,
    watch: Callable[[Mapping[str, float]], None] | None = None,
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
        images_of: step -> ids of the images in its batch, for the error about a loss that is not finite.
        watch: is called with each new row of the learning curve.

    Raises:
        UsaidError: the loss or a weight stops being finite (names the step and its images), the checkpoint is
            unreadable or of another run (names the differing keys), or the GPU's memory is too small for the batch.
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
                means = _finite_means(window, step, title, images_of)
                window.clear()
                bar.set_postfix({name: f"{value:.4g}" for name, value in means.items()}, refresh=False)
                curve.append({"step": step, "learning_rate": rate, **means})
                if watch is not None:
                    watch(curve[-1])
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


def write_trained(
    network: nn.Module, weights: Path, facts: Mapping[str, Any], device: torch.device, seconds: float
) -> None:
    """End a training: write the weights and its record, and drop the checkpoint.

    Args:
        network: what was trained.
        weights: safetensors file to write, with the facts in its metadata; a JSON file of its name gets the record.
        facts: JSON-able, about the training; device and torch's version are added.
        device: where it was trained.
        seconds: what it took.
    """
    facts = {**facts, "device": device_description(device), "torch": torch.__version__}
    write_weights(network, weights, facts)
    write_record_of_training(weights.with_suffix(".json"), device, {"training": facts}, seconds)
    checkpoint_beside(weights).unlink(missing_ok=True)


def generator_for(device: torch.device, *key: int) -> torch.Generator:
    """A random generator on ``device`` whose stream depends on the key and the device's type alone.

    The key is hashed because torch's CPU generator takes only the lower 32 bits of a seed: a seed shifted above a step
    would be lost.
    """
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little"))


def optimizer_of(name: Optimizer, network: nn.Module, momentum: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimizer of all parameters of a network; its learning rate is :func:`fit`'s to set.

    Args:
        name: ``sgd``, or ``adamw`` (Adam with decoupled weight decay), which has no use for ``momentum``.
        network: what to learn.
        momentum: of SGD.
        weight_decay: of all parameters.
    """
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=momentum, weight_decay=weight_decay)
    return torch.optim.AdamW(network.parameters(), weight_decay=weight_decay)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Where a forward pass computes in ``precision``, a name of :data:`PRECISIONS`; float32: as written."""
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32")


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


def _finite_means(
    window: list[dict[str, Tensor]], last_step: int, title: str, images_of: Callable[[int], Sequence[str]] | None
) -> dict[str, float]:
    """Mean of each value over the steps up to ``last_step``, in one transfer; refuses a loss that is not finite."""
    names = list(window[0])
    on_device = torch.stack([row[name].float() for row in window for name in names])
    values = on_device.cpu().double().reshape(len(window), len(names))
    bad = (~values[:, 0].isfinite()).nonzero()
    if len(bad):
        step = last_step - len(window) + 1 + int(bad[0])
        images = f" (images {', '.join(images_of(step))})" if images_of else ""
        found = f"the loss is {values[bad[0, 0], 0]:g} at step {step}{images}"
        raise UsaidError(f"{title}: {found}; lower 'learning_rate'")
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
