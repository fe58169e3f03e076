"""Results folders as experiments of the page: what they are called, and what lies in them."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from usaid.errors import UsaidError
from usaid.report.page.figures import Figure, figures_of
from usaid.report.page.reading import Missing, json_of, part, rows_of
from usaid.report.page.tables import Table, table_of
from usaid.report.tables.specs import spec_of_file
from usaid.report.tables.verdict_list import LIST, Judged

CLAIM_COLUMNS = ("claim", "where", "quote", "says", "verdict", "reason", "differs", "print", "print_reason", "tables")
"""What the page shows of the sentences' CSV file."""

_TABLE = re.compile(r"table_(\w+)\.(?:json|csv)")


@dataclass(frozen=True)
class Experiment:
    """One results folder.

    Attributes:
        folder: where it lies.
        label: what the page calls it; no two are alike.
        name: what its configuration calls it.
        key: of its parts in the page: letters, digits and hyphens; no two are alike.
        prefix: before the addresses of its numbers; the first one has none.
        link: the relative path from the page to its folder, for links.
        provenance: ``<benchmark>/<denoiser>`` -> provenance of a score file.
    """

    folder: Path
    label: str
    name: str
    key: str
    prefix: str
    link: str
    provenance: Mapping[str, Any] | Missing

    @cached_property
    def table_names(self) -> list[str]:
        """The names of its tables in the paper's order: ``"6"``, ``"10_print"``."""
        found = (_TABLE.fullmatch(path.name) for path in (self.folder / "tables").glob("table_*"))
        return sorted({match[1] for match in found if match}, key=_order)

    @cached_property
    def tables(self) -> list[tuple[str, Table | Missing]]:
        """Its tables, each with its title."""
        return [(spec_of_file(name).title, self._table(name)) for name in self.table_names]

    @cached_property
    def verdicts(self) -> list[Judged] | Missing:
        """Every printed number, judged."""
        return part(
            self.folder / "tables" / LIST,
            "all_tables",
            lambda path: [_judged(row) for row in rows_of(path, Judged._fields)],
        )

    @cached_property
    def claims(self) -> list[dict[str, str]] | Missing:
        """The paper's sentences, judged."""
        return part(self.folder / "claims.csv", "claims", lambda path: rows_of(path, CLAIM_COLUMNS))

    @cached_property
    def figures(self) -> list[Figure]:
        """Its figures."""
        return figures_of(self.folder / "figures", self.link)

    @property
    def links(self) -> list[tuple[str, str]]:
        """Files that people may want: what they are called, and the link from the page."""
        pages = [f"statistics/{path.name}" for path in sorted((self.folder / "statistics").glob("*.md"))]
        return [(path, self._link(path)) for path in (*_FILES, *pages) if (self.folder / path).is_file()]

    def files_of(self, table: str) -> list[tuple[str, str]]:
        """Likewise, the files of a table by their kinds, and the statistics of the benchmarks that it is made from."""
        stem = f"tables/table_{table}"
        own = [("CSV", f"{stem}.csv"), ("LaTeX", f"{stem}.tex"), ("Markdown", f"{stem}.md")]
        own += [(f"Statistics of {name}", f"statistics/{name}.md") for name in spec_of_file(table).benchmarks]
        return [(label, self._link(path)) for label, path in own if (self.folder / path).is_file()]

    def _link(self, path: str) -> str:
        return quote(os.fsencode(f"{self.link}/{path}"))

    def _table(self, name: str) -> Table | Missing:
        path = self.folder / "tables" / f"table_{name}.json"
        return part(path, f"table_{name}", lambda path: table_of(path, self.prefix))


_FILES = ("tables/index.md", f"tables/{LIST}", "tables/provenance.json", "claims.md", "claims.csv", "claims.tex")


def experiments_of(folders: Sequence[Path], page: Path) -> list[Experiment]:
    """The experiments of a page.

    Args:
        folders: their results; the first is the main one.
        page: the file that is to be written.

    Raises:
        UsaidError: no folder, one twice, or one that holds no results.
    """
    if not folders:
        raise UsaidError("no results folder for the report; name one, such as results/released")
    for folder in folders:
        if not os.path.isdir(folder / "tables"):  # of whatever name: pathlib raises for one that is too long
            raise UsaidError(
                f"{folder}: no results of an experiment, since it has no tables/; name results/<experiment>"
            )
    links = [Path(os.path.relpath(folder.resolve(), page.resolve().parent)).as_posix() for folder in folders]
    if twice := [link for link, count in Counter(links).items() if count > 1]:
        raise UsaidError(f"{folders[links.index(twice[0])]}: given twice; name each results folder once")
    provenances = [part(folder / "tables/provenance.json", "all_tables", json_of) for folder in folders]
    names = [_name(*pair) for pair in zip(folders, provenances, strict=True)]
    keys: list[str] = []
    for name in names:
        keys.append(_unused(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "experiment", keys))
    return [
        Experiment(
            folder,
            name if names.count(name) == 1 else f"{name} ({link})",
            name,
            key,
            "" if key == keys[0] else f"{key}.",
            link,
            provenance,
        )
        for folder, name, key, link, provenance in zip(folders, names, keys, links, provenances, strict=True)
    ]


def _judged(row: Mapping[str, str]) -> Judged:
    return Judged(int(row["table"]), *(row[name] for name in Judged._fields[1:]))


def _name(folder: Path, provenance: Mapping[str, Any] | Missing) -> str:
    """What the score files call the experiment; without any, what the folder is called."""
    own = [] if isinstance(provenance, Missing) else [one for one in provenance.values() if isinstance(one, Mapping)]
    names = {str(one["experiment"]) for one in own if one.get("experiment")}
    return names.pop() if len(names) == 1 else folder.resolve().name


def _unused(key: str, keys: Sequence[str]) -> str:
    return next(own for n in range(1, len(keys) + 2) if (own := f"{key}-{n}" if n > 1 else key) not in keys)


def _order(name: str) -> tuple[bool, int, str]:
    number = name.partition("_")[0]
    return (not number.isdecimal(), int(number) if number.isdecimal() else 0, name)
