"""Darknet's network descriptions (``.cfg``): sections of ``key = value`` lines, each known by the line it begins on."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

from usaid.errors import UsaidError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Section:
    """One layer, or ``[net]``: its name, its options as text, and where it stands.

    Attributes:
        kind: the name between the brackets.
        options: value of each key, without spaces; of a repeated key the first counts, as in Darknet.
        cfg: the file, for errors.
        line: number of the line that names the section.
    """

    kind: str
    options: dict[str, str]
    cfg: str
    line: int

    def error(self, complaint: str) -> UsaidError:
        """The error to raise about this section."""
        return UsaidError(f"{self.cfg}, line {self.line}: [{self.kind}] {complaint}")

    def allow(self, known: Collection[str]) -> None:
        """Refuse a key that is not ``known``: it may change what the layer computes."""
        if unknown := [key for key in self.options if key not in known]:
            raise self.error(f"has the unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")

    def text(self, key: str, default: str) -> str:
        """The value of a key as it stands."""
        return self.options.get(key, default)

    def integer(self, key: str, default: int | None = None, least: int | None = None) -> int:
        """A whole number, not below ``least``; without a default the key has to be there."""
        (number,) = self._values(key, None if default is None else (default,), int, "a whole number", 1)
        if least is not None and number < least:
            raise self.error(f"{key} = {number} is below {least}; correct it")
        return number

    def number(self, key: str, default: float) -> float:
        """A real number."""
        (number,) = self._values(key, (default,), float, "a number", 1)
        return number

    def integers(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Whole numbers with commas between them."""
        return self._values(key, default, int, "a list of whole numbers")

    def numbers(self, key: str) -> tuple[float, ...]:
        """Real numbers with commas between them."""
        return self._values(key, None, float, "a list of numbers")

    def _values(
        self, key: str, default: tuple[Value, ...] | None, convert: Callable[[str], Value], what: str, count: int = 0
    ) -> tuple[Value, ...]:
        """``count`` values (0: any number) of a key, converted."""
        if key not in self.options:
            if default is None:
                raise self.error(f"has no {key!r}; add it")
            return default
        words = self.options[key].removesuffix(",").split(",")
        try:
            values = tuple(convert(word) for word in words)
        except ValueError:
            values = ()
        if not values or (count and len(values) != count):
            raise self.error(f"{key} = {self.options[key]} is not {what}; correct it")
        return values


def read_cfg(cfg: str | Path) -> list[Section]:
    """Read a network description.

    Args:
        cfg: path of a ``.cfg`` file, the name of one that comes with the suite (``"yolov3"``), or the text of one
            (anything of more than one line).

    Returns:
        Its sections in order; the first is ``[net]`` (or ``[network]``, its older name).

    Raises:
        UsaidError: no such file or name, a line that is neither section, option nor comment, or another first section.
    """
    name, content = _content(cfg)
    sections: list[Section] = []
    for number, line in enumerate(content.splitlines(), start=1):
        line = "".join(line.split("#")[0].split(";")[0].split())
        key, equals, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1], {}, name, number))
        elif line and not (equals and sections):
            raise UsaidError(f"{name}, line {number}: {line!r} is neither [section] nor key = value; correct it")
        elif line:
            sections[-1].options.setdefault(key, value)
    if not sections or sections[0].kind not in ("net", "network"):
        raise UsaidError(f"{name}: does not begin with [net]; give a Darknet .cfg file")
    return sections


def _content(cfg: str | Path) -> tuple[str, str]:
    """Name and text of a network description."""
    if isinstance(cfg, str) and "\n" in cfg:
        return "cfg", cfg
    folder = resources.files("evaluators.detection.darknet")
    shipped = {Path(entry.name).stem: entry for entry in folder.iterdir() if entry.name.endswith(".cfg")}
    try:
        if str(cfg) in shipped:
            return f"{cfg}.cfg", shipped[str(cfg)].read_text(encoding="utf-8")
        return str(cfg), Path(cfg).read_text(encoding="utf-8")
    except FileNotFoundError:
        names = ", ".join(sorted(shipped))
        raise UsaidError(f"{cfg}: no such .cfg file; place it there, or name one of the suite: {names}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsaidError(f"{cfg}: not a readable .cfg file ({error}); give Darknet's description") from None
