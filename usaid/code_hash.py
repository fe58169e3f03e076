"""A hash of what a piece of code does: itself and every module of ours that it imports, comments aside."""

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path

_OURS = ("usaid", "evaluators")


@cache
def hash_of_sources(*modules: str) -> str:
    """Hash the syntax trees, without docstrings, of modules and of all they import from this project.

    Snakemake does not see the modules that a script imports; this hash, given as a rule's parameter, makes an edit
    rerun exactly the jobs that depend on it. Reformatting or commenting code does not change it.

    Args:
        modules: dotted names, e.g. ``"evaluators.scoring"``; modules of a user's own are hashed but not followed.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(modules)):
        path = _path(name)
        if path is not None:
            digest.update(f"{name}\n{ast.dump(_tree(path))}\n".encode())
    return digest.hexdigest()[:16]


def _closure(modules: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    pending = list(modules)
    while pending:
        name = pending.pop()
        path = _path(name)
        if name in found or path is None:
            continue
        found.add(name)
        pending += [imported for imported in _imports(path) if imported.split(".")[0] in _OURS]
    return found


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@cache
def _path(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _tree(path: Path) -> ast.Module:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [statement for statement in node.body if not _is_docstring(statement)]
    return tree


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
