"""A denoiser is made from the name of its method; what cannot be made is refused in one line before it is called."""

import subprocess
import sys

import pytest
import torch

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser, load_class, load_weights
from usaid.denoisers.contract import denoised
from usaid.denoisers.facts import title_of
from usaid.errors import UsaidError
from usaid.registries import METHODS

FACTS = Facts("Own", blind=False, licence="MIT", citation="none")


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
    """Has all that a denoiser has, but does not derive from it."""

    facts = FACTS

    def __call__(self, noisy, told_sigma=None):
        return noisy


an_instance = Plain()


def a_function(noisy, told_sigma=None, factor=1.0):
    return noisy * factor


def takes_nothing():
    return NOISY


class Half:
    """Nothing but callable."""

    def __call__(self, noisy):
        return noisy / 2


class Network(torch.nn.Module):
    def __init__(self, factor: float = 0.5) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, noisy):
        return noisy * self.factor


class Reads(Network):
    def __init__(self, weights) -> None:
        super().__init__()
        self.given = weights


a_network = Network()


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
    with refused(
        rf"^method '{own(Trained)}': missing a required argument: 'factor'; name it under 'options' "
        r"\(--options KEY=VALUE\), or make the object in the file and name file.py:object$"
    ):
        build_denoiser(own(Trained))


def test_unknown_methods_modules_and_classes_are_named():
    with refused(
        r"^method 'bm4d': must be one of noisy, clean, .* or your own as file.py:Name or package.module:Name$"
    ):
        build_denoiser("bm4d")
    with refused(rf"^method '{__name__}:Absent': cannot be imported \(.*Absent.*\)$"):
        build_denoiser(f"{__name__}:Absent")
    with refused(r"^method 'no_such_module:Own': cannot be imported \(No module named 'no_such_module'\)$"):
        build_denoiser("no_such_module:Own")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("x = 1\ndef broken(:\n", "SyntaxError: .*; OWN, line 2"),
        (
            "x = 1\nraise RuntimeError('first line\\nsecond line')\n",
            "RuntimeError: first line second line; OWN, line 2",
        ),
        ("import torch\ntorch.zeros(2) @ torch.zeros(3)\n", "RuntimeError: .*; OWN, line 2"),
        ("import absent_package\n", "No module named 'absent_package'; OWN, line 1"),
        ("import sys\n\nsys.exit()\n", "SystemExit; OWN, line 3"),
        ("raise SystemExit('bye')\n", "SystemExit: bye; OWN, line 1"),
        ("import usaid.absent\n", "No module named 'usaid.absent'; OWN, line 1"),
        ("Other = 1\n", "module 'own_broken_module' has no attribute 'Own'"),
    ],
)
def test_whatever_an_own_module_raises_is_one_line(content, reason, tmp_path, monkeypatch):
    write_module(tmp_path, monkeypatch, "own_broken_module", content)
    reason = reason.replace("OWN", "own_broken_module.py")
    for method in ("own_broken_module:Own", f"{tmp_path}/own_broken_module.py:Own"):
        with refused(rf"^method '{method}': cannot be imported \({reason}\)$") as error:
            build_denoiser(method)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "method",
    [
        *("subprocess:Popen", "os:sep", "builtins:type", "sys:stdout", f"{__name__}:NoDenoiser"),
        *("usaid:errors", f"{__name__}:FACTS"),
    ],
)
def test_what_cannot_denoise_is_refused_before_it_is_called(method, monkeypatch):
    monkeypatch.setattr(subprocess.Popen, "__init__", lambda *arguments, **options: pytest.fail("was called"))
    what = r"is a class whose objects cannot be called; derive .*|is a \w+, which cannot denoise; name a function .*"
    with refused(rf"^method '{method}': ({what})$"):
        build_denoiser(method, options={"args": "true"})
    assert NoDenoiser.made == 0


NOISY = torch.rand(1, 3, 8, 9)


@pytest.mark.parametrize("name", ["an_instance", "a_function", "Looks", "Half", "a_network", "Network"])
def test_whatever_can_be_called_denoises(name):
    for form in (f"{__name__}:{name}", globals()[name]):
        output = denoised("mine", build_denoiser(form), NOISY, 25.0)
        assert torch.allclose(output, NOISY if name in ("a_function", "Looks") else NOISY / 2)


def test_options_of_functions_and_networks():
    assert torch.allclose(build_denoiser(a_function, options={"factor": 0.25})(NOISY, 25.0), NOISY / 4)
    assert torch.allclose(build_denoiser(Network, options={"factor": 0.25})(NOISY), NOISY / 4)
    with refused(r"^method 'a_function' has no option 'x'; its options: factor$"):
        build_denoiser(a_function, options={"x": 1})
    with refused(r"^method 'a_function' has no option 'told_sigma'; its options: factor$"):
        build_denoiser(a_function, options={"told_sigma": 1})
    with refused(r"^method 'a_network' has no option 'factor'; it is made already".replace("a_network", "Network")):
        build_denoiser(a_network, options={"factor": 1})
    with refused(r"^method 'takes_nothing': cannot be called with a batch of images \(too many positional"):
        build_denoiser(takes_nothing)


@pytest.mark.parametrize(
    ("form", "cure"), [(a_function, "read them in the function's file"), (an_instance, "made already")]
)
def test_weights_of_what_takes_none(form, cure, tmp_path):
    with refused(f"takes no weights; drop 'weights'.*{cure}$"):
        build_denoiser(form, tmp_path / "w.pt")


def test_a_constructor_of_a_network_that_names_weights_reads_them(tmp_path):
    assert build_denoiser(Reads, tmp_path / "absent.pt").network.given == tmp_path / "absent.pt"


def test_facts_of_what_states_none():
    facts = build_denoiser(a_function).facts
    assert (facts.title, facts.blind, facts.deep_learning) == ("a_function", False, False)
    facts = build_denoiser(f"{__name__}:Network").facts
    assert (facts.title, facts.blind, facts.deep_learning) == ("Network", True, True)
    assert build_denoiser(Looks).facts.title == "Own"
    assert [title_of(*of) for of in (("A", FACTS, "n"), (None, FACTS, "n"), (None, facts, "n"), (None, None, "n"))] == [
        *("A", "Own", "n", "n")
    ]


def test_adapt_by_keys_is_checked():
    with refused(r"^adapt: value_range = 2: must be one of 1, 255|^adapt.*value_range"):
        build_denoiser(a_function, adapt={"value_range": 2})
    with refused(r"unknown key '(adapt\.)?predict' \(nearest: 'predicts'\)"):
        build_denoiser(a_function, adapt={"predict": "noise"})
    with refused(r"'tile' = 32 is all overlap"):
        build_denoiser(a_function, adapt={"tile": 32, "tile_overlap": 16})


@pytest.mark.parametrize("method", [name for name, card in METHODS.own.items() if card.needs_weights])
def test_networks_need_weights(method):
    with refused(rf"^method '{method}' needs weights; name their file$"):
        build_denoiser(method)


def test_a_package_that_is_missing_is_named_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with refused(r"^method 'cbm3d' needs the package bm3d .*pip install 'usaid\[bm3d\]'"):
        build_denoiser("cbm3d")


def test_a_class_without_facts_is_refused_when_it_is_told_a_level():
    with refused(
        r"^WithoutFacts: has no attribute 'facts' .*; write in the class: facts = Facts\('WithoutFacts', blind=True\)"
    ):
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
        ("exit", r"^method '.*:Failing': cannot be made \(SystemExit: 0; test_build.py, line [0-9]+\)$"),
        ("value", r"^method '.*:Failing': cannot be made \(ValueError: first second; test_build.py, line [0-9]+\)$"),
        ("ours", "^mine: wrong$"),
    ],
)
def test_whatever_a_constructor_raises_is_one_line(error, message):
    with refused(message):
        build_denoiser(own(Failing), options={"error": error})


@pytest.mark.parametrize("prefix", ["model.", "net."])
def test_the_state_of_an_attribute_is_that_of_its_network(prefix, tmp_path):
    state = {f"{prefix}{key}": value for key, value in torch.nn.Conv2d(3, 3, 3, padding=1).state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "lightning.ckpt")
    network = torch.nn.Conv2d(3, 3, 3, padding=1)
    load_weights(network, tmp_path / "lightning.ckpt")
    assert torch.equal(network.weight, state[f"{prefix}weight"])


def test_the_state_of_more_than_the_network_is_refused(tmp_path):
    state = {f"model.{key}": value for key, value in torch.nn.Conv2d(3, 3, 3).state_dict().items()}
    torch.save({**state, "loss.weight": torch.ones(1)}, tmp_path / "more.ckpt")
    with pytest.raises(UsaidError, match="key 'weight' is missing"):
        load_weights(torch.nn.Conv2d(3, 3, 3), tmp_path / "more.ckpt")


def test_what_makes_a_network_is_told_to_be_called():
    with pytest.raises(UsaidError, match="if it makes a network, write `network = "):
        build_denoiser(lambda: torch.nn.Identity())
