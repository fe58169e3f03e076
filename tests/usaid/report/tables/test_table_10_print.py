"""The paper's p-values, recomputed from the means and variances that it prints beside them."""

import re
import shutil
from itertools import product

import numpy as np
import pytest
from scipy import stats

from usaid.errors import UsaidError
from usaid.paper.layouts import TABLES_OF_PRINT
from usaid.paper.published import OF_TWO, all_published
from usaid.report.statistics.inference import two_sample_p_from_moments
from usaid.report.tables.build import build_table, spec_of
from usaid.report.tables.files import make_table, write_index, write_table
from usaid.report.tables.printed_p_values import TESTS, Moments, build_print_table, moments, p_range
from usaid.report.tables.render_csv import render_csv
from usaid.report.tables.render_markdown import render_markdown
from usaid.report.tables.render_tex import render_tex

POOLED, WELCH, OVER_N = TESTS
VOC_C, VOC_S, KODAK_C, KODAK_S, TOP1_C, TOP1_S, TOP5_C, TOP5_S = (
    "voc_miou_u_said_vs_cdncnn_b",
    "voc_miou_u_said_vs_s_said",
    "kodak_niqe_u_said_vs_cdncnn_b",
    "kodak_niqe_s_said_vs_u_said",
    "cifar100_top1_u_said_vs_cdncnn_b",
    "cifar100_top1_u_said_vs_s_said",
    "cifar100_top5_u_said_vs_cdncnn_b",
    "cifar100_top5_u_said_vs_s_said",
)


@pytest.fixture(scope="module")
def table():
    return build_print_table(TABLES_OF_PRINT["10_print"])


def values(table, test, number):
    return {c.place.denoiser: c.ours for c in table.cells if (c.place.group, c.place.metric) == (test, number)}


def test_the_pooled_p_values_are_those_of_the_protocol(table):
    """PROTOCOL section 5, of all eight printed ones."""
    expected = {
        VOC_C: 1.80e-9, VOC_S: 0.0743, KODAK_C: 2.1e-16, KODAK_S: 0.036,
        TOP1_C: 1.4e-14, TOP1_S: 9.4e-7, TOP5_C: 1.1e-9, TOP5_S: 4.5e-3,
    }  # fmt: skip
    found = values(table, "pooled", "p_value")
    assert [*found] == [*expected]
    for name, p in expected.items():
        assert found[name] == pytest.approx(p, rel=0.05), name
    assert found[VOC_C] == pytest.approx(1.80e-9, rel=0.003)


def test_the_protocols_range_and_welchs_p_value(table):
    assert values(table, "pooled", "low")[KODAK_S] == pytest.approx(0.003, rel=0.06)
    assert values(table, "pooled", "high")[KODAK_S] == pytest.approx(0.27, rel=0.01)
    assert values(table, "welch", "p_value")[KODAK_C] == pytest.approx(1.2e-13, rel=0.02)


def test_pooled_p_values_are_those_of_the_statistics_room(table):
    for entry in (e for e in all_published() if e.metric.endswith(OF_TWO)):
        first, second = (moments(entry, name) for name in entry.denoiser.split("_vs_"))
        p = two_sample_p_from_moments(first.mean, first.variance, 10, second.mean, second.variance, 10)
        name = f"{entry.group}_{entry.metric.removesuffix(OF_TWO)}_{entry.denoiser}"
        assert values(table, "pooled", "p_value")[name] == pytest.approx(p, rel=1e-9)


def test_only_the_pooled_test_over_n_minus_1_fits_all_that_is_printed(table):
    others = {test.name: [n for n, fits in values(table, test.name, "fits").items() if not fits] for test in TESTS}
    assert others == {"pooled": [], "welch": [KODAK_C, TOP1_S, TOP5_C], "over_n": [VOC_C]}


def test_a_printed_p_value_fits_if_it_lies_in_the_range(table):
    cells = {cell.place: cell for cell in table.cells}
    for place, cell in cells.items():
        if place.metric == "p_value":
            low, high, fits = (cells[place._replace(metric=name)].ours for name in ("low", "high", "fits"))
            assert low <= cell.ours <= high
            assert fits == (low <= cell.paper <= high)


def test_mean_of_miou_is_a_fraction_as_its_variance_is():
    (entry,) = (e for e in all_published() if (e.metric, e.denoiser) == ("miou_p_value", "u_said_vs_s_said"))
    assert moments(entry, "u_said") == pytest.approx((0.4035, 0.00005, 3.15e-6, 0.005e-6))
    (entry,) = (e for e in all_published() if (e.metric, e.denoiser) == ("top1_p_value", "u_said_vs_s_said"))
    assert moments(entry, "s_said") == pytest.approx((57.82, 0.005, 0.06, 0.005))


def test_means_that_may_have_been_equal_give_a_highest_p_of_1():
    first, second = Moments(2.60, 0.005, 1e-4, 5e-7), Moments(2.61, 0.005, 1e-4, 5e-7)
    assert p_range(POOLED, first, second).high == 1
    assert p_range(POOLED, first, second._replace(mean=2.62)).high < 1


def test_numbers_without_rounding_have_one_p_value():
    p, low, high = p_range(POOLED, Moments(1.0, 0, 0.5, 0), Moments(2.0, 0, 0.5, 0))
    # t = 1 / sqrt((0.5 + 0.5) / 10) with 18 degrees of freedom
    assert p == low == high == pytest.approx(2 * stats.t.sf(np.sqrt(10), 18))


def test_variances_over_n_are_smaller_than_those_over_n_minus_1():
    draws = np.random.default_rng(0).normal(loc=[[0], [1]], size=(2, 10))
    of_print = [Moments(own.mean(), 0, own.var(ddof=0), 0) for own in draws]
    assert p_range(OVER_N, *of_print).p == pytest.approx(stats.ttest_ind(*draws).pvalue)
    of_print = [Moments(own.mean(), 0, own.var(ddof=1), 0) for own in draws]
    assert p_range(POOLED, *of_print).p == pytest.approx(stats.ttest_ind(*draws).pvalue)
    assert p_range(WELCH, *of_print).p == pytest.approx(stats.ttest_ind(*draws, equal_var=False).pvalue)


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_whatever_rounds_to_the_printed_numbers_lies_in_the_range(test):
    """Of top-1, U-SAID and S-SAID, whose rounding is coarse; Welch's range is of a grid: hence the margin."""
    first, second = Moments(58.47, 0.005, 0.02, 0.005), Moments(57.82, 0.005, 0.06, 0.005)
    _, low, high = p_range(test, first, second)
    for of_first, of_second in np.random.default_rng(0).uniform(-1, 1, (50, 2, 2)):
        moved = (_moved(first, *of_first), _moved(second, *of_second))
        assert low * 0.999 <= p_range(test, *moved).p <= high * 1.001


def _moved(own, mean, variance):
    return Moments(own.mean + mean * own.mean_half_unit, 0, own.variance + variance * own.variance_half_unit, 0)


# The page


def test_it_says_at_the_top_what_the_p_values_mean(table):
    first = render_markdown(table).splitlines()[0]
    assert first.startswith(
        "**Table X in print.** Its p-values, recomputed from its printed means and variances (10 noise"
    )
    assert "They speak of noise draws of single trainings" in first
    assert "not that other images or another training would show it." in first


def test_markdown(table):
    lines = render_markdown(table).splitlines()
    assert lines[2] == "|  |  | p-value | Lowest<sup>d</sup> | Highest<sup>d</sup> | Print fits |"
    kodak = "Kodak NIQE, U-SAID and CDnCNN-B"
    assert f"| Pooled<sup>a</sup> | {kodak} | 2.0874e-16 (2.6638e-16) | 1.03e-16 | 4.33e-16 | ✓ |" in lines
    assert f"| Welch<sup>b</sup> | {kodak} | 1.1806e-13 (2.6638e-16) | 6.76e-14 | 2.10e-13 | ✗ |" in lines
    assert "| Pooled<sup>a</sup> | Kodak NIQE, S-SAID and U-SAID | 0.0359 (6.7845e-3) | 3.17e-3 | 0.2721 | ✓ |" in lines
    notes = [line.strip() for line in lines if line.startswith("<sup>")]
    assert notes[0].endswith("variances over n - 1: fits all 8 printed p-values.")
    assert notes[1].endswith(
        "excluded by Kodak NIQE, U-SAID and CDnCNN-B; CIFAR-100 Top-1 Acc, U-SAID and S-SAID; "
        "CIFAR-100 Top-5 Acc, U-SAID and CDnCNN-B."
    )
    assert notes[2].endswith("over n: excluded by PASCAL VOC 2012 mIoU, U-SAID and CDnCNN-B.")


def test_csv_and_tex(table):
    lines = render_csv(table).splitlines()
    assert len(lines) == 1 + 3 * 8 * 4
    assert any(line.startswith(f"10_print,over_n,{VOC_C},fits,0,") for line in lines)
    assert any(re.match(rf"10_print,pooled,{VOC_S},p_value,0.0743,.*0.0744", line) for line in lines)
    text = render_tex(table)
    assert text.startswith("% Table X in print. Needs")
    assert r"$1.7976\times 10^{-9}$ \usaidpaper{$1.7305\times 10^{-9}$} & $1.49\times 10^{-9}$" in text
    assert r"\caption{Table X in print. Its p-values" in text


def test_it_is_written_without_score_files_and_listed_after_table_x(tmp_path):
    write_table("10_print", [], tmp_path)
    ends = ("csv", "html", "json", "md", "tex")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"table_10_print.{end}" for end in ends]
    write_table("3", [], tmp_path)
    for name, end in product(("9", "10"), ("csv", "md")):  # in place of real ones
        shutil.copy(tmp_path / f"table_3.{end}", tmp_path / f"table_{name}.{end}")
    write_index(tmp_path / "index.md", [tmp_path / f"table_{name}.csv" for name in ("10_print", "9", "10", "3")], "x")
    links = re.findall(r"\[CSV\]\(table_(\w+)\.csv\)", (tmp_path / "index.md").read_text())
    assert links == ["3", "9", "10", "10_print"]


def test_it_is_a_table_of_its_own_and_not_made_from_scores():
    assert (spec_of("10_print").name, spec_of("10").name) == ("10_print", "10")
    assert make_table("10_print", []).spec == spec_of("10_print")
    with pytest.raises(UsaidError, match="table 10_print is not made from scores"):
        build_table("10_print")
