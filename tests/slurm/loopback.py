"""Slurm on this machine alone: ``slurmctld``, ``slurmd`` and ``munged`` on loopback, in a folder that goes with them.

``python tests/slurm/loopback.py snakemake --profile profiles/slurm ...`` runs a command as on a cluster's login node;
the cluster is one node, whose two cards are null devices. It needs root and Debian's packages (``--install`` fetches
them). A Slurm that is already at work here is not touched: keys, sockets, ports, state and logs are of its own.
"""

import argparse
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
"""Debian's names."""

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "srun", "munged", "setpriv")

CPUS = 8
"""What the node says that it has, however many there are: jobs of the test mostly wait."""

CARDS = 2

PATIENCE = 30
"""Seconds that a daemon may take to answer."""

CONFIGURATION = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# Addresses of loopback only, also for srun.
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
# Without cgroups, so that a container will do.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
MpiDefault=none
# Jobs begin and end at once; a finished one is remembered for squeue.
SchedulerType=sched/builtin
SchedulerParameters=sched_min_interval=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MinJobAge=600
KillWait=5
InactiveLimit=0
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000 Gres=gpu:{cards} State=UNKNOWN
PartitionName=all Nodes=node Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def why_not() -> str:
    """Why this machine cannot have it, in one line; empty: it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "slurmd runs jobs for others: it needs root"
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install {' '.join(PACKAGES)})"
    return ""


def install() -> None:
    """Fetch Debian's packages; none of their services is started."""
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments], env=quiet, check=True, timeout=600)


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """A cluster of one node for as long as the block lasts.

    Yields:
        The environment of a process that is to be on it.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        environment = os.environ | {"PATH": f"{folder}/bin:{_path()}", "SLURM_CONF": str(folder / "slurm.conf")}
        for name in [name for name in environment if name.startswith(("SLURM_JOB", "SBATCH_", "SRUN_"))]:
            del environment[name]  # of a job that this may run in
        _configure(folder)
        daemons: list[subprocess.Popen[bytes]] = []
        stack.callback(_stop, daemons)
        for command, is_up in _daemons(folder):
            daemons.append(_start(command, folder, environment))
            _wait_for(lambda is_up=is_up: is_up(environment), daemons[-1], folder)
        stack.callback(_cancel_all, environment)
        yield environment


def _path() -> str:
    """Debian has daemons where not every user looks."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _configure(folder: Path) -> None:
    for name in ("munge", "state", "spool", "cards", "bin"):
        (folder / name).mkdir(mode=0o755)
    folder.chmod(0o755)  # munged refuses a socket that not everybody reaches
    (folder / "munge/key").write_bytes(os.urandom(128))
    (folder / "munge/key").chmod(0o400)
    cards = [folder / f"cards/{number}" for number in range(CARDS)]
    for card in cards:
        os.mknod(card, stat.S_IFCHR | 0o666, os.makedev(1, 3))  # as /dev/null
    # Snakemake's executor takes all that begins with SLURM_ from the environment in which it calls srun.
    srun = folder / "bin/srun"
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun", path=_path())} "$@"\n')
    srun.chmod(0o755)
    ports = dict(zip(("controller_port", "node_port"), _free_ports(2), strict=True))
    host = socket.gethostname().partition(".")[0]
    text = CONFIGURATION.format(folder=folder, host=host, cpus=CPUS, cards=CARDS, **ports)
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    files = "".join(f"NodeName=node Name=gpu File={card}\n" for card in cards)
    (folder / "gres.conf").write_text(f"AutoDetect=off\n{files}", encoding="utf-8")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]


def _daemons(folder: Path) -> list[tuple[list[str], Callable[[dict[str, str]], bool]]]:
    """Commands of processes that stay in the foreground, and how to see that each is up."""
    munge = folder / "munge"
    files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    options = [f"--{option}={munge / name}" for option, name in files.items()]
    configuration = ["-D", "-f", str(folder / "slurm.conf")]
    return [
        (["munged", "--foreground", "--force", *options], lambda _: (munge / "socket").exists()),
        (["slurmctld", *configuration, "-c"], lambda environment: "UP" in _answer(["scontrol", "ping"], environment)),
        (
            ["slurmd", *configuration, "-N", "node"],
            lambda environment: _answer(["sinfo", "--noheader", "--format=%T"], environment).strip() == "idle",
        ),
    ]


def _start(command: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    dying = ("setpriv", "--pdeathsig", "TERM")  # with this process, even if that is killed
    with open(folder / f"{command[0]}.out", "wb") as output:
        return subprocess.Popen(
            [*dying, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _answer(command: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout


def _wait_for(is_up: Callable[[], bool], daemon: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_up():
        if daemon.poll() is not None or time.monotonic() > deadline:
            logs = [*folder.glob("*.out"), *folder.glob("*.log"), folder / "munge/log"]
            said = "\n".join(
                f"{path.name}: {path.read_text(errors='replace')[-2000:]}" for path in logs if path.exists()
            )
            raise RuntimeError(f"{daemon.args!r} is not up:\n{said}")
        time.sleep(0.2)


def _cancel_all(environment: dict[str, str]) -> None:
    """End all jobs, so that none outlives its node."""
    with suppress(subprocess.TimeoutExpired):
        _answer(["scancel", "--partition=all", "--full"], environment)
        deadline = time.monotonic() + PATIENCE
        while _answer(["squeue", "--noheader"], environment).strip() and time.monotonic() < deadline:
            time.sleep(0.2)


def _stop(daemons: list[subprocess.Popen[bytes]]) -> None:
    """The node first, then what it needs."""
    for daemon in reversed(daemons):
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()


def main() -> int:
    """Run a command on it; its exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--install", action="store_true", help="first install Debian's packages that it needs")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run on it")
    options = parser.parse_args()
    if options.install:
        install()
    if reason := why_not():
        print(f"error: no Slurm here: {reason}", file=sys.stderr)
        return 1
    with slurm() as environment:
        return subprocess.run(options.command or ["sinfo"], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
