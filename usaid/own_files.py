"""Python files of a user's own, ``path/to/file.py:Name``: imported without a search path, each folder by itself.

A folder is a package of a private name. What its files import is looked for among the files beside them, after what is
installed: nothing of a user's replaces an installed package or a module of ours, two files of one name in different
folders are two modules, and no module outside sees them. ``import`` alone sees these: a module that is imported by its
name as text needs the package, ``importlib.import_module(".helper", __package__)``, and no code hash follows it.
"""

import builtins
import hashlib
import importlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from traceback import walk_tb
from types import CodeType, ModuleType
from typing import Any

from usaid.errors import UsaidError
from usaid.suite_files import or_of_suite

NOTEBOOKS = "notebooks are not imported; write the denoiser to a file.py, or give evaluate() the object in the notebook"
"""What is said where one is named."""
OURS = ("usaid", "evaluators", "usaid_cli")
_OUR_FOLDERS = tuple(Path(__file__).parents[1] / name for name in OURS)
_PREFIX = "usaid_own_"
_STANDARD_LIBRARY = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
_SITE_PACKAGES = ("site-packages", "dist-packages")
_FOLDERS: dict[str, Path] = {}
"""Private package -> its folder."""


def names_file(name: str) -> bool:
    """Whether a name is ``file.py:Name``, not ``module:Name``."""
    return name.rpartition(":")[0].endswith(".py")


def module_in_file(name: str) -> str:
    """The module that ``file.py:Name`` is imported as (nothing is); its path is the working folder's or the suite's."""
    path = _path_in(name)
    folder = path.parent.resolve()
    package = f"{_PREFIX}{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    _FOLDERS[package] = folder
    return f"{package}.{path.stem}"


def import_file(name: str) -> ModuleType:
    """Import the file of ``file.py:Name``.

    Raises:
        UsaidError: there is no such file, or its name is none that Python can import.
        Exception: whatever the file raises.
    """
    path = _path_in(name)
    if not path.is_file():
        raise UsaidError(f"{path}: no such file; paths are relative to {Path.cwd()}")
    if "." in path.stem:
        raise UsaidError(f"{path}: Python imports no file with a further dot in its name; rename it")
    importlib.invalidate_caches()
    return importlib.import_module(module_in_file(name))


def _path_in(name: str) -> Path:
    return or_of_suite(Path(name.rpartition(":")[0]).expanduser())


# ------------------------------------------------------------------------------------------------ what is beside a file


def is_own(module: str) -> bool:
    """Whether a module is a file of a user's own, or its private package."""
    return module.partition(".")[0] in _FOLDERS


def plain(text: str) -> str:
    """A text without the private names of packages: ``helper`` for ``usaid_own_....helper``."""
    return re.sub(rf"{_PREFIX}[0-9a-f]+\.", "", text)


def own_name(name: str, importer: str) -> str | None:
    """What a name that a user's file imports is, if it is beside that file; None: it is not.

    Args:
        name: absolute, as after ``import``.
        importer: the module whose file imports it.
    """
    package, first = importer.partition(".")[0], name.partition(".")[0]
    if package not in _FOLDERS or not first or is_installed_module(first):
        return None
    beside = PathFinder.find_spec(first, [str(_FOLDERS[package])])
    if beside is None or (beside.loader is None and _spec(first) is not None):  # any folder could be a package
        return None
    return f"{package}.{name}"


def is_installed_module(top: str) -> bool:
    """Whether a module without dots is of Python, of an installed package, or ours."""
    if top in sys.stdlib_module_names or top in OURS:
        return True
    spec = _spec(top)
    places = [] if spec is None else places_of(spec)
    return bool(places) and all(map(is_installed, places))


def places_of(spec: ModuleSpec) -> list[str]:
    """The files and folders of a module."""
    return [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.has_location and spec.origin else [])]


def is_installed(place: str) -> bool:
    """Whether a file or folder is of Python or of an installed package."""
    path = Path(place).resolve()
    return any(part in _SITE_PACKAGES for part in path.parts) or any(map(path.is_relative_to, _STANDARD_LIBRARY))


def _spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


class _Finder:
    """Finds the private packages and what is in them."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As :class:`importlib.abc.MetaPathFinder` has it."""
        package, _, within = name.partition(".")
        if package not in _FOLDERS:
            return None
        if not within:
            spec = ModuleSpec(package, None, is_package=True)
            spec.submodule_search_locations = [str(_FOLDERS[package])]
            return spec
        found = PathFinder.find_spec(name, path, target)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


class _Loader(SourceFileLoader):
    """Runs a user's file with an ``import`` that knows the files beside it; keeps no bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        """The compiled file, as it is now."""
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        """Run the file."""
        module.__dict__["__builtins__"] = vars(builtins) | {"__import__": _import}
        super().exec_module(module)


def _import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """``import`` in a user's file."""
    own = None if level else own_name(name, str((globals or {}).get("__name__", "")))
    if own is None:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    if fromlist:
        return builtins.__import__(own, globals, locals, fromlist, 0)
    importlib.import_module(own)
    return sys.modules[".".join(own.split(".")[:2])]  # `import a.b` gives a


sys.meta_path.insert(0, _Finder)


# ------------------------------------------------------------------------------------------------ where errors are


def place_of(error: BaseException) -> str:
    """Where in code that is neither ours nor installed an exception came from: ``"mine.py, line 12"``; else empty."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{Path(error.filename).name}, line {error.lineno}"
    return innermost_place((frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__))


def innermost_place(frames: Iterable[tuple[str, int]]) -> str:
    """The last of some files and lines, outermost first, that is neither ours nor installed; empty: there is none."""
    place = ""
    for file, line in frames:
        path = Path(file)
        if path.is_file() and not any(map(path.is_relative_to, _OUR_FOLDERS)) and not is_installed(file):
            place = f"{path.name}, line {line}"
    return place


def described(error: BaseException) -> str:
    """An exception in one line, with its type unless its text speaks for itself, and where it came from."""
    text = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    of_itself = isinstance(error, UsaidError | ImportError | AttributeError)
    kind = "" if of_itself and text else type(error).__name__
    place = place_of(error)
    return plain(": ".join(part for part in (kind, text) if part)) + (f"; {place}" if place else "")
