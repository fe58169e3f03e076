"""What networks of a user's own cost: made once in a process of their own, counted on a small image, and remembered.

Counts lie in ``~/.cache/usaid/networks.json``, by the code of the file, its options, and how it is called. Whoever
only asks for a count imports no torch.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from evaluators.dag.dag import Dag
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.files import written_atomically
from usaid.own_files import names_file
from usaid.registries import METHODS

SECONDS = 60
"""That a stranger's code may take to be made and called once."""


def counts_file() -> Path:
    """Where counts are remembered."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(folder, "usaid", "networks.json")


def counted_flop(entry: DenoiserEntry) -> float | None:
    """FLOP of a network for each pixel; None: nobody has counted it, or it cannot be counted."""
    path = counts_file()
    flop = _counts(path, _stamp(path)).get(_key(entry))
    return flop or None


def count_networks(dag: Dag, denoisers: Iterable[str]) -> None:
    """Count those of some denoisers whose cards say no cost, unless that was tried before.

    Each is made by its own code, in another process, which has :data:`SECONDS`. What cannot be made, or is no network
    of torch's, has no count. A process that does not end well is tried again next time.
    """
    path = counts_file()
    known = _counts(path, _stamp(path))
    entries = [dag.entries[name] for name in denoisers if name in dag.entries]
    own = [entry for entry in entries if entry.card.cost is None and entry.method not in METHODS]
    asked = {key: entry for entry in own if (key := _key(entry)) not in known}
    counts = _counted([_told(entry) for entry in asked.values()]) if asked else []
    if not counts:
        return
    known = known | dict(zip(asked, counts, strict=True))
    try:
        with written_atomically(path) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    except OSError:
        return  # counted again next time


def _counted(told: list[dict[str, Any]]) -> list[float | None]:
    command = [sys.executable, "-m", "evaluators.plan.count"]
    folders = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders)), "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command,
            input=json.dumps(told),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment,
            check=True,
        )
        counts: list[float | None] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    return counts if len(counts) == len(told) else []


def _told(entry: DenoiserEntry) -> dict[str, Any]:
    adapt = None if entry.adapt is None else entry.adapt.model_dump(mode="json", exclude_defaults=True)
    return {"method": entry.method, "options": dict(entry.options), "adapt": adapt}


def _key(entry: DenoiserEntry) -> str:
    """Of an entry's network: of its file (not of a module that is installed), options, and how it is called."""
    digest = hashlib.sha256(json.dumps(_told(entry), sort_keys=True).encode())
    if names_file(entry.method):
        with suppress(OSError):
            digest.update(Path(entry.method.rpartition(":")[0]).read_bytes())
    return digest.hexdigest()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@cache
def _counts(path: Path, stamp: int) -> dict[str, float | None]:
    """What is remembered; nothing of a file that is not there or is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
