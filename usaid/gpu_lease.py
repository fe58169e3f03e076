"""A job has its card alone: of this machine's GPUs it keeps one, by a lock that dies with its process.

Jobs enter before torch is imported. Runs of several experiments and users share the locks, which lie in
:data:`FOLDER`: one empty file a card. Nothing is asked of a driver but files below ``/proc``, ``/dev`` and ``/sys``.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from usaid.locks import lock_if_free

FOLDER = "/tmp/usaid-cards"
"""Where the locks are: on the machine itself, whatever ``TMPDIR`` says, so that all of its users see the same ones."""

PLACE = "USAID_CARD_LOCKS"
"""The variable that names another folder, for containers that share cards but not ``/tmp``."""

CUDA, HIP = "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"
"""The variables that say which cards a process sees; torch for AMD cards heeds both."""

SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "SGE_TASK_ID", "FLUX_JOB_ID", "_CONDOR_JOB_AD")
"""One of these is set in a job of a cluster."""

PAUSE = 1.0
"""Seconds between two looks whether one of several cards is free."""


@dataclass(frozen=True)
class Card:
    """A GPU, or an instance of one (MIG), that a process can be given.

    Attributes:
        name: what ``variable`` calls it.
        lock: the name of its lock's file.
        variable: :data:`CUDA` or :data:`HIP`.
    """

    name: str
    lock: str
    variable: str = CUDA


def cards(environment: Mapping[str, str] | None = None, root: Path = Path("/")) -> list[Card]:
    """The cards that this process may use, in the order in which torch counts them; no torch is imported.

    Args:
        environment: of the process; default: this one's. Its :data:`CUDA` or :data:`HIP`, set by a cluster or a user,
            says which there are, whatever else the machine has.
        root: of the file system.
    """
    environment = os.environ if environment is None else environment
    there = _nvidia(root) or _amd(root)
    variable = next((name for name in (HIP, CUDA) if name in environment), None)
    if variable is None:
        return there
    scheduler = next((environment[name] for name in SCHEDULERS if name in environment), "")
    named = []
    for name in map(str.strip, environment[variable].split(",")):
        if not re.fullmatch("[0-9]+|[A-Za-z][A-Za-z0-9/-]*", name) or name == "NoDevFiles":
            break  # as CUDA does: what follows is not seen
        named.append(Card(name, _lock(name, there, scheduler), variable))
    return named


@contextmanager
def card_alone(
    device: str = "auto", environment: Mapping[str, str] | None = None, root: Path = Path("/")
) -> Iterator[Card | None]:
    """Keep a card for this process, and see no other, for as long as the block lasts; waits where none is free.

    Args:
        device: of the experiment. ``cuda:N`` is that card; the process then goes on seeing all. ``cpu``: none.
        environment: as :func:`cards` has it, with :data:`PLACE`; what is set is set in this process.
        root: as :func:`cards` has it.

    Yields:
        The card; None where there is none to be kept: on a machine without, on a cluster that gave this process one.
    """
    environment = os.environ if environment is None else environment
    visible = [] if device == "cpu" else cards(environment, root)
    number = re.fullmatch("cuda:([0-9]+)", device)
    wanted = visible[int(number[1]) :][:1] if number else visible
    is_given = len(visible) == 1 and visible[0].name == environment.get(visible[0].variable)
    if not wanted or (is_given and any(name in environment for name in SCHEDULERS)):
        yield None
        return
    with ExitStack() as stack:
        card = _free(wanted, Path(environment.get(PLACE) or FOLDER), stack)
        if not number:
            stack.enter_context(_seen(card))
        yield card


# ------------------------------------------------------------------------------------------------ which there are


def _nvidia(root: Path) -> list[Card]:
    """NVIDIA's cards in the order of the bus, those in MIG mode as their instances."""
    found: list[Card] = []
    for information in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        with suppress(OSError):
            said = dict(re.findall(r"^([^:\n]+):\s*(.*?)\s*$", information.read_text(encoding="utf-8"), re.MULTILINE))
            uuid, minor = said.get("GPU UUID", ""), said.get("Device Minor", "")
            if not (root / f"dev/nvidia{minor}").exists():
                continue  # of the machine, but not of this container
            if any(root.glob(f"proc/driver/nvidia/capabilities/gpu{minor}/mig/gi*")):
                return _instances() or found
            # A driver that does not tell the UUID of a card shows question marks.
            found.append(Card(uuid if re.fullmatch("GPU-[0-9a-f-]+", uuid) else str(len(found)), f"nvidia{minor}"))
    return found


def _instances() -> list[Card]:
    """The cards and instances by name; only nvidia-smi knows those of instances."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return []
    return [Card(name, name) for name in names_of_instances(done.stdout)]


def names_of_instances(listed: str) -> list[str]:
    """What ``nvidia-smi -L`` lists: instances where a card has some, else the card."""
    names: list[str] = []
    for name in re.findall(r"UUID: ((?:GPU|MIG)-[^)\s]+)\)", listed):
        if name.startswith("MIG-") and names and names[-1].startswith("GPU-"):
            names.pop()  # the card that it is part of
        names.append(name)
    return names


def _amd(root: Path) -> list[Card]:
    """AMD's cards: the nodes of the compute driver that are no processors."""
    nodes = sorted(root.glob("sys/class/kfd/kfd/topology/nodes/*/gpu_id"), key=lambda path: int(path.parent.name))
    ids: list[str] = []
    for node in nodes:
        with suppress(OSError):  # a card that this process may not see
            ids += [said for said in [node.read_text(encoding="utf-8").strip()] if said not in ("", "0")]
    return [Card(str(number), f"amd{identity}", HIP) for number, identity in enumerate(ids)]


def _lock(name: str, there: Sequence[Card], scheduler: str) -> str:
    """The lock of a card by any of its names. In a cluster's job numbers count that job's cards."""
    if name.isdecimal():
        if scheduler:
            return re.sub("[^A-Za-z0-9-]", "_", f"job-{scheduler}-{name}")
        return there[int(name)].lock if int(name) < len(there) else name
    whole = next((card.lock for card in there if card.name.startswith(name)), name)  # names may be cut short
    return whole.replace("/", "_")


# ------------------------------------------------------------------------------------------------ locks


def _free(wanted: Sequence[Card], folder: Path, stack: ExitStack) -> Card:
    """The first card whose lock is free, once there is one; kept until the stack ends."""
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o777)  # for all users, and without the sticky bit, which would keep them from each other's files
    except FileExistsError:
        pass
    except OSError as error:
        print(f"warning: {folder}: cannot be made ({error.strerror}); GPUs are shared", file=sys.stderr)
        return wanted[0]
    has_waited = False
    while True:
        for card in wanted:
            if _is_kept(folder / card.lock, stack):
                return card
        if not has_waited:
            print(
                f"waiting for a GPU: other jobs have {'all ' if len(wanted) > 1 else ''}{len(wanted)}", file=sys.stderr
            )
        has_waited = True
        time.sleep(PAUSE)


def _is_kept(path: Path, stack: ExitStack) -> bool:
    """Lock a file if nobody has it. A file system without locks, or a file of somebody else's, goes on without."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)  # a pipe never opens
    except OSError as error:
        print(f"warning: {path}: cannot be opened ({error.strerror}); this GPU may be shared", file=sys.stderr)
        return True
    with suppress(OSError):  # somebody else's
        os.fchmod(file, 0o644)  # whatever the umask, other users have to open it, too
    if not lock_if_free(file):
        os.close(file)
        return False
    stack.callback(os.close, file)
    return True


@contextmanager
def _seen(card: Card) -> Iterator[None]:
    """Let this process see one card alone."""
    before = os.environ.get(card.variable)
    os.environ[card.variable] = card.name
    try:
        yield
    finally:
        if before is None:
            del os.environ[card.variable]
        else:
            os.environ[card.variable] = before
