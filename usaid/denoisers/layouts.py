"""Layouts: the ways in which files hold the state of a network of a known kind, and which of them a file has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from usaid.checkpoints import check_state, load_state, stored_record, write_weights
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)

_CURE = "save the state_dict of a known network, or give the network itself as file.py:Name"


@dataclass(frozen=True)
class Layout(Generic[Network]):
    """One way in which files hold the state of a network.

    Attributes:
        method: the method that reads it.
        name: as it is recorded: ``"kair"``.
        title: for people: ``"KAIR's DnCNN"``.
        network: a fresh network of the sizes that a state's shapes tell; whatever the state, it makes one. All of its
            tensors are in its state.
        theirs: the network's own state -> the keys and shapes that a file of this layout has.
        ours: a state of this layout -> the network's own.
    """

    method: str
    name: str
    title: str
    network: Callable[[State], Network]
    theirs: Callable[[State], dict[str, Tensor]] = dict
    ours: Callable[[State], dict[str, Tensor]] = dict

    def expected(self, state: State) -> dict[str, Tensor]:
        """What a file of this layout holds if its network has the sizes of ``state``; tensors without values."""
        with torch.device("meta"):
            return self.theirs(self.network(state).state_dict())

    def difference(self, state: State, complaint: str) -> UsaidError | None:
        """The first key by which a state differs from this layout, as an error; None: it has the layout."""
        try:
            check_state(state, self.expected(state), complaint)
        except UsaidError as error:
            return error
        return None

    def likeness(self, state: State) -> tuple[int, int]:
        """How much of a state is as in this layout: keys, and keys with their shapes."""
        expected = self.expected(state)
        shared = [key for key in state if key in expected]
        return len(shared), sum(state[key].shape == expected[key].shape for key in shared)


def with_grey(*layouts: Layout[Network]) -> tuple[Layout[Network], ...]:
    """Layouts of colour networks, and the same ones of networks of grey images, ``"<name>_grey"``.

    Their ``network`` is made with ``channels=1``.
    """
    return (*layouts, *map(_of_grey, layouts))


def _of_grey(layout: Layout[Network]) -> Layout[Network]:
    network: Callable[..., Network] = partial(layout.network, **{"channels": 1})
    return replace(layout, name=f"{layout.name}{GREY}", title=f"{layout.title} of grey images", network=network)


GREY = "_grey"
"""How the names of layouts of one channel end."""


def layout_of(state: State, layouts: Sequence[Layout[Network]], complaint: str) -> Layout[Network]:
    """The layout that a state has.

    Args:
        state: name -> tensor, as :func:`usaid.checkpoints.load_state` reads it.
        layouts: the known ones, at least one.
        complaint: how an error begins: the file, and what it should be of.

    Raises:
        UsaidError: it has none of them; names the nearest, and the first key that differs.
    """
    for layout in layouts:
        if layout.difference(state, complaint) is None:
            return layout
    nearest = max(layouts, key=lambda layout: layout.likeness(state))
    raise UsaidError(f"{nearest.difference(state, f'{complaint} (nearest: {nearest.title})')}; {_CURE}")


def network_of(state: State, layout: Layout[Network], source: str) -> Network:
    """The network whose weights a state of this layout holds, for inference."""
    with torch.device("meta"):
        network = layout.network(state)  # no first weights are drawn
    expected = {key: torch.zeros_like(value, device="cpu") for key, value in network.state_dict().items()}
    network.to_empty(device="cpu").load_state_dict(check_state(layout.ours(state), expected, source))
    return network.requires_grad_(False).eval()


def read_network(
    path: str | Path, layouts: Sequence[Layout[Network]], what: str, sha256: str | None = None
) -> tuple[Network, str]:
    """The network that a file holds, and the name of the layout that it had before this suite wrote it anew.

    Args:
        path: a ``.safetensors`` or torch file.
        layouts: those that the method reads.
        what: it should hold, for errors: ``"a DRUNet"``.
        sha256: its expected hash; None: not checked.

    Raises:
        UsaidError: as :func:`usaid.checkpoints.load_state` or :func:`layout_of`.
    """
    state = load_state(path, sha256)
    layout = layout_of(state, layouts, not_of(path, what))
    return network_of(state, layout, str(path)), layout_recorded(path) or layout.name


def import_network(
    checkpoints: Mapping[str, Path],
    output: Path,
    sha256: str | None,
    *,
    layouts: Sequence[Layout[Network]],
    what: str,
) -> None:
    """Check a checkpoint and write it as safetensors.

    Args:
        checkpoints: ``""`` -> the file.
        output: safetensors file to write, with the checkpoint's hash and layout in its metadata.
        sha256: expected hash of the checkpoint; None: not checked.
        layouts: as of :func:`read_network`.
        what: as of :func:`read_network`.

    Raises:
        UsaidError: as :func:`read_network`.
    """
    network, layout = read_network(checkpoints[""], layouts, what, sha256)
    write_imported(network, checkpoints[""], layout, output)


def write_imported(network: nn.Module, checkpoint: Path, layout: str | None, output: Path) -> None:
    """Write a network that was read from a checkpoint under our own keys, with a record of where it comes from.

    Args:
        network: what was read.
        checkpoint: its file, whose hash is recorded.
        layout: that the checkpoint has; None: the file shows it by its keys.
        output: safetensors file.
    """
    record: dict[str, Any] = {"imported_from_sha256": sha256_of_file(checkpoint)}
    write_weights(network, output, record if layout is None else record | {"layout": layout})


def layout_recorded(path: str | Path) -> str | None:
    """The layout that :func:`write_imported` recorded in a file; None: it did not."""
    layout = stored_record(path).get("layout")
    return layout if isinstance(layout, str) else None


def not_of(path: str | Path, what: str) -> str:
    """How an error about a state of another network begins."""
    return f"{path}: not the weights of {what}"


def depth_and_features(state: State) -> tuple[int, int]:
    """Number of convolutions in a state, and channels behind the first of them; 1 where there is none."""
    filters = [value for value in state.values() if value.ndim == 4]
    return max(len(filters), 1), max(filters[0].shape[0] if filters else 1, 1)
