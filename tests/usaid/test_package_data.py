"""YAML of the package."""

from importlib import resources

import pytest
import yaml

from usaid.package_data import read_yaml

FILES = [
    ("usaid.paper", "claims.yaml"),
    ("usaid.paper", "figures.yaml"),
    ("usaid.paper", "published.yaml"),
    ("usaid.scores", "provenance.schema.yaml"),
]


@pytest.mark.parametrize(("package", "file"), FILES)
def test_the_parser_in_c_reads_what_the_one_in_python_reads(package, file):
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    assert read_yaml(package, file) == yaml.safe_load(text)
    assert read_yaml(package, file, as_text=True) == yaml.load(text, yaml.BaseLoader)


def test_numbers_may_stay_as_printed():
    means = read_yaml("usaid.paper", "published.yaml", as_text=True)["table_1"]
    assert "'30.00'" not in repr(read_yaml("usaid.paper", "published.yaml")["table_1"])
    assert all(
        isinstance(value, str) for metrics in means["rows"].values() for row in metrics.values() for value in row
    )
