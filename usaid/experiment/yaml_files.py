"""The one reader of YAML that people write: experiments, recipes, keys on the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from usaid.errors import UsaidError
from usaid.files import text_of_file

LONGEST_FILE = 256 * 1024
"""Bytes; the longest of ours has 4,000."""

MOST_VALUES = 20_000
"""Keys and values, every alias written out."""

DEEPEST = 50
"""Mappings and lists inside one another."""


def read_mapping(path: str | Path, what: str = "experiment file") -> dict[str, Any]:
    """Read a YAML file of keys and values.

    Args:
        path: of the file.
        what: what to call it where it is missing.

    Raises:
        UsaidError: no such file, or as :func:`parsed`; an empty file, or one that is no mapping.
    """
    try:
        text = text_of_file(path, LONGEST_FILE)
    except FileNotFoundError:
        raise UsaidError(f"{path}: no such {what}") from None
    content = parsed(text, str(path))
    if not isinstance(content, dict):
        raise UsaidError(f"{path}: must be a mapping of keys to values")
    return content


def parsed(text: str, source: str) -> Any:
    """What a text in YAML says.

    Args:
        text: one document.
        source: what to call it in errors.

    Raises:
        UsaidError: not YAML, several documents, a key that stands twice, a value that cannot be (a month 13), aliases
            that multiply or contain themselves, or too deep; one line with the place.
    """
    loader = yaml.SafeLoader("")
    try:
        loader = yaml.SafeLoader(text)
        document = loader.get_single_node()
        if document is None:
            return None
        _Check(loader, source).node(document)
        return loader.construct_document(document)
    except yaml.YAMLError as error:
        raise UsaidError(f"{source}: not YAML ({_reason(error)})") from None
    except RecursionError:
        raise UsaidError(f"{source}: mappings and lists are more than {DEEPEST} deep") from None
    finally:
        loader.dispose()


class _Check:
    """Looks at a document before anything of it is made: how much it comes to, and which keys stand twice."""

    def __init__(self, loader: yaml.SafeLoader, source: str) -> None:
        self.loader, self.source = loader, source
        self.sizes: dict[int, int] = {}
        self.open: list[int] = []

    def node(self, node: yaml.Node) -> int:
        """How many keys and values a node comes to; what an alias stands for counts each time."""
        if id(node) in self.open:
            raise self._refusal(node, "an alias contains itself; write out what is meant")
        if len(self.open) > DEEPEST:
            raise self._refusal(node, f"mappings and lists are more than {DEEPEST} deep")
        if id(node) not in self.sizes:
            self.open.append(id(node))
            if isinstance(node, yaml.MappingNode):
                self._refuse_repeated(node)
            size = 1 + sum(map(self.node, _children(node)))
            if isinstance(node, yaml.ScalarNode):
                self._value(node)
            if size > MOST_VALUES:
                raise self._refusal(node, f"aliases make more than {MOST_VALUES:,} values of it; write fewer")
            self.sizes[id(node)] = size
            self.open.pop()
        return self.sizes[id(node)]

    def _refuse_repeated(self, mapping: yaml.MappingNode) -> None:
        first: dict[str, int] = {}
        for key, _ in mapping.value:
            name = str(self._value(key)) if isinstance(key, yaml.ScalarNode) else ""
            line = key.start_mark.line + 1
            if name and name in first:
                raise self._refusal(key, f"key {name!r} stands there and in line {first[name]}; drop one")
            first[name] = line

    def _value(self, scalar: yaml.ScalarNode) -> Any:
        try:
            return self.loader.construct_object(scalar) if scalar.tag != _MERGE else "<<"
        except (ValueError, OverflowError, KeyError, AttributeError, TypeError):  # a month 13, !!int x ...
            written = scalar.value if len(scalar.value) <= 40 else f"{scalar.value[:37]}..."
            kind = scalar.tag.rpartition(":")[2]
            raise self._refusal(scalar, f"{written!r} is no {kind}; put it in quotes, or correct it") from None

    def _refusal(self, node: yaml.Node, message: str) -> UsaidError:
        return UsaidError(f"{self.source}: line {node.start_mark.line + 1}: {message}")


_MERGE = "tag:yaml.org,2002:merge"


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for part in node.value if isinstance(node, yaml.CollectionNode) else ():
        yield from part if isinstance(part, tuple) else (part,)


def _reason(error: yaml.YAMLError) -> str:
    """What the parser says, and where, without the text that it quotes."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split())
    if "'\\t'" in problem:
        problem = "a tab; indent with spaces"
    elif "another document" in problem:
        problem = "a second document starts; write one, without ---"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
