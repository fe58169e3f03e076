"""What the page takes from its package, and how data are put into it."""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

PACKAGE = "usaid.report.page"


def template_of(name: str, folder: str = "templates") -> Template:
    """A template of the package, and others of its folder that it includes; whatever it is given is escaped.

    Args:
        name: of its file.
        folder: below the package.
    """
    loader = PackageLoader(PACKAGE, folder)
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return environment.get_template(name)


def text_of(path: str) -> str:
    """The text of a file of the package, ``"scripts/number.js"``."""
    return resources.files(PACKAGE).joinpath(path).read_text(encoding="utf-8")


def as_script(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a ``<script>``: ASCII; no text in it can end the element, nor a line of a program."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
