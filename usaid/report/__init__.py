"""From score files to what people read: tables, statistics and figures.

``report.compare`` is :func:`usaid.report.statistics.compare.compare`. It is imported when it is first asked for: who
imports the module of a table or a figure imports no statistics with it.
"""

from typing import TYPE_CHECKING, Any

from usaid.registries import load_object

if TYPE_CHECKING:
    from usaid.report.statistics.compare import compare

__all__ = ["compare"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_object(f"usaid.report.statistics.compare:{name}")
