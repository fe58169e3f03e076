"""What an experiment may say, made from the models that check it: a JSON Schema for editors, and a page of all keys."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import get_annotations
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from usaid.cards import Benchmark
from usaid.experiment.adapt import Adapt
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.denoiser_entry import OF_OWN_NETWORK, OWN_CLASS, DenoiserEntry
from usaid.experiment.experiment import Experiment, benchmarks_model
from usaid.experiment.model import OwnRecipe, Settings, TrainingRecipe, image_lists
from usaid.experiment.sight import Figures, KeepImages
from usaid.experiment.studies import Ablation, Convergence, Draws
from usaid.paper.layouts import TABLES, TableSpec, table_in_print
from usaid.registries import BENCHMARKS, DATASETS, METHODS, load_object

JsonSchema = dict[str, Any]

_NULL: JsonSchema = {"type": "null"}

# ------------------------------------------------------------------------------------------------ JSON Schema


def json_schema() -> JsonSchema:
    """A JSON Schema (2020-12) of an experiment file, with the methods, benchmarks and metrics that are installed.

    A file may be one of several that are laid over one another, so no key is required and null removes an entry.
    """
    schemas, names = _schemas([Experiment, DenoiserEntry, benchmarks_model(), *_recipes()])
    experiment, benchmarks = (schemas.pop(names[kind]) for kind in (Experiment, benchmarks_model()))
    keys = experiment["properties"]
    keys["benchmarks"] |= {word: benchmarks[word] for word in ("type", "properties", "additionalProperties")}
    for key in ("denoisers", "subsets"):
        keys[key]["additionalProperties"] = {"anyOf": [keys[key]["additionalProperties"], _NULL]}
    keys["subsets"]["propertyNames"] = {"enum": schemas[names[OwnRecipe]]["properties"]["images"]["enum"]}
    _tell_methods_apart(schemas[names[DenoiserEntry]], names)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": "Experiment", **experiment, "$defs": schemas}


def _schemas(kinds: Sequence[type[BaseModel]]) -> tuple[dict[str, JsonSchema], dict[type[BaseModel], str]]:
    """The JSON Schemas of models and of all that they refer to, by name, and the names; no key is required."""
    references, schema = models_json_schema([(kind, "validation") for kind in kinds], schema_generator=_ForEditors)
    schemas: dict[str, JsonSchema] = schema["$defs"]
    for settings in schemas.values():
        settings.pop("required", None)
        for part in (settings, *settings.get("properties", {}).values()):
            if "description" in part:
                part["description"] = _one_line(part["description"])
    return schemas, {kind: references[kind, "validation"]["$ref"].rpartition("/")[2] for kind in kinds}


class _ForEditors(GenerateJsonSchema):
    """Without titles, which only say the key again; all keys of a mapping have to be like its pattern."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: Any) -> JsonSchema:
        mapping = super().dict_schema(schema)
        for pattern, values in mapping.pop("patternProperties", {}).items():
            mapping |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return mapping


def _tell_methods_apart(entry: JsonSchema, names: Mapping[type[BaseModel], str]) -> None:
    """Say of a denoiser's entry what its method decides: what ``train`` may have, and if weights may be several."""
    keys = entry["properties"]
    keys["method"] |= {"anyOf": [{"enum": [*METHODS]}, {"pattern": OWN_CLASS}]}
    keys["train"] = {"type": ["object", "null"], "description": keys["train"]["description"]}
    rules: list[tuple[JsonSchema, JsonSchema]] = []
    references = {recipe: {"$ref": f"#/$defs/{names[recipe]}"} for recipe in _recipes()}
    for recipe, methods in _recipes().items():
        if methods:
            rules.append(({"enum": methods}, {"train": {"anyOf": [references[recipe], _NULL]}}))
    by_the_suite, by_itself = references[load_object(OF_OWN_NETWORK)], references[OwnRecipe]
    of_own: JsonSchema = {"if": {"required": ["recipe", "loss"]}, "then": by_the_suite, "else": by_itself}
    rules.append(({"pattern": OWN_CLASS}, {"train": {"anyOf": [of_own, _NULL]}}))
    rules.append(({"enum": [name for name, card in METHODS.items() if card.recipe is None]}, {"train": _NULL}))
    several = {"enum": [name for name, card in METHODS.items() if card.weights_by_sigma]}
    rules.append(({"not": several}, {"weights": {"type": ["string", "null"]}}))
    entry["allOf"] = [
        {"if": {"required": ["method"], "properties": {"method": methods}}, "then": {"properties": properties}}
        for methods, properties in rules
    ]


def _recipes() -> dict[type[TrainingRecipe], list[str]]:
    """The recipes of all methods, each with the methods that have it; last those of a user's own network and class."""
    recipes: dict[type[TrainingRecipe], list[str]] = {}
    for name, card in METHODS.items():
        if card.recipe is not None:
            recipes.setdefault(load_object(card.recipe), []).append(name)
    return recipes | {load_object(OF_OWN_NETWORK): [], OwnRecipe: []}


# ------------------------------------------------------------------------------------------------ the page of all keys


def key_reference() -> str:
    """A Markdown page: every key of an experiment with its type, bounds, default and meaning, in a reader's order."""
    lines = [*_introduction(), *_denoisers(), *_benchmarks()]
    parts: dict[str, type[Settings]] = {"ablation": Ablation, "draws": Draws, "convergence": Convergence}
    for key, kind in (parts | {"keep_images": KeepImages, "figures": Figures}).items():
        lines += [f"## `{key}`", "", *_explained(kind)]
        for part in kind.model_fields:
            lines += _sections(_settings_in(kind, part), f"{key}.{part}")
    return "\n".join([*lines, *_data_sets()]).rstrip() + "\n"


def _introduction() -> Iterator[str]:
    yield "# Keys of an experiment file"
    yield ""
    yield "Made by `usaid config keys` from the models that check an experiment. [README.md](README.md) shows the use."
    yield "A key without a default has to be given."
    yield ""
    yield "## Top level"
    yield ""
    yield from _table_of(Experiment)


def _denoisers() -> Iterator[str]:
    yield "## `denoisers.<name>`"
    yield ""
    yield "The name is the column's; the paper's columns have the names of their methods."
    yield ""
    yield from _table_of(DenoiserEntry)
    needs = {name: "`weights` or `train`" if card.needs_weights else "" for name, card in METHODS.items()}
    facts = [card.facts for card in METHODS.values()]
    titles = [(known.title, known.licence) if known is not None else ("", "") for known in facts]
    rows = [(f"`{name}`", title, needs[name], licence) for name, (title, licence) in zip(METHODS, titles, strict=True)]
    yield from _table(("method", "title", "needs", "licence"), rows)
    yield from _sections(Adapt, "adapt")
    for recipe, methods in _recipes().items():
        own = "a class of your own" if recipe is OwnRecipe else "a network of your own"
        owners = ", ".join(f"`{name}`" for name in methods) or own
        yield from (f"### `train` of {owners}", "", *_explained(recipe))


def _benchmarks() -> Iterator[str]:
    yield "## `benchmarks.<name>`"
    yield ""
    yield "All benchmarks have these keys; those of a judge follow."
    yield ""
    yield from _table_of(BenchmarkSettings)
    rows = []
    for name, card in BENCHMARKS.items():
        dataset = DATASETS[card.dataset]
        tables = ", ".join(spec.title.removeprefix("Table ") for spec in _tables_of(card))
        own = ", ".join(f"`{key}`" for key in _own_keys(load_object(card.settings)))
        rows.append((f"`{name}`", f"{dataset.title} {card.split}", str(dataset.splits[card.split]), tables, own))
    yield from _table(("benchmark", "data set", "images", "tables", "further keys"), rows)
    for kind in dict.fromkeys(load_object(card.settings) for card in BENCHMARKS.values()):
        yield from _judge(kind)


def _tables_of(card: Benchmark) -> list[TableSpec]:
    """The paper's tables that show a benchmark, or the one that shows a variant beside the paper's numbers."""
    if card.variant_of is not None:
        return [spec] if (spec := table_in_print(card)) is not None else []
    return [spec for spec in TABLES.values() if card.name in spec.benchmarks]


def _data_sets() -> Iterator[str]:
    yield from ("## Data sets and splits", "", "`<data set>/<split>`, as in `subsets` and `images`.", "")
    rows = []
    for name, card in DATASETS.items():
        splits = ", ".join(f"`{split}` ({images})" for split, images in card.splits.items())
        rows.append((f"`{name}`", card.title, splits, f"{len(card.classes)} classes" if card.classes else "none"))
    yield from _table(("data set", "title", "splits (images)", "label maps"), rows)


def _judge(kind: type[BenchmarkSettings]) -> Iterator[str]:
    """The keys that a kind of benchmark has beside those of all."""
    if plain := [key for key in _own_keys(kind) if _settings_in(kind, key) is None]:
        names = ", ".join(f"`{name}`" for name, card in BENCHMARKS.items() if load_object(card.settings) is kind)
        yield from (f"### Further keys of {names}", "", *_table_of(kind, plain))
    for key in _own_keys(kind):
        yield from _sections(_settings_in(kind, key), key)


def _sections(kind: type[Settings] | None, place: str) -> Iterator[str]:
    """A section for settings, and one for each of their keys that holds settings in turn."""
    if kind is None:
        return
    yield from (f"### `{place}`", "", *_explained(kind))
    for key in kind.model_fields:
        yield from _sections(_settings_in(kind, key), f"{place}.{key}")


def _own_keys(kind: type[Settings]) -> list[str]:
    return [key for key in kind.model_fields if key not in BenchmarkSettings.model_fields]


def _settings_in(kind: type[Settings], key: str) -> type[Settings] | None:
    """The settings that a key holds; None: it holds a value."""
    annotation = kind.model_fields[key].annotation
    parts = (annotation, *getattr(annotation, "__args__", ()))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, Settings)), None)


def _explained(kind: type[Settings]) -> Iterator[str]:
    yield _one_line(kind.__doc__ or "")
    yield ""
    yield from _table_of(kind)


def _table_of(kind: type[Settings], keys: Sequence[str] = ()) -> Iterator[str]:
    """The table of the keys of settings, those of its own first; recipes that have names stand side by side."""
    schemas, names = _schemas([kind])
    properties = schemas[names[kind]]["properties"]
    named = kind.by_name() if issubclass(kind, TrainingRecipe) else {}
    own = [key for base in kind.__mro__ for key in get_annotations(base) if key in kind.model_fields]
    rows = []
    for key in keys or dict.fromkeys([*own, *kind.model_fields]):
        defaults = [_value(recipe[key]) if key in recipe else "" for recipe in named.values()] or [_default(kind, key)]
        rows.append((f"`{key}`", _type(properties[key]), *defaults, properties[key].get("description", "")))
    return _table(("key", "value", *(named or ("default",)), "meaning"), rows)


def _default(kind: type[Settings], key: str) -> str:
    field = kind.model_fields[key]
    return "" if field.is_required() else _value(field.get_default(call_default_factory=True))


def _value(value: Any) -> str:
    """A value as YAML has it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list | tuple):
        return f"`[{', '.join(_value(part).strip('`') for part in value)}]`"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _type(schema: JsonSchema) -> str:
    """What a JSON Schema allows, in words."""
    if "anyOf" in schema and "type" not in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        in_a_word = {(*image_lists(),): "`<data set>/<split>`", (*BENCHMARKS,): "names of benchmarks"}
        return in_a_word.get((*values,)) or ", ".join(map(_value, values))
    kind = schema.get("type")
    if kind == "array":
        return _list_type(schema)
    if kind == "string":
        return f"like `{schema['pattern']}`" if "pattern" in schema else "text"
    if kind in ("integer", "number"):
        return f"{kind} {', '.join(_bounds(schema))}".strip()
    return {"null": "`null`", "boolean": "`true`, `false`"}.get(str(kind), "keys")


def _list_type(schema: JsonSchema) -> str:
    parts = schema.get("prefixItems", [schema.get("items", {})])
    words = [*dict.fromkeys(map(_type, parts))]
    length = f"{len(parts)}" if "prefixItems" in schema else "at least 1" if schema.get("minItems") else ""
    how_many = f"{length}{' different' if schema.get('uniqueItems') else ''}".strip()
    return f"list of {how_many}{': ' if how_many else ''}{'; '.join(words)}"


def _bounds(schema: JsonSchema) -> Iterator[str]:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    for word, sign in signs.items():
        if word in schema:
            yield f"{sign} {schema[word]:g}"
    if "multipleOf" in schema:
        yield f"a multiple of {schema['multipleOf']}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
