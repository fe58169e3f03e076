"""The step loop: continuing after a kill, and refusing what would spoil a run."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from usaid.checkpoints import load_state, stored_record
from usaid.devices import device_description
from usaid.errors import UsaidError
from usaid.provenance import git_state
from usaid.training import loop
from usaid.training.loop import Run, Task, decayed, finish, fit, generator_for, train

CPU = torch.device("cpu")
STEPS = 18


def squared_error(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """A loss with a second value for the curve."""
    outputs = network(batch)
    return (outputs - batch.mean(dim=1, keepdim=True)).square().mean(), {"size": outputs.abs().mean()}


class Noise:
    """Batches that depend on the step alone, from images that are called after it."""

    def __call__(self, step: int) -> Tensor:
        return torch.randn(32, 8, generator=generator_for(CPU, 0, step))

    def images_of(self, step: int) -> list[str]:
        return [f"first{step}", f"second{step}"]


def run_in(folder: Path, **options) -> Run:
    """A run of the toy whose files lie in a folder."""
    return Run(folder / "toy.safetensors", CPU, "toy", "toy", **{"checkpoint_every": 5} | options)


def toy(loss=squared_error, steps: int = STEPS, batches=None, **options) -> Task:
    """The task of a network that has running statistics and draws from the global random generator."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(network.parameters())
    options = {"log_every": 3} | options
    return Task(network, batches or Noise(), loss, optimizer, decayed(0.01, [10], steps), steps, **options)


def fit_toy(folder: Path, loss=squared_error, depends_on=None, log_every: int = 3, **options) -> nn.Module:
    """Train the toy on every run alike; options are the run's."""
    task = toy(loss, log_every=log_every)
    fit(task, run_in(folder, **options), depends_on or {"seed": 0, "steps": STEPS})
    return task.network


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
    return torch.load(folder / "toy.checkpoint.pt", weights_only=True)["step"]


def assert_equal_states(one: nn.Module, other: nn.Module) -> None:
    for key, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key


def test_run_killed_while_it_writes_a_checkpoint_ends_with_the_same_bits(tmp_path):
    command = [sys.executable, __file__, str(tmp_path / "killed"), str(torch.get_num_threads())]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert saved_step(tmp_path / "killed") == 5
    assert (tmp_path / "killed" / "toy.csv").read_text().splitlines()[-1].startswith("10,")

    (tmp_path / "killed" / "toy.csv").unlink()  # as a workflow does with a killed job's outputs
    continued = fit_toy(tmp_path / "killed")
    uninterrupted = fit_toy(tmp_path / "whole")

    assert_equal_states(continued, uninterrupted)
    curves = [(tmp_path / name / "toy.csv").read_text() for name in ("killed", "whole")]
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


def test_curve_holds_the_means_since_the_row_before(tmp_path):
    losses = []

    def remembered(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss, parts = squared_error(network, batch)
        losses.append(loss.item())
        return loss, parts

    watched = []
    fit_toy(tmp_path, loss=remembered, watch=watched.append)
    assert [row["step"] for row in watched] == [3, 5, 6, 9, 10, 12, 15, 18]
    expected = [sum(losses[a:b]) / (b - a) for a, b in [(0, 3), (3, 5), (5, 6), (6, 9), (9, 10), (10, 12)]]
    assert [row["loss"] for row in watched[:6]] == pytest.approx(expected)
    written = [line.split(",") for line in (tmp_path / "toy.csv").read_text().splitlines()]
    assert written[0] == list(watched[0])
    assert [float(row[2]) for row in written[1:]] == pytest.approx([row["loss"] for row in watched])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_at_its_step_and_spoils_no_checkpoint(tmp_path, value):
    steps_taken = []

    def fails_at_13(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        steps_taken.append(1)
        loss, parts = squared_error(network, batch)
        return (loss * value if len(steps_taken) == 13 else loss), parts

    with pytest.raises(
        UsaidError, match=rf"toy: the loss is {value:g} at step 13 \(images first13, second13\); lower 'learning_rate'"
    ):
        fit_toy(tmp_path, loss=fails_at_13, log_every=100)
    assert saved_step(tmp_path) == 10
    assert len(steps_taken) == 15, "the loss is looked at before a checkpoint, not at every step"
    fit_toy(tmp_path)  # and the run can go on from there


def test_loss_that_is_not_finite_names_the_images_of_its_own_step(tmp_path):
    def fails_at_once(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return squared_error(network, batch)[0] * math.nan, {}

    with pytest.raises(UsaidError, match=r"nan at step 1 \(images first1, second1\); lower 'learning_rate'$"):
        fit_toy(tmp_path, loss=fails_at_once)


def test_loss_of_batches_that_know_no_images_is_refused_without_them(tmp_path):
    task = toy(lambda network, batch: (squared_error(network, batch)[0] * math.nan, {}), batches=Noise().__call__)
    with pytest.raises(UsaidError, match=r"^toy: the loss is nan at step 1; lower 'learning_rate'$"):
        fit(task, run_in(tmp_path), {})


def test_weight_that_is_not_finite_after_a_finite_loss_is_not_saved(tmp_path):
    def infinite_slope(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return (network[3].bias * 0).sqrt().sum() + network(batch).mean() * 0, {}

    with pytest.raises(UsaidError, match="toy: a weight is not finite after step 1;"):
        fit_toy(tmp_path, loss=infinite_slope, checkpoint_every=1)
    assert not run_in(tmp_path).checkpoint.exists()


def test_checkpoint_of_another_training_is_refused_with_the_keys_that_differ(tmp_path):
    fit_toy(tmp_path, depends_on={"seed": 0, "milestones": (1, 2), "patch": 48})
    fit_toy(tmp_path, depends_on={"milestones": [1, 2], "patch": 48, "seed": 0})
    with pytest.raises(UsaidError) as error:
        fit_toy(tmp_path, depends_on={"seed": 1, "milestones": [1, 2], "batch": 16})
    expected = "batch (None there, 16 here), patch (48 there, None here), seed (0 there, 1 here); delete it"
    assert f"{tmp_path / 'toy.checkpoint.pt'}: checkpoint of another training: {expected}" in str(error.value)


def interrupted_toy(folder: Path, **options) -> None:
    """Train the toy until after its checkpoint at step 10."""

    def stop(row: Mapping[str, float]) -> None:
        if row["step"] == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_toy(folder, watch=stop, **options)
    assert saved_step(folder) == 10


@pytest.mark.parametrize("further", [{}, {"depends_on": {"seed": 1, "batch": 16}}])
def test_training_whose_code_has_changed_starts_anew_and_says_so(tmp_path, capsys, further):
    interrupted_toy(tmp_path, code_hash="0123")
    rows = []
    continued = fit_toy(tmp_path, code_hash="4567", watch=rows.append, **further)
    assert rows[0]["step"] == 3, "not a step of the other code's is kept"
    told = f"toy: the code that trains has changed since {run_in(tmp_path).checkpoint} was written; starting anew\n"
    assert capsys.readouterr().out == told
    assert_equal_states(continued, fit_toy(tmp_path / "whole"))
    curves = [(folder / "toy.csv").read_text() for folder in (tmp_path, tmp_path / "whole")]
    assert curves[0] == curves[1]


def test_training_of_the_same_code_goes_on_without_a_word(tmp_path, capsys):
    interrupted_toy(tmp_path, code_hash="0123")
    rows = []
    continued = fit_toy(tmp_path, code_hash="0123", watch=rows.append)
    assert rows[0]["step"] == 12
    assert capsys.readouterr().out == ""
    assert_equal_states(continued, fit_toy(tmp_path / "whole"))


def test_other_differences_are_refused_where_the_code_is_the_same(tmp_path):
    interrupted_toy(tmp_path, code_hash="0123")
    with pytest.raises(
        UsaidError, match=r"another training: seed \(0 there, 1 here\); delete it, or restore the keys$"
    ):
        fit_toy(tmp_path, code_hash="0123", depends_on={"seed": 1, "steps": STEPS})


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a checkpoint"])
def test_unreadable_checkpoint_is_refused(tmp_path, content):
    run_in(tmp_path).checkpoint.write_bytes(content)
    with pytest.raises(UsaidError, match=r"toy\.checkpoint\.pt: not a readable checkpoint; delete it"):
        fit_toy(tmp_path)


DAMAGES: dict[str, Any] = {
    "step": [0, -5, 10**6, "5", None],
    "curve": ["x", [{"loss": "x"}], None],
    "network": [{}, None, {"weight": torch.zeros(3, 3)}],
    "optimizer": [{}, None],
    "random_state": [torch.zeros(3, dtype=torch.uint8), None],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in DAMAGES.items() for value in values])
def test_damaged_checkpoint_is_refused(tmp_path, key, value):
    interrupted_toy(tmp_path)
    checkpoint = run_in(tmp_path).checkpoint
    torch.save(torch.load(checkpoint, weights_only=True) | {key: value}, checkpoint)
    with pytest.raises(
        UsaidError, match=r"toy\.checkpoint\.pt: a damaged checkpoint; delete it to train from the start$"
    ):
        fit_toy(tmp_path)


def test_checkpoint_with_weights_that_are_not_finite_is_refused(tmp_path):
    interrupted_toy(tmp_path)
    checkpoint = run_in(tmp_path).checkpoint
    content = torch.load(checkpoint, weights_only=True)
    next(iter(content["network"].values())).fill_(float("nan"))
    torch.save(content, checkpoint)
    with pytest.raises(UsaidError, match=r"toy\.checkpoint\.pt: a damaged checkpoint; delete it"):
        fit_toy(tmp_path)


@pytest.mark.parametrize("what", ["checkpoint", "curve"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, what, monkeypatch):
    path = getattr(run_in(tmp_path), what)
    if what == "curve":
        path.mkdir()
    else:

        def save(content: object, file: Path) -> None:
            Path(file).write_bytes(b"half")
            raise RuntimeError("[enforce fail at inline_container.cc:862] . PytorchStreamWriter failed writing file")

        monkeypatch.setattr(torch, "save", save)
    with pytest.raises(UsaidError, match=rf"{path.name}: cannot be written \((No space left|Is a directory)"):
        fit_toy(tmp_path)
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".part")]


def test_gpu_out_of_memory_names_the_key_to_lower(tmp_path):
    def too_large(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nand a second line")

    with pytest.raises(UsaidError, match=r"^toy: the GPU's memory is too small at step 1; lower 'batch'$"):
        fit_toy(tmp_path, loss=too_large)


# Snapshots


def snapshots_toy(folder: Path, steps=(4, 10, 14, STEPS), watch=None) -> Run:
    """Train the toy's last layer with snapshots, checkpoints every five steps."""
    task = toy(snapshots=steps)
    train(task, run_in(folder, watch=watch), {"seed": 0}, result=task.network[3])
    return run_in(folder)


def stop_at(step: int):
    """What watches a training and interrupts it there."""

    def watch(row: Mapping[str, float]) -> None:
        if row["step"] == step:
            raise KeyboardInterrupt

    return watch


def test_snapshot_holds_the_weights_after_its_step_and_says_which(tmp_path):
    run = snapshots_toy(tmp_path / "whole", (10, STEPS))
    names = {"toy.csv", "toy.json", "toy.safetensors", "toy.10.safetensors", f"toy.{STEPS}.safetensors"}
    assert {path.name for path in run.weights.parent.iterdir()} == names
    assert stored_record(run.snapshot(10)) == {**stored_record(run.weights), "step": 10}
    last, final = load_state(run.snapshot(STEPS)), load_state(run.weights)
    assert all(torch.equal(last[key], final[key]) for key in final)

    interrupted_toy(tmp_path)
    state = torch.load(run_in(tmp_path).checkpoint, weights_only=True)["network"]
    assert torch.equal(load_state(run.snapshot(10))["weight"], state["3.weight"])
    assert not torch.equal(load_state(run.snapshot(10))["weight"], final["weight"])


def test_snapshots_change_no_byte_of_the_weights(tmp_path):
    run, plain = snapshots_toy(tmp_path / "with"), snapshots_toy(tmp_path / "without", ())
    assert run.weights.read_bytes() == plain.weights.read_bytes()


@pytest.mark.parametrize("step", [4, 5, 6, 12, 14, 15])
def test_killed_and_continued_training_writes_the_same_snapshots(tmp_path, step):
    whole = snapshots_toy(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        snapshots_toy(tmp_path / "killed", watch=stop_at(step))
    killed = snapshots_toy(tmp_path / "killed")
    for path in (*map(whole.snapshot, (4, 10, 14, STEPS)), whole.weights, whole.curve):
        assert (killed.weights.parent / path.name).read_bytes() == path.read_bytes(), path.name


def test_training_from_the_start_leaves_no_snapshot_of_an_earlier_one(tmp_path):
    run = snapshots_toy(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        snapshots_toy(tmp_path, watch=stop_at(6))
    assert [step for step in (4, 10, 14, STEPS) if run.snapshot(step).exists()] == [4]


def test_snapshot_that_can_no_longer_be_taken_is_named_with_the_cure(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        snapshots_toy(tmp_path, watch=stop_at(12))
    with pytest.raises(UsaidError, match=r"toy\.7\.safetensors: missing, and .* past its step; delete .*drop 7 from"):
        snapshots_toy(tmp_path, (4, 7, 10))
    snapshots_toy(tmp_path, (4, 10, 13))  # a later one still can


def test_snapshot_past_the_end_is_refused_before_the_first_step(tmp_path):
    with pytest.raises(UsaidError, match=r"^toy: 'snapshots' has 19, but the last step is 18; drop it$"):
        snapshots_toy(tmp_path, (4, 19))
    assert not run_in(tmp_path).curve.exists()


# What is left of a training


def test_a_training_leaves_weights_curve_and_record_and_no_checkpoint(tmp_path):
    task, run = toy(), run_in(tmp_path / "weights", code_hash="0123", started=time.perf_counter() - 5)
    train(task, run, {"seed": 0, "steps": None}, result=task.network[3], steps=STEPS, n_images=7)
    assert {path.name for path in run.weights.parent.iterdir()} == {"toy.safetensors", "toy.csv", "toy.json"}
    state = load_state(run.weights)
    assert state.keys() == {"weight", "bias"}
    assert torch.equal(state["weight"], task.network[3].weight)
    content = json.loads(run.record.read_text())
    record = content["training"]
    assert record == stored_record(run.weights)
    assert {key: record[key] for key in ("seed", "steps", "n_images", "code_hash", "device_type")} == {
        **{"seed": 0, "steps": STEPS, "n_images": 7},  # what is only recorded comes last
        **{"code_hash": "0123", "device_type": "cpu"},
    }
    assert (record["device"], record["torch"]) == (device_description(CPU), torch.__version__)
    assert content["git"]["commit"] == git_state()["commit"]
    assert 5 <= content["seconds"] < 60


def test_a_training_without_a_result_writes_its_whole_network(tmp_path):
    task, run = toy(steps=2), run_in(tmp_path)
    train(task, run, {})
    assert load_state(run.weights).keys() == task.network.state_dict().keys()


def test_a_training_that_keeps_no_weights_leaves_curve_and_record(tmp_path):
    task, run = toy(steps=2), run_in(tmp_path)
    fit(task, run, {})
    assert run.checkpoint.exists(), "it goes only when the result is safe"
    finish(run, None, {"supervision": "pixels"})
    assert {path.name for path in tmp_path.iterdir()} == {"toy.csv", "toy.json"}
    assert json.loads(run.record.read_text())["training"]["supervision"] == "pixels"


def test_the_run_says_how_often_checkpoints_are_written_unless_it_leaves_that_to_the_training(tmp_path):
    rows = []
    fit(toy(steps=9, log_every=100, checkpoint_every=4), run_in(tmp_path, checkpoint_every=None, watch=rows.append), {})
    assert [row["step"] for row in rows] == [4, 8, 9]


# Learning rates and random numbers


def test_decay_by_fractions_and_by_steps():
    by_fraction = decayed(1e-3, (0.1, 0.4, 0.8), 100)
    by_step = decayed(1e-3, (10, 40, 80), 100)
    for rate in (by_fraction, by_step):
        decays = {1: 0, 10: 0, 11: 1, 40: 1, 41: 2, 80: 2, 81: 3, 100: 3}
        assert [rate(step) for step in decays] == pytest.approx([1e-3 / 10**power for power in decays.values()])


def test_generators_depend_on_the_whole_key():
    keys = [(0, 1), (1, 0), (1, 1), (0, 1 + 2**32), (2**32, 1), (0, 2)]
    draws = [torch.rand(4, generator=generator_for(CPU, *key)) for key in keys]
    assert len({tuple(draw.tolist()) for draw in draws}) == len(keys)
    assert torch.equal(draws[0], torch.rand(4, generator=generator_for(CPU, 0, 1)))


def test_products_on_a_gpu_are_what_the_task_says(tmp_path, monkeypatch):
    asked: list[tuple[str, torch.device]] = []

    @contextmanager
    def products(precision: str, device: torch.device) -> Iterator[None]:
        asked.append((precision, device))
        yield

    monkeypatch.setattr(loop, "float32_products", products)
    for precision in ("float32", "tf32"):
        fit(toy(steps=1, precision=precision), run_in(tmp_path / precision), {})
    assert asked == [("float32", CPU), ("tf32", CPU)]


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    fit_toy_until_killed(Path(sys.argv[1]))
