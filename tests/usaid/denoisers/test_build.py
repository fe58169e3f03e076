"""A denoiser is made from the name of its method; what cannot be made is refused in one line before it is called."""

import subprocess
import sys

import pytest
import torch

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser, load_class
from usaid.errors import UsaidError
from usaid.registries import METHODS

FACTS = Facts("Own", False, False, False, False, "MIT", "none")


class Plain(Denoiser):
    """Takes neither weights nor device."""

    facts = FACTS

    def __init__(self, factor: float = 0.5) -> None:
        self.factor = factor

    def __call__(self, noisy, told_sigma=None):
        return noisy * self.factor


class Trained(Plain):
    """Takes all that is offered, and an option that has no default."""

    def __init__(self, weights, device, precision, factor) -> None:
        super().__init__(factor)
        self.given = (weights, device, precision)


class AnyOption(Plain):
    def __init__(self, **options) -> None:
        super().__init__()
        self.options = options


class WithoutFacts(Denoiser):
    def __call__(self, noisy, told_sigma=None):
        return noisy


class NoDenoiser:
    made = 0

    def __init__(self) -> None:
        type(self).made += 1


class Looks:
    """Has all that a denoiser has, but is none."""

    facts = FACTS

    def __call__(self, noisy, told_sigma=None):
        return noisy


an_instance = Plain()


def a_function(noisy, told_sigma=None):
    return noisy


class Failing(Plain):
    def __init__(self, error: str = "") -> None:
        raise {"exit": SystemExit(0), "value": ValueError("first\nsecond"), "ours": UsaidError("mine: wrong")}[error]


def own(kind: type) -> str:
    return f"{__name__}:{kind.__name__}"


def refused(message: str):
    return pytest.raises(UsaidError, match=message)


def write_module(folder, monkeypatch, name: str, content: str) -> None:
    (folder / f"{name}.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)


def test_own_class_gets_what_its_constructor_names(tmp_path):
    built = build_denoiser(own(Trained), tmp_path / "w.pt", "cpu", "bfloat16", {"factor": 0.25})
    assert type(built) is Trained
    assert built.given == (tmp_path / "w.pt", "cpu", "bfloat16")
    assert built.factor == 0.25


def test_own_class_that_takes_nothing_is_given_nothing():
    built = build_denoiser(own(Plain), None, "cpu", "bfloat16")
    assert built.factor == 0.5
    assert build_denoiser(own(AnyOption), options={"depth": 3}).options == {"depth": 3}


@pytest.mark.parametrize("kind", [Plain, AnyOption])
def test_weights_that_a_class_would_not_see_are_refused(kind, tmp_path):
    with refused(rf"method '{own(kind)}' takes no weights; drop 'weights', or let its constructor name them"):
        build_denoiser(own(kind), tmp_path / "w.pt")


def test_unknown_and_missing_options_are_named():
    with refused(rf"^method '{own(Plain)}' has no option 'factors'; its options: factor$"):
        build_denoiser(own(Plain), options={"factors": 1})
    with refused(r"^method 'noisy' has no option 'x'; its options: none$"):
        build_denoiser("noisy", options={"x": 1})
    with refused(rf"^method '{own(Trained)}': missing a required argument: 'factor'; name it under 'options'$"):
        build_denoiser(own(Trained))


def test_unknown_methods_modules_and_classes_are_named():
    with refused(r"^method 'bm4d': must be one of noisy, clean, .* or your own as module:Class$"):
        build_denoiser("bm4d")
    with refused(rf"^method '{__name__}:Absent': {__name__}:Absent cannot be imported \(.*Absent.*\)$"):
        build_denoiser(f"{__name__}:Absent")
    with refused(r"^method 'no_such_module:Own': .* cannot be imported \(No module named 'no_such_module'\)$"):
        build_denoiser("no_such_module:Own")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("def broken(:\n", "SyntaxError: .*"),
        ("raise RuntimeError('first line\\nsecond line')\n", "RuntimeError: first line second line"),
        ("import torch\ntorch.zeros(2) @ torch.zeros(3)\n", "RuntimeError: .*"),
        ("import absent_package\n", "No module named 'absent_package'"),
    ],
)
def test_whatever_an_own_module_raises_is_one_line(content, reason, tmp_path, monkeypatch):
    write_module(tmp_path, monkeypatch, "own_broken_module", content)
    with refused(rf"^method 'own_broken_module:Own': own_broken_module:Own cannot be imported \({reason}\)") as error:
        build_denoiser("own_broken_module:Own")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "method",
    [
        *("subprocess:Popen", "subprocess:run", "os:system", "os:sep", "builtins:eval", "builtins:type", "sys:stdout"),
        *(f"{__name__}:{name}" for name in ("NoDenoiser", "an_instance", "a_function", "Looks")),
    ],
)
def test_what_is_no_denoiser_is_refused_before_it_is_called(method, monkeypatch):
    monkeypatch.setattr(subprocess.Popen, "__init__", lambda *arguments, **options: pytest.fail("was called"))
    with refused(rf"^method '{method}': is no subclass of usaid\.denoisers\.base\.Denoiser; derive the class from it$"):
        build_denoiser(method, options={"args": "true"})
    assert NoDenoiser.made == 0


@pytest.mark.parametrize("method", [name for name, card in METHODS.own.items() if card.needs_weights])
def test_networks_need_weights(method):
    with refused(rf"^method '{method}' needs weights; name their file$"):
        build_denoiser(method)


def test_a_package_that_is_missing_is_named_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with refused(r"^method 'cbm3d' needs the package bm3d .*pip install 'usaid\[bm3d\]'"):
        build_denoiser("cbm3d")


def test_a_class_without_facts_is_refused_when_it_is_told_a_level():
    with refused(r"^WithoutFacts: has no attribute 'facts' .*; is it blind\?$"):
        WithoutFacts().hears(25)


@pytest.mark.parametrize("method", list(METHODS.own))
def test_the_class_of_every_method_of_the_suite_is_a_denoiser(method):
    assert issubclass(load_class(method), Denoiser)


def test_the_device_is_handed_over():
    assert build_denoiser("noisy", device="meta").device == torch.device("meta")


@pytest.mark.parametrize("option", ["facts", "weights", "device", "precision"])
@pytest.mark.parametrize("method", ["noisy", own(Trained), own(AnyOption)])
def test_options_do_not_stand_for_what_the_suite_gives(method, option):
    with refused(rf"^method '{method}': option '{option}' is not for 'options' to give; the experiment's keys"):
        build_denoiser(method, options={option: "x"})


def test_the_base_class_itself_is_no_method():
    with refused(r"^method 'usaid.denoisers.base:Denoiser': is abstract; give the class __call__$"):
        build_denoiser("usaid.denoisers.base:Denoiser")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("exit", r"^method '.*:Failing': cannot be made \(SystemExit: 0\)$"),
        ("value", r"^method '.*:Failing': cannot be made \(ValueError: first second\)$"),
        ("ours", "^mine: wrong$"),
    ],
)
def test_whatever_a_constructor_raises_is_one_line(error, message):
    with refused(message):
        build_denoiser(own(Failing), options={"error": error})
