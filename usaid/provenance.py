"""Where a result comes from: commit, package versions, machine."""

import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from usaid.devices import device_description

PACKAGES = (
    *("torch", "torchvision", "timm", "segmentation-models-pytorch", "ultralytics", "pycocotools", "numpy", "scipy"),
    *("pandas", "pyarrow", "pillow", "safetensors", "snakemake"),
)
"""Whose versions every run records."""


def provenance_of_run(device: torch.device, packages: Iterable[str] = ()) -> dict[str, Any]:
    """Facts about this run that do not depend on what it computes, as JSON-able values.

    Args:
        device: it computes on.
        packages: further ones whose versions count: those that a method's card names.

    Returns:
        ``git`` (commit, dirty), ``packages`` (name -> version), ``python``, ``platform`` and ``device``.
    """
    return {
        "git": git_state(),
        "packages": {name: number for name in (*PACKAGES, *packages) if (number := _version(name))},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device_description(device),
    }


def git_state(folder: str | Path | None = None) -> dict[str, Any]:
    """Commit of the checkout that the code runs from, and whether files differ from it.

    Returns:
        ``{"commit": 40 digits or None, "dirty": bool or None}``; None outside a checkout.
    """
    folder = folder or Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "--no-optional-locks", *arguments],  # which would write the index
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=30,
            )
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
