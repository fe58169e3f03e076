"""What an experiment has measured beside a benchmark's own metrics; what cannot be had costs its column alone."""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from usaid.cards import Convention
from usaid.errors import UsaidError, reason_of
from usaid.files import sha256_of_file
from usaid.registries import load_object

ImageMetric = Callable[[Tensor, Tensor], Tensor]
"""(denoised, clean), float batches (B, 3, H, W) -> (B,)."""

_NONE: Mapping[str, Any] = MappingProxyType({})


class Further(NamedTuple):
    """Further metrics, each by the name of its convention.

    Attributes:
        metrics: those that can be computed.
        unavailable: why the others cannot, and the cure.
        packages: versions of the optional packages that are used.
        files: SHA-256 of the files that are read, by their place below ``data_root``.
    """

    metrics: Mapping[str, ImageMetric] = _NONE
    unavailable: Mapping[str, str] = _NONE
    packages: Mapping[str, str] = _NONE
    files: Mapping[str, str] = _NONE

    @property
    def record(self) -> dict[str, Any]:
        """What score files say of them; nothing of what there is none of."""
        parts = {"packages": self.packages, "files": self.files, "unavailable": self.unavailable}
        return {name: dict(part) for name, part in parts.items() if part}


def further_metrics(conventions: Iterable[Convention], data_root: Path, device: torch.device) -> Further:
    """Make further metrics.

    Args:
        conventions: of each.
        data_root: where their files lie.
        device: where the batches will be.
    """
    found = Further({}, {}, {}, {})
    for convention in conventions:
        try:
            packages, files = _package_of(convention), _files_of(convention, data_root)
            metric = _made(convention, [data_root / name for name in files], device)
        except (Exception, SystemExit) as error:  # a stranger's code raises anything
            found = found._replace(unavailable={**found.unavailable, convention.name: reason_of(error)})
            continue
        found = Further(
            {**found.metrics, convention.name: metric},
            found.unavailable,
            {**found.packages, **packages},
            {**found.files, **files},
        )
    return found


def _package_of(convention: Convention) -> dict[str, str]:
    """Version of the optional package that a metric imports, if it imports one."""
    package = convention.package
    if package is None:
        return {}
    try:
        return {package: version(package)}
    except PackageNotFoundError:
        raise UsaidError(f"{package} is not installed: pip install 'usaid[{package}]'") from None


def _files_of(convention: Convention, data_root: Path) -> dict[str, str]:
    """SHA-256 of each file that a metric reads."""
    missing = [name for name in convention.files if not (data_root / name).is_file()]
    if missing:
        raise UsaidError(f"place {' and '.join(missing)} below data_root; files of metrics are not fetched")
    return {name: sha256_of_file(data_root / name) for name in convention.files}


def _made(convention: Convention, files: list[Path], device: torch.device) -> ImageMetric:
    metric = load_object(str(convention.compute))
    made = getattr(metric, "made", None)
    return _checked(convention, metric if made is None else made(files, device))


def _checked(convention: Convention, metric: ImageMetric) -> ImageMetric:
    """A metric that names itself where it fails, or gives something else than a number for each image."""
    name = convention.name

    def checked(denoised: Tensor, clean: Tensor) -> Tensor:
        if convention.smallest_side is not None and min(denoised.shape[2:]) < convention.smallest_side:
            return denoised.new_full(denoised.shape[:1], torch.nan)
        try:
            values = metric(denoised, clean)
        except Exception as error:  # a stranger's code raises anything
            raise UsaidError(f"metric {name}: {reason_of(error)}") from error
        if not isinstance(values, Tensor) or values.shape != denoised.shape[:1]:
            given = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise UsaidError(f"metric {name}: returned {given}, not a number for each of {len(denoised)} images")
        return values

    return checked
