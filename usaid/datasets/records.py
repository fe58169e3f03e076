"""The records beside downloads: what came, from where, when, with which hash, licence and citation, trusted how."""

import datetime
import json
from pathlib import Path
from typing import Any

from usaid.datasets.items import DOWNLOADS, Item, said
from usaid.datasets.locks import held_file
from usaid.datasets.mirrors import Download
from usaid.errors import UsaidError
from usaid.files import written_atomically


def record_of(source: str, root: Path) -> Path:
    """The record of a source: a JSON file."""
    return root / DOWNLOADS / f"{source}.json"


def read_record(source: str, root: Path) -> dict[str, Any]:
    """What is recorded of a source; empty if nothing is, or if the file is damaged: it will be written anew."""
    try:
        content = json.loads(record_of(source, root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_sound = isinstance(content, dict) and isinstance(content.get("files"), dict)
    return content if is_sound else {}


def is_unfinished(source: str, root: Path) -> bool:
    """Whether a fetch of a source began and did not end."""
    return read_record(source, root).get("finished") is False


def record_download(item: Item, got: Download, root: Path) -> None:
    """Record a file that came. What is recorded of its source is unfinished from now on.

    Raises:
        UsaidError: the record cannot be written.
    """
    entry = {
        "from": got.url,
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "sha256": got.sha256,
        "bytes": got.path.stat().st_size,
        "trusted": item.trust(root),
    }
    _write(item.source, root, {item.place: entry}, finished=False)


def record_end(source: str, root: Path) -> None:
    """Record that all of a source came that was asked for; nothing where nothing was recorded.

    Raises:
        UsaidError: the record cannot be written.
    """
    if is_unfinished(source, root):
        _write(source, root, {}, finished=True)


def _write(source: str, root: Path, entries: dict[str, Any], finished: bool) -> None:
    path = record_of(source, root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with held_file(path.with_name(f".{path.name}.lock")):
            content = {
                "source": source,
                "licence": said(source, "licence"),
                "citation": said(source, "citation"),
                "finished": finished,
                "files": read_record(source, root).get("files", {}) | entries,
            }
            with written_atomically(path) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsaidError(f"{path}: cannot be written ({error.strerror}); make its folder writable") from None
