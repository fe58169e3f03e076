"""The step loop: continuing after a kill, and refusing what would spoil a run."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from usaid.errors import UsaidError
from usaid.training.loop import decayed, fit, generator_for

CPU = torch.device("cpu")
STEPS = 18


def squared_error(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """A loss with a second value for the curve."""
    outputs = network(batch)
    return (outputs - batch.mean(dim=1, keepdim=True)).square().mean(), {"size": outputs.abs().mean()}


def fit_toy(folder: Path, loss=squared_error, fingerprint=None, steps: int = STEPS, **options) -> nn.Module:
    """Train a network that has running statistics and draws from the global random generator, on every run alike."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 1))
    options = {"checkpoint_every": 5, "log_every": 3, "title": "toy"} | options
    fit(
        network,
        lambda step: torch.randn(32, 8, generator=generator_for(CPU, 0, step)),
        loss,
        torch.optim.Adam(network.parameters()),
        decayed(0.01, [10], steps),
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
    written = [line.split(",") for line in (tmp_path / "curve.csv").read_text().splitlines()]
    assert written[0] == list(watched[0])
    assert [float(row[2]) for row in written[1:]] == pytest.approx([row["loss"] for row in watched])


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


def test_loss_that_is_not_finite_names_the_images_of_its_own_step(tmp_path):
    def fails_at_once(network: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return squared_error(network, batch)[0] * math.nan, {}

    with pytest.raises(UsaidError, match=r"nan at step 1 \(images first1, second1\); lower 'learning_rate'$"):
        fit_toy(tmp_path, loss=fails_at_once, images_of=lambda step: [f"first{step}", f"second{step}"])


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


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    fit_toy_until_killed(Path(sys.argv[1]))
