"""Files of a user's own are imported without a search path, each folder by itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from usaid.code_hash import hash_of_code, modules_behind
from usaid.errors import UsaidError
from usaid.own_files import plain
from usaid.registries import load_object
from usaid.report.tables.categories import facts_of


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def denoise(folder: Path, file: str = "mine.py", name: str = "denoise"):
    return load_object(f"{folder}/{file}:{name}")


def test_files_beside_it_are_imported_in_all_ways(tmp_path):
    write(
        tmp_path,
        mine="import helper\nimport parts.deep.inner as inner, parts.near\nfrom parts import near\n"
        "from helper import one, one as uno\nfrom parts.deep import inner as again\nfrom . import helper as relative\n"
        "def denoise():\n    import late\n    from parts.late import seven\n"
        "    return [helper.one, inner.two, parts.near.three, near.three, one, uno, again is inner,\n"
        "            relative is helper, late.four, seven, parts.deep.inner is inner]\n",
        helper="from parts.near import three\none = 1\n",
        parts____init__="",
        parts__near="from .deep.inner import two\nthree = two + 1\n",
        parts__late="seven = 7\n",
        parts__deep__inner="two = 2\n",
        late="four = 4\n",
    )
    before, modules = {*sys.path}, {*sys.modules}
    assert denoise(tmp_path)() == [1, 2, 3, 3, 1, 1, True, True, 4, 7, True]
    assert {*sys.path} == before
    assert not {"mine", "helper", "parts", "late"} & (sys.modules.keys() - modules)
    assert not [*tmp_path.rglob("*.pyc")]


def test_a_file_beside_it_is_imported_by_its_name_as_text(tmp_path):
    text = "import importlib\nhelper = importlib.import_module('{}'{})\ndef denoise():\n    return helper.one\n"
    write(
        tmp_path,
        relative=text.format(".helper", ", __package__"),
        absolute=text.format("helper", ""),
        helper="one = 1\n",
    )
    assert denoise(tmp_path, "relative.py")() == 1
    with pytest.raises(UsaidError, match="No module named 'helper'"):
        denoise(tmp_path, "absolute.py")


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for number in (1, 2):
        text = "from helper import number\ndef denoise():\n    import later\n    return number, later.number\n"
        write(tmp_path / str(number), mine=text, helper=f"number = {number}\n", later=f"number = 10 * {number}\n")
    first, second = denoise(tmp_path / "1"), denoise(tmp_path / "2")
    assert (first(), second()) == ((1, 10), (2, 20))
    assert denoise(tmp_path / "1") is first


def test_nothing_of_a_users_replaces_what_is_installed(tmp_path):
    loud = "raise RuntimeError('shadowed')\n"
    write(
        tmp_path,
        numpy=loud,
        random=loud,
        usaid=loud,
        yaml="import yaml\n\ndef denoise():\n    return yaml.safe_load('[1, 2]')\n",
        mine="import numpy, random, usaid.errors, yaml\ndef denoise():\n    return yaml.safe_load('3')\n",
    )
    assert denoise(tmp_path)() == 3
    assert denoise(tmp_path, "yaml.py")() == [1, 2], "a file may have the name of the package that it uses"
    import yaml

    assert "site-packages" in str(yaml.__file__)


def test_a_path_is_relative_to_the_working_folder(tmp_path, monkeypatch):
    write(tmp_path, mine="def denoise():\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    assert load_object("mine.py:denoise")() == 1
    assert load_object("./mine.py:denoise") is load_object(f"{tmp_path}/mine.py:denoise")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "x = 1\nfrom helper import absent\n",
            r"cannot import name 'absent' from 'helper' \(.*helper.py\); mine.py, line 2",
        ),
        ("import broken\n", "SyntaxError: .*; broken.py, line 2"),
        ("import nowhere\n", "No module named 'nowhere'; mine.py, line 1"),
        ("import leaves\n", "SystemExit: 3; leaves.py, line 3"),
        ("class Net:\n    pass\n", "module 'mine' has no attribute 'denoise'; it has Net"),
    ],
)
def test_an_error_says_file_and_line(text, reason, tmp_path):
    write(tmp_path, mine=text, helper="x = 1\n", broken="\ndef f(:\n", leaves="import sys\n\nsys.exit(3)\n")
    with pytest.raises(UsaidError, match=rf"^{tmp_path}/mine.py:denoise cannot be imported \({reason}\)$"):
        denoise(tmp_path)


def test_a_file_that_is_not_there_or_cannot_be_imported(tmp_path):
    with pytest.raises(UsaidError, match=r"mine.py: no such file; paths are relative to /"):
        denoise(tmp_path)
    write(tmp_path, **{"my.own": ""})
    with pytest.raises(
        UsaidError, match=r"my.own.py: Python imports no file with a further dot in its name; rename it"
    ):
        denoise(tmp_path, "my.own.py")
    write(tmp_path, **{"my-own": "def denoise():\n    return 1\n"})
    assert denoise(tmp_path, "my-own.py")() == 1


def test_the_hash_follows_what_a_file_imports(tmp_path):
    texts = {
        "mine": "import numpy\nimport helper\nfrom parts.near import x\ndef denoise():\n    from late import y\n",
        "helper": "x = 1\n",
        "parts/near": "from . import deep\nx = 1\n",
        "parts/deep": "x = 1\n",
        "late": "y = 1\n",
        "numpy": "x = 1\n",
        "unused": "x = 1\n",
    }
    hashes, loaded = {}, {*sys.modules}
    for changed in ("", *texts):
        folder = tmp_path / (changed or "none").replace("/", "_")
        write(folder, **{name.replace("/", "__"): text + "z = 1\n" * (name == changed) for name, text in texts.items()})
        hashes[changed] = hash_of_code(f"{folder}/mine.py:denoise")
        behind = {plain(name) for name in modules_behind(f"{folder}/mine.py:denoise")}
        assert behind == {"mine", "helper", "parts.near", "parts.deep", "late"}
    assert hashes["unused"] == hashes["numpy"] == hashes[""], "where the files are does not count, nor what is not read"
    assert len({*hashes.values()}) == 6
    assert {*sys.modules} == loaded


def test_a_file_that_is_missing_has_a_hash_too(tmp_path):
    missing = hash_of_code(f"{tmp_path}/absent.py:Net")
    assert missing == hash_of_code(f"{tmp_path}/absent.py:Other")
    write(tmp_path, there="x = 1\n")
    assert hash_of_code(f"{tmp_path}/there.py:Net") != missing


def test_facts_of_a_file_need_no_torch(tmp_path):
    write(
        tmp_path,
        mine="from usaid.cards import Facts\n\ndef denoise(x, told_sigma):\n    return x\n\n"
        "class Net:\n    facts = Facts('My Net', licence='MIT')\n    def __call__(self, x):\n        return x\n",
    )
    facts = facts_of(f"{tmp_path}/mine.py:denoise")
    assert (facts.title, facts.blind, facts.deep_learning) == ("denoise", False, False)
    assert facts_of(f"{tmp_path}/mine.py:Net").title == "My Net"
    script = f"import sys\nfrom usaid.report.tables.categories import facts_of\nfacts_of('{tmp_path}/mine.py:Net')\n"
    subprocess.run([sys.executable, "-c", f"{script}assert 'torch' not in sys.modules"], check=True)
