"""The pages of docs/data: a source each, and what they say of it is what its YAML and its card say."""

import re
from pathlib import Path

import pytest

from usaid.datasets.facts import facts, overview, page_of
from usaid.datasets.sources import WEIGHTS, source_names, source_of
from usaid.registries import DATASETS

PAGES = Path(__file__).parents[3] / "docs" / "data"
BLOCK = re.compile(r"<!-- facts: (\w+) -->\n(.*?)<!-- end of facts -->", re.DOTALL)


def blocks() -> dict[str, tuple[str, str]]:
    """What is generated in the pages: of what -> (page, text)."""
    return {
        name: (page.name, text.strip())
        for page in sorted(PAGES.glob("*.md"))
        for name, text in BLOCK.findall(page.read_text(encoding="utf-8"))
    }


def test_every_source_has_its_page() -> None:
    names = [name for name in source_names() if name in DATASETS.own or name in WEIGHTS]
    assert {name: page for name, (page, _) in blocks().items()} == {
        **{name: page_of(name) for name in names},
        "overview": "index.md",
    }


@pytest.mark.parametrize("name", ["overview", *DATASETS.own, *WEIGHTS])
def test_what_is_generated_is_as_the_sources_say(name: str) -> None:
    page, text = blocks()[name]
    assert text == (overview() if name == "overview" else facts(name)), (
        f"docs/data/{page}: put between the marks of {name} what `usaid data facts {name}` prints"
    )


@pytest.mark.parametrize("name", DATASETS.own)
def test_the_tree_names_the_folders_and_counts_of_the_card(name: str) -> None:
    text = (PAGES / page_of(name)).read_text(encoding="utf-8")
    tree = text.partition("## The tree\n")[2].partition("\n## ")[0]
    splits = set(source_of(name).get("splits", DATASETS[name].splits))
    counts = {f"{DATASETS[name].splits[split]:,}" for split in splits}
    if name == "deepglobe":  # a folder of all three
        counts = {str(sum(DATASETS[name].splits.values()))}
    assert all(count in tree for count in counts)


def test_the_facts_name_sizes_hashes_and_terms() -> None:
    said = facts("voc2012")
    assert "train: 1,464 images; val: 1,449 images" in said
    assert "2.0 GB (1,999,639,040 bytes), unpacked at `DATA_ROOT`; SHA-256 `e14f763270cf`..." in said
    assert "about 10.4 GB" in facts("isic2018")
    assert "trust on first use" in facts("isic2018")
    assert "`kodak/kodim01.png` to `kodak/kodim24.png`, 24 files" in facts("kodak")
    assert "needs an account" in facts("deepglobe")
    assert "| [`deepglobe`](deepglobe.md) | by hand | yes |" in overview()
