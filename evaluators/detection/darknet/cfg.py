"""Darknet's network descriptions (``.cfg``): sections of ``key = value`` lines, each known by the line it begins on."""

import codecs
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

from usaid.errors import UsaidError

Value = TypeVar("Value")


_TRAINING_KEYS = (
    "burnin_update clip dont_update dontsave dropblock dropblock_size_abs dropblock_size_rel grad_centr keep_delta_gpu "
    "learning_rate onlyforward smooth stopbackward train_only_bn truth"
)
"""Keys of any layer that only a training reads (``parse_network_cfg`` of both Darknets)."""

_OFF = {
    "0": (
        "antialiasing assisted_excitation bin_output binary coordconv dontload dontloadscales dot flipped "
        "maxpool_depth numload reverse rotate stretch stretch_sway sway xnor"
    ),
    "1": "alpha beta dilation scale",
    "none": "weights_type",
}
"""Keys that change what a layer computes, by the value that switches them off, which is Darknet's default."""

_PASSING = {
    **dict.fromkeys(_TRAINING_KEYS.split()),
    **{key: value for value, keys in _OFF.items() for key in keys.split()},
}
"""Value with which each of both passes; None: any."""


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
        """Refuse a key that is not ``known`` and may change what the layer computes.

        What only a training reads passes, and so does a key of another kind of layer with the value that switches it
        off.
        """
        for key, value in self.options.items():
            if key not in known and _PASSING.get(key, "") not in (None, value):
                raise self.error(f"has the unknown key {key!r}; known are {', '.join(sorted(known))}")

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
        except (ValueError, OverflowError):
            values = ()
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
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
    for number, raw in enumerate(content.splitlines(), start=1):
        # Comments are bytes, in whatever encoding; options are ASCII.
        option = raw.split(b"#")[0].split(b";")[0]
        line = "".join(option.decode("ascii", "backslashreplace").split())
        key, equals, value = line.partition("=")
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1], {}, name, number))
        elif line and not (equals and sections):
            raise UsaidError(f"{name}, line {number}: {line!r:.80} is neither [section] nor key = value; correct it")
        elif line:
            sections[-1].options.setdefault(key, value)
    if not sections or sections[0].kind not in ("net", "network"):
        raise UsaidError(f"{name}: does not begin with [net]; give a Darknet .cfg file")
    return sections


def _content(cfg: str | Path) -> tuple[str, bytes]:
    """Name and bytes of a network description; UTF-16, which says so, as UTF-8."""
    if isinstance(cfg, str) and "\n" in cfg:
        return "cfg", cfg.encode()
    folder = resources.files("evaluators.detection.darknet")
    shipped = {Path(entry.name).stem: entry for entry in folder.iterdir() if entry.name.endswith(".cfg")}
    if str(cfg) in shipped:
        return f"{cfg}.cfg", shipped[str(cfg)].read_bytes()
    path = Path(cfg)
    try:
        if path.exists() and not path.is_file():
            raise UsaidError(f"{cfg}: not a readable .cfg file (a folder or device); give Darknet's description")
        if path.stat().st_size > _MOST_BYTES:
            raise UsaidError(f"{cfg}: not a readable .cfg file (too long); give Darknet's description")
        content = path.read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            content = content.decode("utf-16").encode()
    except FileNotFoundError:
        names = ", ".join(sorted(shipped))
        raise UsaidError(f"{cfg}: no such .cfg file; place it there, or name one of the suite: {names}") from None
    except (OSError, UnicodeError, ValueError) as error:
        raise UsaidError(f"{cfg}: not a readable .cfg file ({error}); give Darknet's description") from None
    return str(cfg), content.removeprefix(codecs.BOM_UTF8)


_MOST_BYTES = 1 << 20  # yolov3.cfg has 8 kB
