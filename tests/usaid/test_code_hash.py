"""The hash of code: what counts, and what does not."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from usaid import code_hash
from usaid.cards import Benchmark
from usaid.code_hash import hash_of_code, modules_behind
from usaid.registries import BENCHMARKS, DATASETS, METHODS

CACHES = (code_hash._closure, code_hash._read, code_hash._path, code_hash._spec)


def forget() -> None:
    """Read all sources anew, as a new process does."""
    importlib.invalidate_caches()
    for cached in CACHES:
        cached.cache_clear()


def fresh_hash(*names: str, **further: object) -> str:
    forget()
    return hash_of_code(*names, **further)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    yield
    forget()


# ------------------------------------------------------------------------------------------------ our own modules


@pytest.fixture
def ours(tmp_path, monkeypatch) -> Path:
    """A package that counts as ours, with a module that imports others in all ways."""
    write(
        tmp_path / "ours",
        {
            "__init__.py": "",
            "room/__init__.py": "CARDS = ()\n",
            "room/judge.py": "from typing import TYPE_CHECKING\n"
            "from ours.noise import add\n"
            "from ours import quiet\n"
            "import ours.loud\n"
            "from .. import near\n"
            "try:\n    import ours.tried\nexcept ImportError:\n    import ours.excepted\n"
            "if TYPE_CHECKING:\n    from ours.typed import T\nelse:\n    import ours.otherwise\n"
            "class Judge:\n    from ours.inside import x\n"
            "def judge(x):\n    import ours.lazy\n    return add(x)\n",
            "noise.py": "from ours.registries import CARDS\n\ndef add(x):\n    return x + 1\n",
            "registries.py": "import ours.registered\n\nCARDS = ()\n",
            **{
                f"{name}.py": f"{name} = 1\n"
                for name in ("quiet", "loud", "near", "tried", "excepted", "typed", "otherwise", "inside", "lazy")
            },
            "registered.py": "x = 1\n",
            "unrelated.py": "x = 1\n",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(code_hash, "_OURS", ("ours",))
    monkeypatch.setattr(code_hash, "_DATA", ("ours.registries",))
    return tmp_path / "ours"


@pytest.mark.parametrize("name", ["noise", "quiet", "loud", "near", "tried", "excepted", "otherwise", "inside"])
def test_what_runs_when_a_module_is_imported_counts(ours, name):
    before = fresh_hash("ours.room.judge")
    with open(ours / f"{name}.py", "a", encoding="utf-8") as file:
        file.write("more = 2\n")
    assert fresh_hash("ours.room.judge:judge") != before


@pytest.mark.parametrize("name", ["typed", "lazy", "registries", "registered", "unrelated", "room/__init__"])
def test_type_checkers_lazy_imports_registries_and_the_rooms_cards_do_not_count(ours, name):
    before = fresh_hash("ours.room.judge")
    with open(ours / f"{name}.py", "a", encoding="utf-8") as file:
        file.write("more = 2\n")
    assert fresh_hash("ours.room.judge") == before


def test_comments_docstrings_and_layout_do_not_count(ours):
    before = fresh_hash("ours.room.judge")
    (ours / "noise.py").write_text(
        '"""Noise."""\nfrom ours.registries import (\n  CARDS)\n# adds\n'
        'def add( x ):\n    """One more."""\n    return (x + 1)\n'
    )
    assert fresh_hash("ours.room.judge") == before
    (ours / "noise.py").write_text("from ours.registries import CARDS\n\ndef add(x):\n    return x + 2\n")
    assert fresh_hash("ours.room.judge") != before


def test_a_name_that_a_package_defines_leads_to_the_package(ours):
    (ours / "room" / "__init__.py").write_text("CARDS = ()\nx = 1\n")
    (ours / "user.py").write_text("from ours.room import x, judge\n")
    forget()
    assert modules_behind("ours.user") >= {"ours.user", "ours.room", "ours.room.judge"}
    (ours / "user.py").write_text("from ours.room import judge\n")
    forget()
    assert "ours.room" not in modules_behind("ours.user")


# ------------------------------------------------------------------------------------------------ cards, data, files


@dataclass(frozen=True)
class Card:
    name: str
    parts: tuple[object, ...] = ()
    sizes: dict[str, int] | None = None
    new: bool = False


def test_cards_count_by_their_values():
    card = Card("a", (Card("b"),), {"train": 1})
    assert hash_of_code(cards=[card]) == hash_of_code(cards=[Card("a", (Card("b"),), {"train": 1})])
    others = [
        Card("c", (Card("b"),), {"train": 1}),
        Card("a", (Card("c"),), {"train": 1}),
        Card("a", (Card("b"),), {"train": 2}),
        Card("a", (Card("b"),), {"train": 1}, new=True),
        Card("a", (Card("b"),)),
    ]
    assert len({hash_of_code(cards=[other]) for other in (card, *others)}) == 6


def test_a_new_field_of_all_cards_changes_only_those_that_have_it():
    @dataclass(frozen=True)
    class Longer(Card):
        further: str | None = None

    Longer.__name__ = "Card"
    assert hash_of_code(cards=[Card("a")]) == hash_of_code(cards=[Longer("a")])
    assert hash_of_code(cards=[Card("a")]) != hash_of_code(cards=[Longer("a", further="x")])


def test_the_modules_of_cards_and_registries_do_not_count():
    assert not {"usaid.cards", "usaid.registries"} & modules_behind("usaid.datasets.kodak", "usaid.registries")


def test_content_of_package_data_counts(ours):
    (ours / "room" / "data.cfg").write_text("a")
    before = fresh_hash(package_data=["ours.room:data.cfg"])
    assert before != fresh_hash()
    (ours / "room" / "data.cfg").write_text("b")
    assert fresh_hash(package_data=["ours.room:data.cfg"]) != before
    (ours / "room" / "data.cfg").unlink()
    missing = fresh_hash(package_data=["ours.room:data.cfg"])
    assert missing not in (before, fresh_hash())
    assert fresh_hash(package_data=["absent.package:data.cfg"]) != missing


def test_content_of_files_counts_and_missing_is_a_content(tmp_path):
    path = tmp_path / "ids.txt"
    missing = hash_of_code(files=[path])
    path.write_text("a\n")
    first = hash_of_code(files=[str(path)])
    path.write_text("b\n")
    assert len({missing, first, hash_of_code(files=[path])}) == 3
    assert hash_of_code(files=[path, path]) == hash_of_code(files=[path])
    assert hash_of_code(files=[tmp_path]) not in (missing, first), "a folder is missing too, under its own name"


# ------------------------------------------------------------------------------------------------ a user's own code

OWN = {
    "method.py": "import numpy, os\nimport helper\nfrom parts.deep import filters\nfrom spaced.inner.tool import f\n"
    "def denoise(x):\n    from lazy import g\n    import parts.late\n    return g(x)\n"
    "def by_name():\n    importlib.import_module('named'), import_module('parts.called'), __import__('dunder')\n",
    "named.py": "x = 1\n",
    "parts/called.py": "x = 1\n",
    "dunder.py": "x = 1\n",
    "helper.py": "x = 1\n",
    "lazy.py": "def g(x):\n    return x\n",
    "parts/__init__.py": "from . import near\n",
    "parts/near.py": "x = 1\n",
    "parts/late.py": "x = 1\n",
    "parts/deep/__init__.py": "x = 1\n",
    "parts/deep/filters.py": "from ..shared import x\nfrom .sibling import *\n",
    "parts/deep/sibling.py": "x = 1\n",
    "parts/shared.py": "x = 1\n",
    "parts/unused.py": "x = 1\n",
    "spaced/inner/tool.py": "def f(x):\n    return x\n",
}


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A user's code: modules, packages, and a namespace package."""
    write(tmp_path, OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in OWN if name != "parts/unused.py"])
def test_all_that_a_users_module_imports_counts(own, name):
    before = fresh_hash("method:Own")
    (own / name).write_text(OWN[name] + "more = 2\n")
    assert fresh_hash("method:Own") != before


def test_what_a_users_module_does_not_import_does_not_count(own):
    before = fresh_hash("method:Own")
    (own / "parts/unused.py").write_text("x = 2\n")
    (own / "elsewhere.py").write_text("x = 2\n")
    assert fresh_hash("method:Own") == before


def test_nothing_of_a_users_is_imported(own):
    fresh_hash("method:Own")
    fresh_hash("parts.deep.filters:Own")
    write(own, {"loud/__init__.py": "raise SystemExit('imported')\n", "loud/own.py": "x = 1\n", "loud/a.cfg": "1"})
    fresh_hash("loud.own:Own", package_data=["loud:a.cfg"])
    assert not {"method", "helper", "lazy", "parts", "spaced", "loud"} & {name.split(".")[0] for name in sys.modules}


def test_installed_packages_do_not_count(own):
    forget()
    assert {name.split(".")[0] for name in modules_behind("method:Own")} == {
        "method",
        "helper",
        "lazy",
        "parts",
        "spaced",
        "named",
        "dunder",
    }
    write(own, {"env/site-packages/installed.py": "x = 1\n", "method.py": "import installed\n"})
    sys.path.insert(0, str(own / "env/site-packages"))
    try:
        forget()
        assert modules_behind("method:Own") == {"method"}
    finally:
        sys.path.remove(str(own / "env/site-packages"))


def test_our_code_that_a_users_module_imports_counts(own):
    (own / "method.py").write_text("from usaid.denoisers.base import Denoiser\n")
    forget()
    assert {"method", "usaid.denoisers.base"} <= modules_behind("method:Own")


@pytest.mark.parametrize("content", ["def broken(:\n", "x = '\udcff'\n", "\0"])
def test_a_module_that_is_no_python_has_a_hash_too(own, content):
    (own / "method.py").write_bytes(content.encode("utf-8", "surrogateescape"))
    broken = fresh_hash("method:Own")
    (own / "method.py").write_bytes(content.encode("utf-8", "surrogateescape") + b"#")
    assert fresh_hash("method:Own") != broken


@pytest.mark.parametrize("name", ["absent:Own", "absent.deep:Own", "parts.absent:Own", "", ":Own", "a..b:Own"])
def test_a_module_that_does_not_exist_has_a_hash_too(own, name):
    assert len(fresh_hash(name)) == 16
    assert fresh_hash("absent:Own") != fresh_hash("absent2:Own")


def test_a_module_that_appears_counts(own):
    (own / "method.py").write_text("import appears\n")
    before = fresh_hash("method:Own")
    (own / "appears.py").write_text("x = 1\n")
    assert fresh_hash("method:Own") != before


def test_compiled_modules_count_by_their_bytes(own):
    (own / "method.py").write_text("import fast\n")
    (own / "fast.abi3.so").write_bytes(b"\x7fELF 1")
    before = fresh_hash("method:Own")
    (own / "fast.abi3.so").write_bytes(b"\x7fELF 2")
    assert fresh_hash("method:Own") != before


# ------------------------------------------------------------------------------------------------ the suite


def test_scores_depend_on_the_denoiser_they_use_only():
    behind = modules_behind("evaluators.scoring.job")
    assert "usaid.noise" in behind
    assert not any(name.startswith(("usaid.denoisers.dncnn", "usaid.report", "usaid.experiment")) for name in behind)
    assert "usaid.denoisers.dncnn.network" in modules_behind(METHODS["u_said"].denoiser)


def rooms(*names: str) -> set[str]:
    return {name.split(".")[1] for name in modules_behind(*names) if name.startswith("evaluators.")}


@pytest.mark.parametrize("card", BENCHMARKS.own.values(), ids=lambda card: card.name)
def test_a_judge_and_its_training_depend_on_no_other_judge(card: Benchmark):
    room = card.judge.split(".")[1]
    names = [name for name in (card.judge, card.training) if name is not None]
    others = {other.judge.split(".")[1] for other in BENCHMARKS.own.values()} - {room}
    assert not others & rooms(*names)
    assert not any(name.startswith("usaid.experiment") for name in modules_behind(*names))


def test_trainings_have_hashes_of_their_own():
    cards = [*METHODS.own.values(), *BENCHMARKS.own.values()]
    trainings = {card.training for card in cards if card.training is not None}
    assert len({hash_of_code(training) for training in trainings}) == len(trainings) >= 5


def test_a_reader_depends_on_no_other_reader():
    readers = {card.reader.partition(":")[0] for card in DATASETS.own.values()}
    for reader in readers:
        assert modules_behind(reader) & readers == {reader}


def test_each_file_is_read_once(monkeypatch):
    forget()
    read: list[str] = []
    parse = code_hash.ast.parse
    monkeypatch.setattr(code_hash.ast, "parse", lambda source: read.append(source) or parse(source))
    for card in (*METHODS.own.values(), *BENCHMARKS.own.values()):
        for name in (getattr(card, "denoiser", None), getattr(card, "judge", None), card.training):
            if name is not None:
                hash_of_code("evaluators.scoring.job", name)
    assert len(read) == len(set(read)) > 20


def test_a_card_in_a_file_of_code_counts_by_its_values_alone(ours):
    before = fresh_hash("ours.room.judge")
    judge = ours / "room/judge.py"
    judge.write_text(judge.read_text() + "\nCARD = DataSet('a', 'A')\nCARDS = (CARD,)\n")
    assert fresh_hash("ours.room.judge") == before
    judge.write_text(judge.read_text() + "\nNUMBER = 3\n")
    assert fresh_hash("ours.room.judge") != before
