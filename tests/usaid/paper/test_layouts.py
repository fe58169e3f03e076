"""Which table prints a benchmark's scores, and at which noise levels."""

import pytest

from usaid.cards import Benchmark
from usaid.paper.layouts import TABLES, TableSpec, sigmas_in_print, table_in_print, table_of
from usaid.paper.published import paper_groups
from usaid.registries import BENCHMARKS


@pytest.mark.parametrize(
    ("benchmark", "number", "sigmas"),
    [
        ("voc_quality", 1, (15, 25, 35)),
        ("kodak_quality", 6, (15, 25, 35)),
        ("voc_segmentation", 5, (15, 25, 35)),
        ("deepglobe_segmentation", 7, (25,)),
        ("cifar100_classification", 8, (25,)),
        ("coco_detection", 9, (15, 25, 35)),
    ],
)
def test_the_table_and_the_sigmas_of_a_benchmark(benchmark, number, sigmas):
    spec = table_in_print(BENCHMARKS[benchmark])
    assert spec is not None
    assert spec.number == number
    assert sigmas_in_print(BENCHMARKS[benchmark]) == sigmas
    groups = paper_groups(number)
    assert groups == tuple(f"{sigma:g}" for sigma in sigmas) or spec.benchmarks[benchmark] in groups


def _card(name: str, variant_of: str | None = None) -> Benchmark:
    return Benchmark(name, "dots", "test", "a:b", "a:c", ("psnr", "miou"), variant_of=variant_of)


def test_a_benchmark_that_the_paper_lacks():
    assert table_in_print(_card("dots_brightness")) is None
    assert sigmas_in_print(_card("dots_brightness")) == (15, 25, 35)


class TestVariants:
    @pytest.mark.parametrize(
        ("name", "of", "table", "title"),
        [
            ("coco_detection_stored", "coco_detection", "9_stored", "Table IX, stored"),
            ("voc_segmentation_released_code", "voc_segmentation", "5_released_code", "Table V, released code"),
            ("kodak_quality_small", "kodak_quality", "6_small", "Table VI, small"),
            ("dots", "coco_detection", "9_dots", "Table IX, dots"),
        ],
    )
    def test_has_the_table_that_prints_what_it_is_a_variant_of(self, name, of, table, title):
        card, main = _card(name, of), table_in_print(BENCHMARKS[of])
        spec = table_of(card)
        assert spec is not None
        assert main is not None
        assert (spec.name, spec.title, spec.number) == (table, title, main.number)
        assert (spec.benchmarks, spec.metrics, spec.sigma) == ({name: None}, main.metrics, main.sigma)
        assert table_in_print(card) == spec
        assert sigmas_in_print(card) == sigmas_in_print(BENCHMARKS[of])
        assert main.is_made_again
        assert not spec.is_made_again

    def test_one_of_a_table_with_two_data_sets_is_of_one(self):
        spec = table_of(_card("deepglobe_segmentation_large", "deepglobe_segmentation"))
        assert spec is not None
        assert spec.benchmarks == {"deepglobe_segmentation_large": "deepglobe"}
        assert spec.name == "7_large"

    def test_one_of_what_the_paper_lacks_has_a_table_of_its_own(self):
        card = _card("dots_brightness_small", "dots_brightness")
        assert table_of(card) == TableSpec(None, {card.name: None}, card.metrics)
        assert table_in_print(card) is None

    def test_those_of_the_suite_are_registered_and_no_tables_of_the_paper(self):
        own = {name: card.variant_of for name, card in BENCHMARKS.items() if card.variant_of is not None}
        assert own == {
            "coco_detection_stored": "coco_detection",
            "voc_segmentation_released_code": "voc_segmentation",
        }
        assert not any({*own} & {*spec.benchmarks} for spec in TABLES.values())
