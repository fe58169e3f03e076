"""The one reader of YAML: what editors and shells write is read, or refused in one line with the cure."""

import codecs
import os
from pathlib import Path

import pytest

from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment, checked_files, read_experiment
from usaid.experiment.yaml_files import LONGEST_FILE, parsed, read_mapping

TEXT = """\
experiment: mine
data_root: data
denoisers: {noisy: {method: noisy, title: "Früh"}}
benchmarks: {kodak_quality: {sigmas: [25]}}
"""


def refusal(text: str) -> str:
    with pytest.raises(UsaidError) as error:
        parsed(text, "my.yaml")
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 250
    return line


@pytest.fixture
def file(tmp_path):
    """Writes bytes and gives the path."""

    def written(content: bytes) -> Path:
        (tmp_path / "my.yaml").write_bytes(content)
        return tmp_path / "my.yaml"

    return written


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.replace("\n", "\r\n").encode(),
    ],
)
def test_what_says_its_encoding_is_read(file, content):
    assert read_experiment(file(content)).denoisers["noisy"].title == "Früh"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("latin-1"), "is not UTF-8 text (byte 0xfc in line 3); save it as UTF-8"),
        (TEXT.encode("utf-16-le"), "is not UTF-8 text (it has NUL bytes, as UTF-16 has); save it as UTF-8"),
        (TEXT.encode("utf-16")[:-1], "is not UTF-16 text (byte"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8 text (byte 0x89 in line 1)"),
        (b"", "must be a mapping of keys to values"),
        (b"# nothing else\n", "must be a mapping of keys to values"),
        (b"- a\n", "must be a mapping of keys to values"),
        (b"#" * (LONGEST_FILE + 1), "is longer than 262,144 bytes; is it the right file?"),
    ],
)
def test_what_is_no_text_or_no_mapping(file, content, message):
    with pytest.raises(UsaidError) as error:
        read_mapping(file(content))
    assert str(error.value).startswith(f"{file(content)}: {message}")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, message in {
        tmp_path: "is a folder; name a file",
        tmp_path / "pipe": "is a device or pipe; name a file",
        Path("/dev/zero"): "is a device or pipe; name a file",
        tmp_path / "absent.yaml": "no such experiment file",
        tmp_path / "loop": "cannot be read",
        tmp_path / ("x" * 300): "cannot be read (File name too long)",
        Path("a\0b"): "cannot be read (embedded null byte)",
    }.items():
        with pytest.raises(UsaidError) as error:
            read_experiment(path)
        assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "my.yaml: line 3: key 'a' stands there and in line 1; drop one"),
        ("a: {b: 1, 'b': 2}", "line 1: key 'b' stands there and in line 1"),
        ("a: {25: 1, '25': 2}", "key '25' stands there"),
        ("a: &x {b: 1}\nc: {<<: *x, <<: *x}", "key '<<' stands there"),
        ("a:\n\tb: 1", "my.yaml: not YAML (line 2, column 1: a tab; indent with spaces)"),
        ("a: 1\n---\nb: 2", "my.yaml: not YAML (line 2, column 1: a second document starts; write one, without ---)"),
        ("a: [1", "my.yaml: not YAML (line 1, column 6: expected ',' or ']'"),
        ("a: 'x\0'", "my.yaml: not YAML (unacceptable character"),
        ("a: *b", "found undefined alias 'b'"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: 2026-13-45", "line 1: '2026-13-45' is no timestamp; put it in quotes, or correct it"),
        ("a: " + "9" * 5000, "line 1: '9999999999999999999999999999999999999...' is no int"),
        ("a: !!int x", "'x' is no int"),
        ("[1, 2]: 3", "found unhashable key"),
        ("a: &x [*x]", "line 1: an alias contains itself"),
        ("a: &x {b: *x}", "line 1: an alias contains itself"),
        ("a: &x {<<: *x}", "line 1: an alias contains itself"),
        ("a: " + "[" * 60 + "]" * 60, "line 1: mappings and lists are more than 50 deep"),
        ("[" * 5000, "mappings and lists are more than 50 deep"),
    ],
)
def test_what_yaml_cannot_mean_is_one_line_with_the_place(text, message):
    assert message in refusal(text)


def laughs(first: str, times: int, link: str) -> str:
    """Each of ten lines has the one before several times."""
    lines = [f"k0: &k0 {first}"]
    return "\n".join(lines + [f"k{n}: &k{n} " + link.format(", ".join([f"*k{n - 1}"] * times)) for n in range(1, 11)])


@pytest.mark.parametrize("text", [laughs("[x]", 9, "[{}]"), laughs("{x: 1}", 9, "{{<<: [{}]}}")])
def test_aliases_that_multiply_are_refused_before_anything_is_made(text):
    assert "aliases make more than 20,000 values of it; write fewer" in refusal(text)


def test_what_something_else_has_parsed_is_bounded_too():
    laugh: object = ["x"]
    for _ in range(12):
        laugh = [laugh] * 9
    circle: list[object] = []
    circle.append(circle)
    for notes, message in ((laugh, "has more than 20,000 values"), (circle, "has more than 50 levels")):
        with pytest.raises(UsaidError, match=message):
            checked_experiment({"experiment": "t", "notes": notes})
    with pytest.raises(UsaidError, match=r"^experiment: key '25' stands there twice; drop one$"):
        checked_experiment({25: 1, "25": 2})


def test_merge_keys_work():
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}"
    assert parsed(text, "t") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2, "z": 4}}


def test_files_are_checked_one_by_one(file):
    assert checked_files([file(TEXT.encode())])[0]["experiment"] == "mine"
    with pytest.raises(UsaidError, match=r"my\.yaml: key '__use_yte__' has Snakemake run what the file says as Python"):
        checked_files([file(b"__use_yte__: true\n")])


def test_no_module_of_a_users_own_is_run_when_an_experiment_is_read(tmp_path, monkeypatch):
    """Nor when its jobs are made out, as a dry run does: it might print, end the process, or worse."""
    from evaluators.dag.dag import Dag

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("own_one.py", "own_package/__init__.py", "own_package/inner.py"):
        (tmp_path / module).parent.mkdir(exist_ok=True)
        (tmp_path / module).write_text("open('was_run', 'w').close()\nraise SystemExit(3)\n", encoding="utf-8")
    methods = {"one": "own_one:C", "two": "own_package.inner:C", "three": "subprocess:Popen"}
    entries = {name: {"method": method, "options": {"args": "touch was_run"}} for name, method in methods.items()}
    entries["four"] = {"method": "own_package.inner:C", "train": {"width": 3}}
    config = {
        "experiment": "t",
        "data_root": "data",
        "denoisers": entries,
        "benchmarks": {"voc_quality": {"sigmas": [9]}},
    }
    dag = Dag(checked_experiment(config))
    for name in entries:
        assert dag.score("voc_quality", name).code
    assert dag.train_denoiser("four").code
    assert dag.table("3").code
    assert not (tmp_path / "was_run").exists()
