"""Experiment files: read, laid over one another, and checked."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from usaid.errors import UsaidError
from usaid.experiment.experiment import Experiment
from usaid.experiment.messages import joined, one_line
from usaid.experiment.model import Settings

Checked = TypeVar("Checked", bound=Settings)


def read_experiment(*paths: str | Path) -> Experiment:
    """Read experiment files (later ones override earlier ones, key by key, as Snakemake does) and check them.

    Raises:
        UsaidError: missing file, not YAML, or as :func:`checked_experiment`.
    """
    config: dict[str, Any] = {}
    for path in paths:
        _override(config, _read(path))
    return checked_experiment(config, source=", ".join(map(str, paths)))


def checked_experiment(config: Mapping[str, Any], source: str = "experiment") -> Experiment:
    """Check an experiment and fill in the defaults.

    Args:
        config: the parsed YAML.
        source: what to call it in an error.

    Raises:
        UsaidError: an unknown key or a wrong value; one line with the key, the value and what is allowed.
    """
    return checked_settings(Experiment, config, source)


def checked_settings(kind: type[Checked], keys: Mapping[str, Any], source: str) -> Checked:
    """Settings of a kind, checked.

    Args:
        kind: an experiment, a recipe, a judge's settings ...
        keys: parsed YAML.
        source: what to call it in an error.

    Raises:
        UsaidError: as :func:`checked_experiment`.
    """
    plain = _plain(keys, source)
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        raise UsaidError(f"{source}: {one_line(error, plain)}") from None


def as_config(experiment: Experiment) -> dict[str, Any]:
    """An experiment as the parsed YAML that gives it again, with every default filled in."""
    config: dict[str, Any] = json.loads(experiment.model_dump_json())
    return config


def _read(path: str | Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsaidError(f"{path}: no such experiment file; config/ has some") from None
    except OSError as error:
        raise UsaidError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsaidError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise UsaidError(f"{path}: must be a mapping of keys to values")
    return content


def _plain(value: Any, source: str, key: str = "") -> Any:
    """A copy that JSON can hold, numbers that are keys as text; what else YAML can hold, such as dates, is refused."""
    if isinstance(value, Mapping):
        return {_key(name, source, key): _plain(part, source, joined(key, str(name))) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, source, joined(key, str(number))) for number, part in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise UsaidError(f"{source}: {key} = {value}: must be a finite number")
    if value is not None and not isinstance(value, str | int | float):
        raise UsaidError(f"{source}: {key} = {value}: YAML takes it for a {type(value).__name__}; put it in quotes")
    return value


def _key(name: Any, source: str, parent: str) -> str:
    """``25`` may be a key of ``weights``; ``on`` and ``null`` are no text to YAML."""
    if isinstance(name, bool) or not isinstance(name, str | int | float):
        what = f"YAML takes this key for {json.dumps(name, default=str)}; put it in quotes"
        raise UsaidError(f"{source}: {joined(parent, str(name))}: {what}")
    return str(name)


def _override(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _override(config[key], value)
        else:
            config[key] = value
