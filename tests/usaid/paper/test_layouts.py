"""Which table prints a benchmark's scores, and at which noise levels."""

import pytest

from usaid.paper.layouts import sigmas_in_print, table_in_print
from usaid.paper.published import paper_groups


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
    spec = table_in_print(benchmark)
    assert spec is not None
    assert spec.number == number
    assert sigmas_in_print(benchmark) == sigmas
    groups = paper_groups(number)
    assert groups == tuple(f"{sigma:g}" for sigma in sigmas) or spec.benchmarks[benchmark] in groups


def test_a_benchmark_that_the_paper_lacks():
    assert table_in_print("dots_brightness") is None
    assert sigmas_in_print("dots_brightness") == (15, 25, 35)
