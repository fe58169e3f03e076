"""The hash of sources: it follows imports and ignores comments, docstrings and layout."""

import importlib

import pytest

from usaid import sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``ours`` with a module that imports another."""
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "judge.py").write_text("from ours.noise import add\n\ndef judge(x):\n    return add(x)\n")
    (folder / "noise.py").write_text("def add(x):\n    return x + 1\n")
    (folder / "unrelated.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sources, "_OURS", ("ours",))
    return folder


def fresh_hash(*modules: str) -> str:
    importlib.invalidate_caches()
    sources.hash_of_sources.cache_clear()
    sources._path.cache_clear()
    return sources.hash_of_sources(*modules)


def test_follows_imports(package):
    before = fresh_hash("ours.judge")
    (package / "noise.py").write_text("def add(x):\n    return x + 2\n")
    assert fresh_hash("ours.judge") != before


def test_ignores_what_is_not_imported(package):
    before = fresh_hash("ours.judge")
    (package / "unrelated.py").write_text("x = 2\n")
    assert fresh_hash("ours.judge") == before


def test_ignores_comments_docstrings_and_layout(package):
    before = fresh_hash("ours.judge")
    (package / "noise.py").write_text('"""Noise."""\n# adds\ndef add( x ):\n    """One more."""\n    return (x + 1)\n')
    assert fresh_hash("ours.judge") == before


def test_scores_depend_on_the_denoiser_they_use_only():
    closure = sources._closure(("evaluators.scoring",))
    assert "usaid.noise" in closure
    assert "usaid.denoisers.dncnn.denoiser" not in closure
    assert "usaid.report.tables" not in closure
