"""Docstrings on the site: roles, as ``:func:`fit```, become links where the site has what they name."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`~?([\w.]+)`")


def as_links(text: str) -> str:
    """Roles as links that are none where nothing answers to the name."""
    return _ROLE.sub(lambda role: f'<autoref optional identifier="{role[1]}">{role[1]}</autoref>', text)


class DocstringRoles(griffe.Extension):
    """Read docstrings so."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_links(obj.docstring.value)
