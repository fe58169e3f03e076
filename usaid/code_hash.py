"""A hash of what a job's code does: the cards it is named on, the modules that these name, and what those import."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.machinery import ModuleSpec, all_suffixes
from pathlib import Path
from typing import Any

from usaid.own_files import is_installed, is_own, module_in_file, names_file, own_name, places_of, plain

_OURS = ("usaid", "evaluators")
_DATA = ("usaid.registries", "usaid.cards", "usaid.provenance", "usaid.datasets.sources", "usaid.progress")
"""Not followed: what a job takes from registries it is given as cards, and a card counts by its values. Provenance and
sources say where things come from, and progress how far a job is, not what they are."""

_SETTINGS = ("usaid.experiment", "usaid.paper")
"""Not followed from a user's own modules: settings are values, and values are parameters of a job."""

_MISSING = "missing"


def hash_of_code(
    *names: str, cards: Iterable[object] = (), package_data: Iterable[str] = (), files: Iterable[str | Path] = ()
) -> str:
    """Hash modules and all that they import, cards, and the content of files.

    Snakemake does not see the modules that a script imports; this hash, given as a rule's parameter, makes an edit
    rerun exactly the jobs that depend on it. Comments, docstrings, layout and cards do not count. Of our own
    modules, the imports that run when a file is imported are followed; the registries are not: what a job takes
    from a registry, it names on its cards. Of a user's own modules, all imports are followed that lead to code of
    theirs. Imports for type checkers do not count, nor do installed packages: provenance records their versions.
    Nothing is imported.

    Args:
        names: modules, ``"module:name"`` as cards have it, or ``"file.py:name"``. One that is not there counts as
            missing.
        cards: what the job takes from registries. Fields that are empty do not count, so that a new field of all cards
            changes only those that have it.
        package_data: ``"package:file"``, data that the code reads.
        files: data of the user's that the job reads. One that is not there counts as missing.

    Returns:
        16 hexadecimal digits.
    """
    modules = _modules_in(names)
    digest = hashlib.sha256()
    for name, content in sorted((plain(module), _read(module)[0]) for module in _closure(modules) | set(modules)):
        digest.update(f"{name} {content}\n".encode())
    for card in cards:
        digest.update(f"{_text_of(card)}\n".encode())
    for name in sorted(set(package_data)):
        digest.update(f"{name} {_digest_of_file(_package_file(name))}\n".encode())
    for path in sorted(set(map(Path, files))):
        digest.update(f"{path} {_digest_of_file(path)}\n".encode())
    return digest.hexdigest()[:16]


def modules_behind(*names: str) -> frozenset[str]:
    """The modules whose code :func:`hash_of_code` hashes for these names."""
    return _closure(_modules_in(names))


def _modules_in(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({module_in_file(name) if names_file(name) else name.partition(":")[0] for name in names}))


# ------------------------------------------------------------------------------------------------ which modules


@cache
def _closure(modules: tuple[str, ...]) -> frozenset[str]:
    """These modules and all that they import, of ours and of the user's own."""
    reached: set[str] = set()
    pending = set(modules)
    while pending:
        name = pending.pop()
        if name not in reached and name not in _DATA and _path(name) is not None:
            reached.add(name)
            imports = _read(name)[1]
            pending |= imports if _is_ours(name) else {each for each in imports if not each.startswith(_SETTINGS)}
    return frozenset(reached)


@cache
def _read(module: str) -> tuple[str, frozenset[str]]:
    """Digest of a module's code without docstrings, and what it imports; a file that is no Python imports nothing."""
    path = _path(module)
    if path is None:
        return _MISSING, frozenset()
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return _digest_of_file(path), frozenset()
    imports = _imports(tree, module, path)
    return _digest_of(ast.dump(_without_docstrings(tree)).encode()), imports


def _imports(tree: ast.Module, module: str, path: Path) -> frozenset[str]:
    """The names that a module imports; which of them are modules, :func:`_path` tells.

    A package's own code runs too when a module in it is imported. Of ours, that code is cards and nothing else.
    """
    names = {module}
    for node in _statements(tree, everywhere=not _is_ours(module)):
        if isinstance(node, ast.Import):
            names |= {own_name(alias.name, module) or alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(node, module, path)
            base = base if node.level else own_name(base, module) or base
            parts = {f"{base}.{alias.name}" for alias in node.names}
            modules = {part for part in parts if _path(part) is not None}
            names |= modules if modules == parts else {base, *modules}
        elif isinstance(node, ast.Call) and (called := _imported_by_call(node)) is not None:
            names.add(called)
    return frozenset(names.union(*(_parents(name) for name in names if not _is_ours(name))))


def _statements(node: ast.AST, everywhere: bool) -> Iterator[ast.AST]:
    """All of a module but what only type checkers see; if not ``everywhere``, only what runs when it is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _is_for_type_checkers(child.test):
            for statement in child.orelse:
                yield statement
                yield from _statements(statement, everywhere)
        elif everywhere or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _statements(child, everywhere)


def _imported_by_call(node: ast.Call) -> str | None:
    """The module that ``importlib.import_module("name")`` imports; None: another call, or a name that is computed."""
    called = getattr(node.func, "attr", getattr(node.func, "id", None))
    match node.args:
        case [ast.Constant(value=str(name)), *_] if called in ("import_module", "__import__") and name[:1] != ".":
            return name
    return None


def _is_for_type_checkers(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


def _base_of(node: ast.ImportFrom, module: str, path: Path) -> str:
    """The absolute name that ``from ... import`` starts from."""
    if not node.level:
        return node.module or ""
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    parents = package.split(".")
    parents = parents[: len(parents) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _OURS


# ------------------------------------------------------------------------------------------------ where they are


@cache
def _path(name: str) -> Path | None:
    """The file of a module of ours or of a user's own; None: it is none, or belongs to an installed package.

    Nothing is imported, so that a module that cannot be imported has a hash too.
    """
    top, *rest = name.split(".")
    spec = _spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin is not None and Path(spec.origin).is_file() else None
    files = (
        file
        for folder in spec.submodule_search_locations or ()
        for stem in (Path(folder, *rest, "__init__"), Path(folder, *rest))
        for suffix in all_suffixes()
        if (file := stem.with_name(stem.name + suffix)).is_file()
    )
    return next(files, None)


@cache
def _spec(top: str) -> ModuleSpec | None:
    """Where a top-level module or package is; None: nowhere, or it is installed."""
    try:
        spec = importlib.util.find_spec(top) if top else None
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    return spec if top in _OURS or is_own(top) or not all(map(is_installed, places_of(spec))) else None


def _package_file(name: str) -> Path | None:
    """The file of ``"package:file"``; None: there is none."""
    package, _, file = name.partition(":")
    top, *rest = package.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    places = [Path(folder, *rest, file) for folder in (spec.submodule_search_locations or () if spec else ())]
    return next((place for place in places if place.is_file()), None)


# ------------------------------------------------------------------------------------------------ their content


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """What a module's code does: without docstrings, and without its cards, which count by their values."""
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_docstring(statement)]
        for block in ("body", "orelse", "handlers", "finalbody", "cases"):  # expressions hold no docstrings
            within = getattr(node, block, ())
            pending += within if isinstance(within, list) else ()
    tree.body = [statement for statement in tree.body if not _is_of_cards(statement)]
    return tree


def _is_of_cards(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id in ("CARD", "CARDS") for target in targets)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _digest_of_file(path: Path | None) -> str:
    try:
        return _digest_of(path.read_bytes()) if path is not None else _MISSING
    except OSError:
        return _MISSING


def _digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text_of(value: Any) -> str:
    """A card, or a part of one, as text; two cards of the same values have the same."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        filled = {name: part for name, part in parts.items() if part is not None and part is not False and part != ()}
        return f"{type(value).__name__}{_text_of(filled)}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_text_of(name)}: {_text_of(part)}' for name, part in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_text_of, value))})"
    if isinstance(value, set | frozenset):
        return _text_of(sorted(map(_text_of, value)))
    return repr(value)
