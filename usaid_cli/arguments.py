"""What several commands take."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from usaid.errors import UsaidError

if TYPE_CHECKING:
    from usaid.experiment.adapt import Adapt


class Parser(argparse.ArgumentParser):
    """Parses a command's arguments.

    Attributes:
        rest: where arguments are kept that it does not know, in their order; None: they are an error.
    """

    rest: str | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As :class:`argparse.ArgumentParser`; nothing is left over if there is a place for it."""
        options, unknown = super().parse_known_args(args, namespace)
        if self.rest is None:
            return options, unknown
        setattr(options, self.rest, unknown)
        return options, []


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where a command adds its parser, whose default ``run`` is what the command does."""


NETWORK = "a method by name (u_said), your own as file.py:Name or module:Name, or the file of a network (net.onnx)"
"""What ``FILE_OR_NAME`` can be, as :func:`usaid.denoisers.recognise.method_and_weights` reads it."""


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """The files of an experiment, as ``experiment``."""
    parser.add_argument("experiment", type=Path, nargs="+", metavar="YAML", help="experiment; later files override")


def experiment_files(names: Sequence[str | Path]) -> list[Path]:
    """The files of an experiment, in the order in which they override.

    Args:
        names: files, or names of the suite's experiments (``"released"``); a file that is there counts first.

    Raises:
        UsaidError: neither a file nor a name; those known.
    """
    from usaid.suite_files import or_of_suite

    known = _of_suite()
    files = []
    for name in names:
        file = or_of_suite(name)
        if not file.is_file() and str(name) not in known:
            raise UsaidError(f"{name}: neither a file nor an experiment of the suite, which are {', '.join(known)}")
        files.append(file if file.is_file() else known[str(name)])
    return files


def with_names(names: Sequence[str | Path]) -> list[str | Path]:
    """The files of an experiment, those of the suite in place of their names; what is neither stays, to be refused."""
    known = _of_suite()
    return [name if Path(name).exists() else known.get(str(name), name) for name in names]


def _of_suite() -> dict[str, Path]:
    from usaid.suite_files import suite_folder

    return {path.stem: path for path in sorted((suite_folder() / "config").glob("*.yaml"))}


def add_device(parser: argparse.ArgumentParser) -> None:
    """The device to compute on, as ``device``."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, ...")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Arguments of the class or function that denoises; :func:`keys_and_values` reads them."""
    parser.add_argument(
        *("--option", "--options"),
        nargs="+",
        action="extend",
        default=[],
        dest="options",
        metavar="KEY=VALUE",
        help="arguments of the class or function, values as in YAML; may be repeated",
    )


def keys_and_values(texts: Sequence[str], flag: str) -> dict[str, object]:
    """What a flag's ``KEY=VALUE`` say: values as in YAML, the last one of a key.

    Raises:
        UsaidError: a text that is no ``KEY=VALUE``, or no YAML.
    """
    from usaid.experiment.yaml_files import parsed

    keys: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsaidError(f"{flag} {text!r}: must be KEY=VALUE")
        keys[key] = parsed(value, f"{flag} {key}")
    return keys


def add_adapt(parser: argparse.ArgumentParser) -> None:
    """How the network is called, if it does not follow the suite's conventions; :func:`adapt_of` reads it."""
    group = parser.add_argument_group("what the network expects and returns (default: colour images in [0, 1])")
    group.add_argument("--predicts", choices=["image", "noise"], help="the clean image (default), or the noise")
    group.add_argument("--value-range", type=int, choices=[1, 255], help="white: 1 (default), or 255 (8-bit range)")
    group.add_argument(
        "--told-as",
        choices=["nothing", "argument", "tensor", "map"],
        help="the noise level: not told, its second argument (a float, or a tensor (B, 1, 1, 1)), or a further "
        "channel, in units of the value range (default: a parameter named told_sigma is told it on the 0-255 scale)",
    )
    group.add_argument("--divisible-by", type=int, metavar="N", help="sides have to be divisible by N: pad and crop")
    group.add_argument("--channels", choices=["colour", "grey"], help="grey: denoise each colour channel by itself")
    group.add_argument("--tile", type=int, metavar="PIXELS", help="denoise large images in tiles of this side")
    group.add_argument("--tile-overlap", type=int, metavar="PIXELS", help="what a tile sees beyond (default: 32)")


def adapt_of(options: argparse.Namespace) -> "Adapt | None":
    """What the flags of :func:`add_adapt` say; None: none was given.

    Raises:
        UsaidError: a number that cannot be, or tiles that are all overlap.
    """
    from usaid.experiment.adapt import Adapt
    from usaid.experiment.reading import checked_settings

    given = {key: value for key in Adapt.model_fields if (value := getattr(options, key)) is not None}
    return checked_settings(Adapt, given, "adapt") if given else None
