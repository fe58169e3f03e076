"""An experiment: a YAML file that says which denoisers meet which benchmarks, checked before anything runs."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from usaid.denoisers import CLASSES, NEED_WEIGHTS
from usaid.errors import UsaidError
from usaid.denoisers.dncnn.recipe import METHODS, MLPRecipe, all_keys

ABLATION_SIGMA = 25
"""The sigma of Table II: not printed, but its column K = 21 is Table I's at 25."""


def read_experiment(*paths: str | Path) -> dict[str, Any]:
    """Read experiment files (later ones override earlier ones, key by key, as Snakemake does) and check them.

    Raises:
        UsaidError: missing file, not YAML, or as :func:`checked_experiment`.
    """
    config: dict[str, Any] = {}
    for path in paths:
        try:
            content = yaml.safe_load(Path(path).read_text())
        except FileNotFoundError:
            raise UsaidError(f"{path}: no such experiment file; config/ has some") from None
        except yaml.YAMLError as error:
            raise UsaidError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
        if not isinstance(content, dict):
            raise UsaidError(f"{path}: must be a mapping of keys to values")
        _override(config, content)
    return checked_experiment(config, source=", ".join(map(str, paths)))


def checked_experiment(config: Mapping[str, Any], source: str = "experiment") -> dict[str, Any]:
    """Check an experiment against its JSON Schema and fill in the defaults.

    Args:
        config: the parsed YAML.
        source: what to call it in an error.

    Returns:
        A copy with every default filled in, and every ``train`` with all keys of its recipe.

    Raises:
        UsaidError: an unknown key or a wrong value; one line with the key, the value and what is allowed.
    """
    checked: dict[str, Any] = json.loads(json.dumps(config))
    _check_schema(checked, source, _schema())
    _fill_defaults(checked, _schema())
    for name, entry in checked["denoisers"].items():
        if entry.get("method") in METHODS and "train" in entry:
            entry["train"] = checked_training(entry["train"], f"{source}: denoisers.{name}.train")
        elif entry.get("method") == "mlp" and "train" in entry:
            recipe = checked_mlp_training(entry["train"], f"{source}: denoisers.{name}.train")
            entry["train"] = json.loads(json.dumps(asdict(recipe)))
    if checked["data_source"] == "miniature" and not checked["data_root"].startswith("results/"):
        raise UsaidError(
            f"{source}: data_root = {json.dumps(checked['data_root'])}: must lie below results/ with data_source "
            "miniature, so that generated files never meet real ones"
        )
    for name, entry in checked["denoisers"].items():
        _check_denoiser(f"{source}: denoisers.{name}", entry)
        for benchmark, settings in checked["benchmarks"].items():
            if name in denoisers_of(checked, benchmark) and not settings_of(checked, benchmark, name)["sigmas"]:
                given, there = json.dumps(entry["sigmas"]), json.dumps(settings["sigmas"])
                raise UsaidError(f"{source}: denoisers.{name}.sigmas = {given}: none is among {benchmark}'s {there}")
    if "ablation" in checked:
        _check_ablation(f"{source}: ablation", checked)
    return checked


def checked_training(keys: Mapping[str, Any], source: str = "train") -> dict[str, Any]:
    """All keys of a recipe, some of them changed by ``keys``, checked as in a denoiser's ``train``.

    Raises:
        UsaidError: no such recipe, an unknown key or a wrong value.
    """
    schema = {"$defs": _schema()["$defs"], "$ref": "#/$defs/training"}
    _check_schema(keys, source, schema)
    complete = all_keys(keys)
    _check_schema(complete, source, schema)  # again, for what came from a recipe file
    return complete


def checked_mlp_training(keys: Mapping[str, Any], source: str = "train") -> MLPRecipe:
    """The recipe of an MLP that has these keys, checked as in a denoiser's ``train``.

    Raises:
        UsaidError: an unknown key or a wrong value.
    """
    _check_schema(keys, source, {"$defs": _schema()["$defs"], "$ref": "#/$defs/mlp_training"})
    return MLPRecipe(**keys)


def variants(experiment: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The denoisers that only Table II needs: one entry for each further K of the ablation, by name.

    The K that the ablation's denoiser has itself is not among them: its own scores serve.
    """
    if "ablation" not in experiment:
        return {}
    entry = experiment["denoisers"][experiment["ablation"]["denoiser"]]
    return {
        name: entry | {"title": f"K = {classes}", "train": entry["train"] | {"classes": classes}}
        for classes, name in columns_of_ablation(experiment).items()
        if name not in experiment["denoisers"]
    }


def columns_of_ablation(experiment: Mapping[str, Any]) -> dict[int, str]:
    """The columns of Table II: K -> the denoiser that was trained with it."""
    name = experiment["ablation"]["denoiser"]
    own = experiment["denoisers"][name]["train"]["classes"]
    return {each: name if each == own else f"{name}_k{each}" for each in experiment["ablation"]["classes"]}


def entry_of(experiment: Mapping[str, Any], denoiser: str) -> dict[str, Any]:
    """The entry of a denoiser of an experiment or of a variant that its ablation adds."""
    entry: dict[str, Any] = (experiment["denoisers"] | variants(experiment))[denoiser]
    return entry


def settings_of(experiment: Mapping[str, Any], benchmark: str, denoiser: str) -> dict[str, Any]:
    """How a benchmark is run for a denoiser: Table II's variants need one sigma only, slow methods may have few."""
    settings: dict[str, Any] = experiment["benchmarks"][benchmark]
    if denoiser not in experiment["denoisers"]:
        return settings | {"sigmas": [ABLATION_SIGMA]}
    own = experiment["denoisers"][denoiser].get("sigmas", settings["sigmas"])
    return settings | {"sigmas": [sigma for sigma in settings["sigmas"] if sigma in own]}


def denoisers_of(experiment: Mapping[str, Any], benchmark: str) -> list[str]:
    """The denoisers of an experiment that are scored on one of its benchmarks."""
    entries = experiment["denoisers"].items()
    return [name for name, entry in entries if benchmark in entry.get("benchmarks", [benchmark])]


def without_seed(entry: Mapping[str, Any]) -> str:
    """A trained denoiser's entry but for title and seed, as text: equal for those that only the seed tells apart."""
    train = {key: value for key, value in entry["train"].items() if key != "seed"}
    return json.dumps({**entry, "train": train, "title": None}, sort_keys=True)


def has_several_seeds(experiment: Mapping[str, Any]) -> bool:
    """Whether some denoiser is trained with more than one seed."""
    trained = [without_seed(entry) for entry in experiment["denoisers"].values() if "train" in entry]
    return len(set(trained)) < len(trained)


def _check_schema(config: Mapping[str, Any], source: str, schema: Mapping[str, Any]) -> None:
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(config))
    if errors:
        raise UsaidError(f"{source}: {_one_line(max(errors, key=lambda error: len(error.absolute_path)))}")


def _override(config: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _override(config[key], value)
        else:
            config[key] = value


def hash_of_config(config: Mapping[str, Any]) -> str:
    """SHA-256 of an experiment or a part of one, independent of the order of keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(files("usaid").joinpath("schemas/experiment.schema.yaml").read_text())
    return schema


def _check_denoiser(place: str, entry: Mapping[str, Any]) -> None:
    """What the schema cannot say of a denoiser's entry."""
    method = entry["method"]
    if ":" in method:
        return
    if method not in CLASSES:
        allowed = f"one of {', '.join(CLASSES)}, or your own as module:Class"
        raise UsaidError(f"{place}.method = {method!r}: must be {allowed}")
    if isinstance(entry.get("weights"), dict) and "sha256" in entry:
        raise UsaidError(f"{place}: 'sha256' needs 'weights' that are a single file")
    if method in NEED_WEIGHTS and not {"weights", "train"} & entry.keys():
        raise UsaidError(f"{place}: method {method!r} needs 'weights' or 'train'")
    if "train" in entry and method not in NEED_WEIGHTS:
        raise UsaidError(f"{place}.train: only {', '.join(NEED_WEIGHTS)} can be trained")


def _check_ablation(place: str, experiment: Mapping[str, Any]) -> None:
    """Table II varies a key of a recipe, so its denoiser has to be trained."""
    name = experiment["ablation"]["denoiser"]
    entry = experiment["denoisers"].get(name, {})
    if entry.get("method") != "u_said" or "train" not in entry:
        raise UsaidError(f"{place}.denoiser = {json.dumps(name)}: must be a denoiser of method u_said with 'train'")
    if "voc_quality" not in experiment["benchmarks"]:
        raise UsaidError(f"{place}: Table II is made from benchmark voc_quality; add it")


def _fill_defaults(value: Any, schema: Mapping[str, Any]) -> None:
    schema = _resolved(schema)
    if not isinstance(value, dict):
        return
    for key, part in schema.get("properties", {}).items():
        if key not in value and "default" in _resolved(part):
            value[key] = json.loads(json.dumps(_resolved(part)["default"]))
        if key in value:
            _fill_defaults(value[key], part)
    if isinstance(schema.get("additionalProperties"), dict):
        for key in value.keys() - schema.get("properties", {}).keys():
            _fill_defaults(value[key], schema["additionalProperties"])


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    resolved: Mapping[str, Any] = _schema()["$defs"][reference.split("/")[-1]] if reference else schema
    return resolved


def _one_line(error: jsonschema.ValidationError) -> str:
    """Key, value and what is allowed, for one error of the schema."""
    key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
    rule = str(error.validator)
    limit: Any = error.validator_value
    schema: Any = error.schema
    instance: Any = error.instance
    if rule == "additionalProperties":
        allowed = sorted(schema.get("properties", {}))
        patterns = list(schema.get("patternProperties", {}))
        unknown = sorted(k for k in instance if k not in allowed and not any(re.search(p, k) for p in patterns))
        return f"unknown key {_join(key, unknown[0])!r}; allowed: {', '.join(allowed + patterns)}"
    if rule == "required":
        missing = next(name for name in limit if name not in instance)
        return f"key {_join(key, missing)!r} is missing"
    value = json.dumps(instance)
    if rule == "oneOf":
        return f"{key}: {schema['description']}"
    if rule == "not":
        return f"{key}: give either 'weights' or 'train', not both"
    if rule == "dependentRequired":
        return f"{key}: 'sha256' needs 'weights'"
    allowed_text = {
        "enum": lambda: f"one of {', '.join(map(str, limit))}",
        "type": lambda: f"of type {limit}",
        "minimum": lambda: f">= {limit}",
        "maximum": lambda: f"<= {limit}",
        "exclusiveMinimum": lambda: f"> {limit}",
        "exclusiveMaximum": lambda: f"< {limit}",
        "multipleOf": lambda: f"a multiple of {limit}",
        "minItems": lambda: f"a list of at least {limit}",
        "maxItems": lambda: f"a list of at most {limit}",
        "minProperties": lambda: "not empty",
        "minLength": lambda: "not empty",
        "uniqueItems": lambda: "without repeated values",
        "pattern": lambda: f"like {limit}",
    }[rule]()
    return f"{key} = {value}: must be {allowed_text}"


def _join(key: str, name: str) -> str:
    return name if key == "(top level)" else f"{key}.{name}"
