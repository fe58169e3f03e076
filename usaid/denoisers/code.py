"""Imports what a method's card names, whoever wrote it; needs no torch itself."""

from typing import Any

from usaid.errors import UsaidError
from usaid.registries import load_object


def code_of(method: str, name: str) -> Any:
    """What ``"module:name"`` on a method's card stands for.

    Raises:
        UsaidError: it cannot be imported, whatever its module raises; names the method.
    """
    try:
        return load_object(name)
    except UsaidError as error:
        raise UsaidError(f"method {method!r}: {str(error).removeprefix(f'{method} ')}") from error
