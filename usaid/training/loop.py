"""The step loop that every training shares: it can be killed and continued, and stops where it would go wrong."""

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from usaid.checkpoints import write_weights
from usaid.devices import PRECISIONS, device_description, float32_products
from usaid.errors import UsaidError
from usaid.files import written, written_atomically
from usaid.progress import progress_of
from usaid.provenance import provenance_of_run

Batch = TypeVar("Batch")

CODE_HASH = "code_hash"
"""Key of a checkpoint's fingerprint and of a training's record."""

# ------------------------------------------------------------------------------------------------ the loop


@dataclass(frozen=True)
class Run:
    """One training: where its files lie, what it runs on, and who watches.

    What a card's ``training`` gets as its last argument. It is a function ``train(samples, recipe, run)`` for a method
    (clean images, its :class:`usaid.experiment.model.TrainingRecipe`) and ``train(samples, settings, run)`` for a judge
    (its :class:`usaid.experiment.benchmark.BenchmarkSettings`). It writes ``run.weights``, and usually ends in a call
    of :func:`train`.

    Attributes:
        weights: safetensors file to write; the learning curve (``.csv``) and the record (``.json``) get its name. Until
            they are whole a checkpoint lies beside it, from which a killed training goes on.
        device: where to train.
        title: what the progress and errors call it.
        name: of the method or benchmark that is trained.
        data_root: where the weights of encoders lie.
        code_hash: of the code that trains; a checkpoint of other code is not gone on from.
        checkpoint_every: steps between checkpoints; None: the training's own choice.
        watch: is called with each new row of the learning curve.
        started: when, by ``time.perf_counter()``.
    """

    weights: Path
    device: torch.device
    title: str
    name: str
    data_root: str | Path = "data"
    code_hash: str = ""
    checkpoint_every: int | None = None
    watch: Callable[[Mapping[str, float]], None] | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def curve(self) -> Path:
        """The learning curve: CSV, a row for each look at the loss."""
        return self.weights.with_suffix(".csv")

    @property
    def record(self) -> Path:
        """What was trained, on what, and where: JSON."""
        return self.weights.with_suffix(".json")

    @property
    def checkpoint(self) -> Path:
        """Where the training goes on from after a kill."""
        return self.weights.with_name(f"{self.weights.stem}.checkpoint.pt")

    def snapshot(self, step: int) -> Path:
        """The weights after a step that the task takes a snapshot of: a safetensors file like ``weights``."""
        return self.weights.with_name(f"{self.weights.stem}.{step}.safetensors")


@dataclass(frozen=True)
class Task(Generic[Batch]):
    """What is minimised, over what.

    Attributes:
        network: the weights to learn, on the device of the batches; put into training mode. Networks that stay frozen
            belong into ``loss``.
        batches: step (from 1) -> batch. If it has a method ``images_of`` (step -> ids of the images in its batch), the
            error about a loss that is not finite names them.
        loss: (network, batch) -> the scalar to minimise, and named scalars on the same device for the learning curve.
        optimizer: over the parameters to learn; all its groups get the learning rate of the step.
        learning_rate: step (from 1) -> learning rate; :func:`decayed` makes one.
        steps: number of the last step.
        log_every: steps between looks at the loss; nothing crosses from device to host in between.
        checkpoint_every: steps between checkpoints, if the run does not say it.
        precision: a GPU's float32 products, on the way there and back, are TF32 only if this is ``tf32``.
        snapshots: steps after which the weights so far are kept beside the final ones (:meth:`Run.snapshot`).
    """

    network: nn.Module
    batches: Callable[[int], Batch]
    loss: Callable[[nn.Module, Batch], tuple[Tensor, Mapping[str, Tensor]]]
    optimizer: torch.optim.Optimizer
    learning_rate: Callable[[int], float]
    steps: int
    log_every: int = 50
    checkpoint_every: int = 500
    precision: str = "float32"
    snapshots: Collection[int] = ()


def train(
    task: Task[Batch], run: Run, depends_on: Mapping[str, Any], result: nn.Module | None = None, **further: Any
) -> None:
    """A whole training: :func:`fit`, then :func:`finish`.

    Args:
        task: what is minimised.
        run: where its files lie, and on what it runs.
        depends_on: JSON-able: the recipe, hashes of images and encoder ...
        result: the network to write, in snapshots too; default: the task's.
        further: JSON-able values that are only recorded: ``n_images`` ...

    Raises:
        UsaidError: as :func:`fit`.
    """
    fit(task, run, depends_on, result)
    finish(run, task.network if result is None else result, {**depends_on, **further})


def fit(task: Task[Batch], run: Run, depends_on: Mapping[str, Any], result: nn.Module | None = None) -> None:
    """Minimise a loss over the steps of a task; after a kill, the same call goes on from the last checkpoint.

    Batches and learning rates are functions of the step alone, and the checkpoint holds all that changes from step to
    step, so a run that was killed ends with the same weights as one that was not: bit for bit on the CPU with the same
    number of threads, and up to the order of CUDA's sums on a GPU. The learning curve has a row for every
    ``log_every`` steps and for checkpoints, with step, learning rate and the means since the row before. The checkpoint
    holds it too: a continued run writes it anew from there, so that a curve that a workflow deleted with its other
    unfinished files is whole again.

    Args:
        task: what is minimised.
        run: where its files lie. Its checkpoint stays: :func:`finish` deletes it when the result is safe.
        depends_on: JSON-able values that the run depends on; a checkpoint with others is refused. A checkpoint of other
            code (``run.code_hash``) is not gone on from: the training starts anew, and says so.
        result: the network that snapshots hold; default: the task's. Each is a checkpoint, too.

    Raises:
        UsaidError: the loss or a weight stops being finite (names the step and its images), the checkpoint is
            unreadable or of another run (names the differing keys), the GPU's memory is too small for the batch, or a
            snapshot is past the last step, or missing though the checkpoint is past it.
    """
    task.network.train()
    learnt = task.network if result is None else result
    fingerprint = {**depends_on, "device_type": run.device.type, CODE_HASH: run.code_hash}
    done, curve = _load_checkpoint(run, fingerprint, task)
    _check_snapshots(task, run, done)
    _write_rows(run.curve, "w", curve)
    checkpoint_every = run.checkpoint_every or task.checkpoint_every
    window: list[dict[str, Tensor]] = []
    products = float32_products(task.precision, run.device)
    with products, progress_of(task.steps, run.title, "step", done) as bar:
        for step in range(done + 1, task.steps + 1):
            try:
                window.append(_take_step(task, step))
            except torch.OutOfMemoryError:
                raise UsaidError(f"{run.title}: the GPU's memory is too small at step {step}; lower 'batch'") from None
            due = step % checkpoint_every == 0 or step == task.steps or step in task.snapshots
            if due or step % task.log_every == 0:
                means = _finite_means(window, step, run.title, getattr(task.batches, "images_of", None))
                window.clear()
                bar.set_postfix({name: f"{value:.4g}" for name, value in means.items()}, refresh=False)
                curve.append({"step": step, "learning_rate": task.learning_rate(step), **means})
                if run.watch is not None:
                    run.watch(curve[-1])
                _write_rows(run.curve, "a", curve[-1:])
            if due:
                _check_weights(task.network, step, run.title)
                if step in task.snapshots:
                    _write_network(run, run.snapshot(step), learnt, depends_on, step=step)
                _save_checkpoint(run.checkpoint, fingerprint, task, step, curve)
            bar.update()


def finish(run: Run, network: nn.Module | None, record: Mapping[str, Any]) -> None:
    """End a training: write the weights and its record, and drop the checkpoint.

    Args:
        run: where the files lie.
        network: what was trained: a safetensors file with the record in its metadata; None: only the record is kept.
        record: JSON-able, about the training; device and torch's version are added.
    """
    record = _write_network(run, run.weights, network, record)
    seconds = round(time.perf_counter() - run.started, 1)
    content = {**provenance_of_run(run.device), "training": record, "seconds": seconds}
    with written_atomically(run.record) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    run.checkpoint.unlink(missing_ok=True)


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


def optimizer_of(
    name: Literal["sgd", "adamw"], network: nn.Module, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """The optimizer of all parameters of a network; its learning rate is :func:`fit`'s to set.

    Args:
        name: ``sgd``, or ``adamw`` (Adam with decoupled weight decay), which has no use for ``momentum``.
        network: what to learn.
        momentum: of SGD.
        weight_decay: of all parameters.
    """
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=momentum, weight_decay=weight_decay, fused=True)
    return torch.optim.AdamW(network.parameters(), weight_decay=weight_decay, fused=True)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Where a forward pass computes in ``precision``, a name of :data:`PRECISIONS`; float32: as written."""
    return torch.autocast(device.type, torch.bfloat16, enabled=PRECISIONS[precision] == torch.bfloat16)


def _take_step(task: Task[Batch], step: int) -> dict[str, Tensor]:
    rate, optimizer = task.learning_rate(step), task.optimizer
    for group in optimizer.param_groups:
        group["lr"] = rate
    total, parts = task.loss(task.network, task.batches(step))
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
        loss = f"{values[bad[0, 0], 0]:g}"
        raise UsaidError(f"{title}: the loss is {loss} at step {step}{images}; lower 'learning_rate'")
    return dict(zip(names, values.mean(dim=0).tolist(), strict=True))


def _check_weights(network: nn.Module, step: int, title: str) -> None:
    if not _is_finite(network):
        raise UsaidError(f"{title}: a weight is not finite after step {step}; lower 'learning_rate'")


def _is_finite(network: nn.Module) -> bool:
    return bool(torch.stack([value.isfinite().all() for value in network.state_dict().values()]).all())


# ------------------------------------------------------------------------------------------------ its files


def _write_network(
    run: Run, path: Path, network: nn.Module | None, record: Mapping[str, Any], **further: Any
) -> dict[str, Any]:
    """Write a network, if there is one, with its record in the metadata; the record, with code and machine added."""
    whole = {**record, **further, "device_type": run.device.type, CODE_HASH: run.code_hash}
    whole |= {"device": device_description(run.device), "torch": str(torch.__version__)}
    if network is not None:
        with _tensors_of_their_own(network):
            write_weights(network, path, whole)
    return whole


def _check_snapshots(task: Task[Any], run: Run, done: int) -> None:
    """Those up to the step that is done have to be there; later ones are of an earlier training, and go."""
    for step in task.snapshots:
        path = run.snapshot(step)
        if step > task.steps:
            raise UsaidError(f"{run.title}: 'snapshots' has {step}, but the last step is {task.steps}; drop it")
        if step > done:
            path.unlink(missing_ok=True)
        elif not path.is_file():
            cure = f"delete {run.checkpoint} to train from the start, or drop {step} from 'snapshots'"
            raise UsaidError(f"{path}: missing, and the training is past its step; {cure}")


@contextmanager
def _tensors_of_their_own(network: nn.Module) -> Iterator[None]:
    """A block in which the state of a network names no tensor twice: safetensors refuses layers that share theirs."""

    def copied(_: nn.Module, state: dict[str, Any], prefix: str, __: object) -> None:
        state.update({key: value.clone() for key, value in state.items() if key.startswith(prefix)})

    hook = network.register_state_dict_post_hook(copied)
    try:
        yield
    finally:
        hook.remove()


def _save_checkpoint(
    path: Path, fingerprint: Mapping[str, Any], task: Task[Any], step: int, curve: list[dict[str, float]]
) -> None:
    device = next(task.network.parameters()).device
    content = {
        "fingerprint": json.dumps(fingerprint),
        "step": step,
        "curve": curve,
        "network": task.network.state_dict(),
        "optimizer": task.optimizer.state_dict(),
        "random_state": torch.get_rng_state(),  # dropout draws from the global generators
        "cuda_random_state": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    with written_atomically(path) as temporary:
        torch.save(content, temporary)


def _load_checkpoint(run: Run, fingerprint: Mapping[str, Any], task: Task[Any]) -> tuple[int, list[dict[str, float]]]:
    """Put the checkpoint's state into network, optimizer and random generators; its step and learning curve."""
    path = run.checkpoint
    if not path.exists():
        return 0, []
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        stored = dict(json.loads(content["fingerprint"]))
    except Exception:  # unpickling raises anything; their common base is Exception
        raise UsaidError(f"{path}: not a readable checkpoint; delete it to train from the start") from None
    wanted = json.loads(json.dumps(fingerprint))
    differing = sorted(key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key))
    if CODE_HASH in differing:
        print(f"{run.title}: the code that trains has changed since {path} was written; starting anew")
        return 0, []
    if differing:
        changes = ", ".join(f"{key} ({stored.get(key)} there, {wanted.get(key)} here)" for key in differing)
        raise UsaidError(f"{path}: checkpoint of another training: {changes}; delete it, or restore the keys")
    try:
        step, curve = _restore(content, task)
    except Exception:  # whatever a damaged state makes torch raise
        raise UsaidError(f"{path}: a damaged checkpoint; delete it to train from the start") from None
    return step, curve


def _restore(content: Mapping[str, Any], task: Task[Any]) -> tuple[int, list[dict[str, float]]]:
    task.network.load_state_dict(content["network"])
    task.optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random_state"])
    device = next(task.network.parameters()).device
    if device.type == "cuda" and content["cuda_random_state"] is not None:
        torch.cuda.set_rng_state(content["cuda_random_state"], device)
    step, curve = content["step"], [{str(key): float(value) for key, value in row.items()} for row in content["curve"]]
    if not (isinstance(step, int) and 0 < step <= task.steps and _is_finite(task.network)):
        raise ValueError(step)
    return step, curve


def _write_rows(log: Path, mode: Literal["w", "a"], rows: Sequence[Mapping[str, float]]) -> None:
    with written(log):
        log.parent.mkdir(parents=True, exist_ok=True)
    with written(log), open(log, mode, encoding="utf-8") as file:
        if rows and file.tell() == 0:
            file.write(",".join(rows[0]) + "\n")
        file.writelines(",".join(f"{value:.9g}" for value in row.values()) + "\n" for row in rows)
