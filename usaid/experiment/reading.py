"""Experiment files: read, laid over one another, and checked."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from usaid.errors import UsaidError
from usaid.experiment.experiment import Experiment
from usaid.experiment.messages import joined, one_line
from usaid.experiment.model import Settings
from usaid.experiment.yaml_files import DEEPEST, MOST_VALUES, read_mapping

Checked = TypeVar("Checked", bound=Settings)


def read_experiment(*paths: str | Path) -> Experiment:
    """Read experiment files (later ones override earlier ones, key by key, as Snakemake does) and check them.

    Raises:
        UsaidError: as :func:`checked_files` and :func:`checked_experiment`.
    """
    config: dict[str, Any] = {}
    for content in checked_files(paths):
        _override(config, content)
    return checked_experiment(config, source=", ".join(map(str, paths)))


def checked_files(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The parsed YAML of experiment files, one by one.

    What has parsed them already may have been laxer: a key that stands twice, say, is not in what Snakemake hands over.

    Raises:
        UsaidError: missing file, not YAML, a repeated key, aliases without end, as
            :func:`usaid.experiment.yaml_files.read_mapping`.
    """
    contents = []
    for path in paths:
        contents.append(read_mapping(path, "experiment file; config/ has some"))
        if "__use_yte__" in contents[-1]:
            raise UsaidError(f"{path}: key '__use_yte__' has Snakemake run what the file says as Python; drop it")
    return contents


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
    plain = _Plain(source).of(keys)
    try:
        return kind.model_validate(plain)
    except ValidationError as error:
        raise UsaidError(f"{source}: {one_line(error, plain)}") from None


def as_config(experiment: Experiment) -> dict[str, Any]:
    """An experiment as the parsed YAML that gives it again, with every default filled in."""
    config: dict[str, Any] = json.loads(experiment.model_dump_json())
    return config


class _Plain:
    """Makes copies that JSON can hold, of a bounded size: what shares a part many times may be without end."""

    def __init__(self, source: str) -> None:
        self.source, self.values = source, 0

    def of(self, value: Any, key: str = "", depth: int = 0) -> Any:
        """A copy; numbers that are keys become text. What else YAML can hold, such as dates, is refused."""
        self.values += 1
        if self.values > MOST_VALUES or depth > DEEPEST:
            limit = f"{DEEPEST} levels" if depth > DEEPEST else f"{MOST_VALUES:,} values"
            raise UsaidError(f"{self.source}: {key or 'it'} has more than {limit}, aliases written out; write fewer")
        if isinstance(value, Mapping):
            copy: dict[str, Any] = {}
            for name, part in value.items():
                text = self._key(name, key)
                if text in copy:
                    raise UsaidError(f"{self.source}: key {joined(key, text)!r} stands there twice; drop one")
                copy[text] = self.of(part, joined(key, text), depth + 1)
            return copy
        if isinstance(value, list | tuple):
            return [self.of(part, joined(key, str(number)), depth + 1) for number, part in enumerate(value)]
        if isinstance(value, float) and not math.isfinite(value):
            raise UsaidError(f"{self.source}: {key} = {value}: must be a finite number")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise UsaidError(f"{self.source}: {key}: the number is too large; write a smaller one")
        if value is not None and not isinstance(value, str | int | float):
            what = f"{str(value)[:80]}: YAML takes it for a {type(value).__name__}"
            raise UsaidError(f"{self.source}: {key} = {what}; put it in quotes")
        return value

    def _key(self, name: Any, parent: str) -> str:
        """``25`` may be a key of ``weights``; ``on`` and ``null`` are no text to YAML."""
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            what = f"YAML takes this key for {json.dumps(name, default=str)}; put it in quotes"
            raise UsaidError(f"{self.source}: {joined(parent, str(name))}: {what}")
        return str(name)


def _override(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _override(config[key], value)
        else:
            config[key] = value
