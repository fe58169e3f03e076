"""Where the files are that come with the suite beside its packages: workflow, experiments, examples, scores."""

from pathlib import Path

_PACKAGED = Path(__file__).parent / "suite"
"""An installed package has them here, by setup.py; a checkout has them at its top."""

_NAMED = ("config", "examples")
"""The folders whose files experiments name."""


def suite_folder() -> Path:
    """The folder with ``Snakefile``, ``config/``, ``profiles/`` and the rest: of the checkout, or of the package."""
    return _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[1]


def or_of_suite(path: str | Path) -> Path:
    """A file that an experiment names: in the working folder, or, if there is none, the one that the suite brings.

    Args:
        path: relative to the working folder, or absolute. Of the suite's only those in ``config/`` and ``examples/``
            are meant.

    Returns:
        The path as it is, or where the suite has such a file.
    """
    path = Path(path)
    if path.is_absolute() or not path.parts or path.parts[0] not in _NAMED or path.is_file():
        return path
    brought = suite_folder() / path
    return brought if brought.is_file() else path
