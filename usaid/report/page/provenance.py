"""What the page says of a number when it is asked: as data inside the page, each text in it once."""

import json
from collections.abc import Mapping
from typing import Any

from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.tables import Cell, Table

CELL = (
    *("id", "place", "value", "ours", "low", "high", "n", "paper", "difference", "rank", "verdict", "reason"),
    *("convention", "note", "notes", "scores"),
)
"""What is known of a number, in the order of the data."""


class _Texts:
    """Texts by their numbers."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def numbers_of(experiment: Experiment) -> Mapping[str, Any]:
    """All numbers of an experiment's tables and the provenance of the score files behind them.

    Returns:
        ``texts``: each text once; ``fields``: :data:`CELL`; ``tables``: id of a table -> its numbers, each a list with
        the place in ``texts`` for each field, or a list of such places; ``scores``: name of a score file -> labels and
        texts by turns, likewise.
    """
    texts = _Texts()
    tables = [table for _, table in experiment.tables if isinstance(table, Table)]
    numbers = {table.id: [_cell(table, cell, texts) for cell in table.cells] for table in tables}
    files = {name for table in tables for cell in table.cells for name in cell.content["scores"]}
    scores = {name: _score_file(experiment, name, texts) for name in sorted(files)}
    return {"fields": CELL, "tables": numbers, "scores": scores, "texts": [*texts.numbers]}


# ------------------------------------------------------------------------------------------------ numbers


def _cell(table: Table, cell: Cell, texts: _Texts) -> list[int | list[int]]:
    content = cell.content
    known = {
        **content,
        "id": cell.id,
        "ours": cell.ours,
        "paper": cell.paper,
        "place": ", ".join(filter(None, [table.title, *_place(table, content)])),
        "rank": cell.rank,
        "notes": [f"{note.letter}: {note.text}" for note in cell.notes],
    }
    return [_numbered(known.get(field), texts) for field in CELL]


def _place(table: Table, content: Mapping[str, Any]) -> list[str]:
    named = (("groups", content["group"]), ("metrics", content["metric"]), ("denoisers", content["denoiser"]))
    return [
        table.titles(kind).get(name, name) for kind, name in named if len(table.content[kind]) > 1 or kind != "groups"
    ]


def _numbered(value: Any, texts: _Texts) -> int | list[int]:
    if isinstance(value, list):
        return [texts.number(str(one)) for one in value]
    return texts.number("" if value is None else str(value))


# ------------------------------------------------------------------------------------------------ score files


def _score_file(experiment: Experiment, name: str, texts: _Texts) -> list[int]:
    if isinstance(experiment.provenance, Missing):
        return _by_turns({"Provenance": f"not known: {experiment.provenance.why}"}, texts)
    own = experiment.provenance.get(name)
    if not isinstance(own, Mapping):
        return _by_turns({"Provenance": "not known: provenance.json does not name this file"}, texts)
    return _by_turns(_lines(own), texts)


def _by_turns(lines: Mapping[str, str], texts: _Texts) -> list[int]:
    return [texts.number(text) for line in lines.items() if line[1] for text in line]


def _lines(own: Mapping[str, Any]) -> dict[str, str]:
    """What a provenance says, as people read it: label -> text; empty: it does not say."""
    entry = _mapping(own, "entry")
    return {
        "Denoiser": f"{own.get('title', '')} ({own.get('denoiser', '')})",
        "Commit": _commit(_mapping(own, "git")),
        "Weights": str(entry.get("weights") or ("trained by this experiment" if entry.get("train") else "none")),
        "SHA-256 of weights": str(own.get("weights_sha256") or ""),
        "Entry": _flat(entry),
        "Device": ", ".join(filter(None, [str(own.get("device") or ""), str(own.get("precision") or "")])),
        "Platform": ", ".join(filter(None, [str(own.get("platform") or ""), f"Python {own.get('python', '?')}"])),
        "Packages": " ".join(f"{name} {version}" for name, version in _mapping(own, "packages").items()),
        "Judge": _flat(_mapping(own, "judge")),
        "Metrics": _list(own, "metrics", ", "),
        **_images(_mapping(own, "dataset")),
        "Seconds": _seconds(_mapping(own, "seconds")),
        "Deviations": _list(own, "deviations", "; "),
        "Hash of code": str(own.get("code_hash") or ""),
        "SHA-256 of configuration": str(own.get("config_sha256") or ""),
    }


def _mapping(own: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = own.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(own: Mapping[str, Any], key: str, between: str) -> str:
    value = own.get(key)
    return between.join(map(str, value)) if isinstance(value, list) else ""


def _commit(git: Mapping[str, Any]) -> str:
    commit = git.get("commit")
    if not commit:
        return "not known"
    return f"{commit} ({'with changes that were not committed' if git.get('dirty') else 'clean'})"


def _images(dataset: Mapping[str, Any]) -> dict[str, str]:
    counts = [f"{own:,}" for own in (dataset.get("n"), dataset.get("n_official")) if isinstance(own, int)]
    return {
        "Images": f"{' of '.join(counts)} of {dataset.get('name', '?')}, split {dataset.get('split', '?')}",
        "Subset": str(dataset.get("subset") or "none: all that are there"),
        "SHA-256 of their names": str(dataset.get("ids_sha256") or ""),
    }


def _seconds(seconds: Mapping[str, Any]) -> str:
    return ", ".join(f"{cause} {value:,.1f}" for cause, value in seconds.items() if isinstance(value, int | float))


def _flat(entry: Mapping[str, Any]) -> str:
    """A mapping on one line: ``"method: u_said, train.steps: 1000"``; what is null is left out."""
    return ", ".join(f"{key}: {value}" for key, value in _leaves(entry, ""))


def _leaves(entry: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    leaves: list[tuple[str, str]] = []
    for key, value in entry.items():
        if isinstance(value, Mapping):
            leaves += _leaves(value, f"{prefix}{key}.")
        elif value is not None:
            leaves.append((f"{prefix}{key}", json.dumps(value) if not isinstance(value, str) else value))
    return leaves
