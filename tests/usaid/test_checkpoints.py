"""Weights in files: whether a state is that of a network."""

import pytest
import torch
from torch import Tensor, nn

from usaid.checkpoints import check_state
from usaid.errors import UsaidError


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def refusal(state: dict[str, Tensor]) -> str:
    with pytest.raises(UsaidError) as error:
        check_state(state, network().state_dict(), "net.pth: not the weights of a test")
    return str(error.value)


def test_a_whole_state_is_returned_as_it_is():
    state = network().state_dict()
    state["1.num_batches_tracked"] += 7
    assert check_state(state, network().state_dict(), "") == dict(state)


def test_counters_may_be_missing_and_the_state_stays_as_it_is():
    state = network().state_dict()
    del state["1.num_batches_tracked"]
    checked = check_state(state, network().state_dict(), "")
    assert checked["1.num_batches_tracked"] == 0
    assert "1.num_batches_tracked" not in state
    network().load_state_dict(checked)


def test_what_does_not_fit_is_named_in_one_line():
    state, start = dict(network().state_dict()), "net.pth: not the weights of a test: "
    assert refusal({key: value for key, value in state.items() if key != "1.bias"}) == f"{start}key '1.bias' is missing"
    narrow = state | {"0.bias": torch.zeros(3)}
    assert refusal(narrow) == f"{start}'0.bias' has shape (3,), not (4,)"
    assert refusal(state | {"2.bias": torch.zeros(4)}) == f"{start}key '2.bias' does not belong to it"
    assert refusal({}) == f"{start}key '0.weight' is missing"
