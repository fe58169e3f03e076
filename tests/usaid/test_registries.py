"""The registries: the suite's own cards, and those that installed packages add by entry points."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from usaid.cards import Benchmark, DataSet, Method, Metric
from usaid.errors import UsaidError
from usaid.registries import BENCHMARKS, DATASETS, METHODS, METRICS, load_object, method_of
from usaid.scores.whole_set import Statistic

REGISTRIES = {
    "usaid.denoisers": METHODS,
    "usaid.datasets": DATASETS,
    "usaid.benchmarks": BENCHMARKS,
    "usaid.metrics": METRICS,
}

CARDS = {
    "usaid.denoisers": """
        from usaid.cards import Facts, Method

        FACTS = Facts("Mine", True, True, False, False, "MIT", "nobody")
        CARDS = (Method("mine", FACTS, "mine.denoiser:Own", recipe="usaid.experiment.model:OwnRecipe"),)
        """,
    "usaid.datasets": """
        from usaid.cards import DataSet

        CARDS = (DataSet("flowers", "Flowers", "mine.flowers:Flowers", {"train": 3, "val": 2}),)
        """,
    "usaid.benchmarks": """
        from usaid.cards import Benchmark

        SETTINGS = "evaluators.quality.settings:QualitySettings"
        CARDS = (Benchmark("flowers_quality", "kodak", "all", "mine.judge:make_judge", SETTINGS, ("psnr",)),)
        """,
    "usaid.metrics": """
        from usaid.cards import Convention, Metric

        CARDS = (Metric("mse", "MSE", "", "lower", 4, (Convention("mse_float", "mine.metric:mse_float"),)),)
        """,
}
"""Group of entry points -> a module with a card of its kind."""


def install(folder: Path, group: str, content: str, value: str = "mine_cards", name: str = "mine") -> None:
    """Write a package as an installer leaves it: a module, and metadata with an entry point."""
    (folder / f"{value.partition(':')[0].split('.')[0]}.py").write_text(textwrap.dedent(content), encoding="utf-8")
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n", encoding="utf-8")


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code where the package is installed."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n{textwrap.dedent(code)}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def refusal(folder: Path, group: str) -> str:
    """The one line that refuses what is installed."""
    code = f"""
        from usaid import registries
        from usaid.errors import UsaidError

        registry = next(r for r in vars(registries).values() if getattr(r, "group", None) == {group!r})
        try:
            list(registry)
        except UsaidError as error:
            print(error)
        """
    result = run(folder, code)
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    return line


# ------------------------------------------------------------------------------------------------ the suite's own


@pytest.mark.parametrize("group", REGISTRIES)
def test_cards_are_of_their_kind_and_their_names_unique(group):
    registry = REGISTRIES[group]
    offered = [card for module in registry.modules for card in load_object(f"{module}:CARDS")]
    assert all(isinstance(card, registry.kind) for card in offered)
    assert [card.name for card in offered] == list(registry.own)
    assert set(registry.own) <= set(registry)
    assert len(registry) == len(list(registry))
    assert "absent" not in registry


def test_benchmarks_name_data_sets_splits_and_metrics_that_there_are():
    for card in BENCHMARKS.values():
        assert card.split in DATASETS[card.dataset].splits
        assert set(card.metrics) <= set(METRICS)


def test_what_cards_name_can_be_loaded():
    names = [card.denoiser for card in METHODS.own.values()]
    names += [name for card in METHODS.own.values() for name in (card.recipe, card.training, card.importer) if name]
    names += [card.reader for card in DATASETS.own.values()]
    names += [name for card in BENCHMARKS.own.values() for name in (card.judge, card.settings, card.training) if name]
    names += [c.compute for card in METRICS.own.values() for c in card.conventions if c.compute]
    for name in names:
        assert callable(load_object(name)) or isinstance(load_object(name), Statistic)


def test_only_the_suites_own_clean_is_given_the_clean_images():
    assert [name for name, card in METHODS.items() if card.given_clean] == ["clean"]


def test_method_of():
    assert method_of("mlp") is METHODS["mlp"]
    own = method_of("my.module:Own")
    assert (own.facts, own.denoiser, own.training) == (None, "my.module:Own", "my.module:Own.train")
    assert not own.given_clean
    with pytest.raises(
        UsaidError,
        match=r"^method 'bm4d': must be one of noisy, clean, .*, or your own as file.py:Name or package.module:Name$",
    ):
        method_of("bm4d")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent_module:x", "No module named 'absent_module'"),
        ("usaid.errors:Absent", "module 'usaid.errors' has no attribute 'Absent'"),
        ("usaid.errors:UsaidError.absent", "has no attribute 'absent'"),
        ("broken_module:x", "SyntaxError: "),
        ("loud_module:x", "RuntimeError: two lines"),
    ],
)
def test_whatever_cannot_be_loaded_is_one_line(name, reason, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("def broken(:\n")
    (tmp_path / "loud_module.py").write_text("raise RuntimeError('two\\nlines')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsaidError) as error:
        load_object(name)
    assert str(error.value).startswith(f"{name} cannot be imported (")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_names_may_have_dots():
    assert load_object("usaid.registries:METHODS.own") is METHODS.own


# ------------------------------------------------------------------------------------------------ entry points


@pytest.mark.parametrize("group", CARDS)
def test_a_package_adds_a_card_of_each_kind(tmp_path, group):
    install(tmp_path, group, CARDS[group])
    code = f"""
        import json
        from usaid import registries

        registry = next(r for r in vars(registries).values() if getattr(r, "group", None) == {group!r})
        print(json.dumps([list(registry.own), list(registry), "torch" in sys.modules]))
        """
    result = run(tmp_path, code)
    assert result.returncode == 0, result.stderr
    own, names, torch_is_imported = json.loads(result.stdout)
    assert own == list(REGISTRIES[group].own)
    assert names[: len(own)] == own
    assert len(names) == len(own) + 1
    assert not torch_is_imported


def test_an_experiment_knows_what_a_package_adds(tmp_path):
    for number, (group, content) in enumerate(CARDS.items()):
        install(tmp_path, group, content, f"mine_{number}", f"mine_{number}")
    code = """
        from usaid.experiment.reading import checked_experiment
        from usaid.experiment.reference import json_schema, key_reference

        experiment = checked_experiment({
            "experiment": "mine",
            "data_root": "data",
            "subsets": {"flowers/val": "few.txt"},
            "denoisers": {"a": {"method": "mine", "train": {"images": "flowers/train", "width": 3}}},
            "benchmarks": {"flowers_quality": {"sigmas": [25], "metrics": ["mse"]}},
        })
        assert experiment.benchmarks["flowers_quality"].further_metrics == ("mse",)
        page = key_reference()
        for name in ("mine", "flowers", "flowers_quality", "mse"):
            assert f"`{name}`" in page, name
        assert "flowers_quality" in json_schema()["properties"]["benchmarks"]["properties"]
        """
    result = run(tmp_path, code)
    assert result.returncode == 0, result.stderr


METHOD = "from usaid.cards import Method\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("raise RuntimeError('two\\nlines')\n", "cannot be read (RuntimeError: two lines); mend it or uninstall it"),
        ("def broken(:\n", "cannot be read (SyntaxError: invalid syntax (mine_cards.py, line 1)); mend it"),
        ("import absent_package\n", "cannot be read (ModuleNotFoundError: No module named 'absent_package'); mend it"),
        ("x = 1\n", "cannot be read (AttributeError: module 'mine_cards' has no attribute 'CARDS'); mend it"),
        ("CARDS = 3\n", "cannot be read (TypeError: 'int' object is not iterable); mend it"),
        ("CARDS = ('mine',)\n", "offers 'mine'; it must be a usaid.cards.Method"),
        (f"{METHOD}CARDS = (Method('noisy', None, 'mine:Own'),)\n", "the name 'noisy' is taken; choose another"),
        (
            f"{METHOD}CARDS = (Method('my', None, 'a:B'), Method('my', None, 'a:C'))\n",
            "the name 'my' is taken; choose another",
        ),
        (f"{METHOD}CARDS = (Method('My Own', None, 'mine:Own'),)\n", "the name 'My Own' must be like [a-z][a-z0-9_]*"),
        (
            f"{METHOD}CARDS = (Method('mine', None, 'mine:Own', given_clean=True),)\n",
            "'mine' says given_clean, which only the suite's own methods may; drop it",
        ),
    ],
)
def test_what_a_package_cannot_offer_is_one_line_that_names_its_entry_point(tmp_path, content, reason):
    install(tmp_path, "usaid.denoisers", content)
    line = refusal(tmp_path, "usaid.denoisers")
    assert line.startswith(f"entry point 'mine' of usaid.denoisers (mine_cards): {reason}")


def test_an_entry_point_without_its_module(tmp_path):
    install(tmp_path, "usaid.metrics", "", "mine_cards.deeper")
    assert refusal(tmp_path, "usaid.metrics").startswith(
        "entry point 'mine' of usaid.metrics (mine_cards.deeper): cannot be read (ModuleNotFoundError: "
    )


def test_a_broken_package_is_one_line_on_the_command_line_too(tmp_path):
    install(tmp_path, "usaid.denoisers", "raise RuntimeError('broken')\n")
    code = """
        import usaid_cli
        sys.exit(usaid_cli.main(["config", "keys"]))
        """
    result = run(tmp_path, code)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert "entry point 'mine' of usaid.denoisers (mine_cards): cannot be read" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_kinds():
    assert [registry.kind for registry in REGISTRIES.values()] == [Method, DataSet, Benchmark, Metric]


def test_a_module_that_is_a_file_is_named_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_own_net.py").touch()
    with pytest.raises(UsaidError, match=r"No module named 'my_own_net'.*; a file is named my_own_net.py:Net$"):
        load_object("my_own_net:Net")
