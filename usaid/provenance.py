"""Where a result comes from: commit, package versions, machine."""

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from usaid.devices import device_description
from usaid.files import written_atomically

PACKAGES = (
    *("torch", "torchvision", "timm", "segmentation-models-pytorch", "ultralytics", "pycocotools", "numpy", "scipy"),
    *("pandas", "pyarrow", "pillow", "safetensors", "snakemake", "bm3d", "bm4d"),
)


def provenance_of_run(device: torch.device) -> dict[str, Any]:
    """Facts about this run that do not depend on what it computes, as JSON-able values.

    Returns:
        ``git`` (commit, dirty), ``packages`` (name -> version), ``python``, ``platform`` and ``device``.
    """
    return {
        "git": git_state(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device_description(device),
    }


def write_record_of_training(path: Path, device: torch.device, facts: Mapping[str, Any], seconds: float) -> None:
    """Write facts about a finished training with :func:`provenance_of_run`, as JSON.

    Args:
        path: the file.
        device: where it was trained.
        facts: JSON-able.
        seconds: since its last start.
    """
    content = {**provenance_of_run(device), **facts, "seconds": round(seconds, 1)}
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def git_state(folder: str | Path | None = None) -> dict[str, Any]:
    """Commit of the checkout that the code runs from, and whether files differ from it.

    Returns:
        ``{"commit": 40 digits or None, "dirty": bool or None}``; None outside a checkout.
    """
    folder = folder or Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain", "--", ":/", ":(exclude,top)results")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
