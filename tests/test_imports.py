"""What may import what, beside the contracts of ``lint-imports`` (pyproject.toml)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("usaid", "evaluators")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SCRIPTS = sorted(path for folder in ("usaid_cli", "workflow") for path in (ROOT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)


def test_no_circle_of_files(graph):
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 80
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of files: {' <- '.join(error.args[1])}")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_our_own_modules_are_imported_at_the_top(path):
    """Code hashes follow those imports only; what a card names is reached by ``load_object``."""
    lazy = []
    for function in functions(parsed(path)):
        for node in ast.walk(function):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "." * node.level]
            lazy += [f"{name} in {function.name}" for name in names if name.split(".")[0] in (*PACKAGES, "")]
    assert lazy == []


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=name_of)
def test_text_files_are_opened_with_an_encoding(path):
    assert [node.lineno for node in ast.walk(parsed(path)) if isinstance(node, ast.Call) and is_vague(node)] == []


def is_vague(call: ast.Call) -> bool:
    """Whether a call opens, reads or writes text without saying in which encoding."""
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in ("read_text", "write_text"):
        return True
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    if isinstance(call.func, ast.Name):
        modes += call.args[1:2]
        return name == "open" and not any("b" in str(getattr(mode, "value", "b")) for mode in modes)
    modes += call.args[:1]  # path.open(mode), but Image.open(path) and the like open no text
    written = [
        mode.value for mode in modes if isinstance(mode, ast.Constant) and set(str(mode.value)) <= set("rwaxt+b")
    ]
    return name == "open" and any("b" not in str(mode) for mode in written)


@pytest.mark.parametrize(
    ("code", "is_bad"),
    [
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, mode='a')", True),
        ("open(path, 'w', encoding='utf-8')", False),
        ("open(path, 'rb')", False),
        ("path.open('w')", True),
        ("path.open('rb')", False),
        ("Image.open(path)", False),
        ("path.read_text()", True),
        ("path.write_text(text, encoding='utf-8')", False),
    ],
)
def test_the_test_of_encodings_tells_them_apart(code, is_bad):
    (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert is_vague(call) == is_bad


EVALUATE = ("evaluators/one_call.py", "evaluate")
"""The one call is an experiment in a line: each of its keywords is a key of an experiment or an argument of a command,
told in a line of its docstring. An object that held them would be one more thing to learn."""


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=name_of)
def test_functions_are_short_and_take_few_arguments(path):
    """At most 60 lines and 7 parameters; of the one call without its docstring, and those that have no default."""
    for function in functions(parsed(path)):
        is_one_call = (name_of(path), function.name) == EVALUATE
        first = function.body[1] if is_one_call else function
        length = (function.end_lineno or 0) - first.lineno + 1
        arguments = function.args
        parameters = [*arguments.posonlyargs, *arguments.args, *([] if is_one_call else arguments.kwonlyargs)]
        own = [parameter for parameter in parameters if parameter.arg not in ("self", "cls")]
        assert length <= 60, f"{function.name}: {length} lines"
        assert len(own) <= 7, f"{function.name}: {len(own)} parameters"


HEAVY = (
    *("torch", "torchvision", "segmentation_models_pytorch", "ultralytics", "snakemake", "matplotlib"),
    *("pandas", "pyarrow", "jsonschema", "scipy", "scipy.stats", "scipy.optimize", "scipy.sparse"),
)


def imported(code: str) -> set[str]:
    """The heavy packages that code imports, in a process of its own."""
    program = f"{code}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


def test_cards_and_experiments_need_nothing_heavy():
    code = """
from usaid.experiment.reading import read_experiment
from usaid.experiment.reference import json_schema, key_reference
from usaid.registries import BENCHMARKS, DATASETS, METHODS, METRICS

cards = [card for registry in (METHODS, DATASETS, BENCHMARKS, METRICS) for card in registry.values()]
experiment = read_experiment("config/smoke.yaml")
experiment.variants, experiment.sha256, json_schema(), key_reference()
"""
    assert imported(code) == set()


FIGURES = "usaid.report.figures"


@pytest.mark.parametrize("package", ["usaid.report", "usaid.paper", "usaid.scores"])
def test_reports_import_nothing_heavy_before_they_are_made(package, graph):
    modules = sorted({package, *graph.find_descendants(package)} - graph.find_descendants(FIGURES))
    assert imported("\n".join(f"import {module}" for module in modules)) == set()


@pytest.mark.parametrize("figure", ["3", "4", "5", "reproduction", "differences", "sigma"])
def test_a_figure_needs_matplotlib(figure):
    assert imported(f"import {FIGURES}.figure_{figure}") == {"matplotlib"}


def test_figure_2_needs_pandas_too():
    assert imported(f"import {FIGURES}.figure_2") == {"pandas", "pyarrow", "matplotlib"}


OF_SCORES = {"pandas", "pyarrow", "jsonschema", "scipy"}
KODAK = [str(path) for path in sorted((ROOT / "results/reference/released/scores/kodak_quality").glob("*said.parquet"))]
VOC = [path.replace("kodak_quality", "voc_segmentation") for path in KODAK]


@pytest.mark.parametrize(
    ("module", "call", "needed"),
    [
        ("tables.files", "write_table(3, [], folder)", set()),
        ("tables.files", "write_table('10_print', [], folder)", {"scipy"}),
        ("tables.files", f"write_table(6, {KODAK}, folder)", OF_SCORES),
        ("tables.files", f"write_table(5, {VOC}, folder)", OF_SCORES),
        ("tables.files", f"write_provenance(folder + '/provenance.json', {KODAK})", {"pyarrow", "jsonschema"}),
        ("tables.classes", f"write_classes({VOC}, folder)", OF_SCORES - {"scipy"}),
        ("statistics.pages", f"write_statistics('voc_segmentation', {VOC}, folder)", OF_SCORES),
        ("claims.files", f"write_claims({KODAK + VOC}, folder)", OF_SCORES),
    ],
)
def test_a_page_imports_only_what_it_needs(module, call, needed, tmp_path):
    """A page takes a process in the workflow: scipy.stats alone would take longer than most of them."""
    function = call.partition("(")[0]
    code = f"from usaid.report.{module} import {function}\nfolder = {str(tmp_path)!r}\n{call}"
    assert imported(code) == needed
