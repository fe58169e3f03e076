"""Best and second best are marked where the difference survives; the others are ties."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from usaid.paper.layouts import TABLES, TableSpec
from usaid.registries import METRICS
from usaid.report.statistics.estimates import Comparison, Estimate
from usaid.report.tables.build import build_table
from usaid.report.tables.cells import Cell, Layout, Place, Table
from usaid.report.tables.ranks import ranked
from usaid.report.tables.render_markdown import render_markdown
from usaid.report.tables.render_tex import render_tex
from usaid.scores.files import Scores

Marks = dict[str, tuple[int | None, bool]]
"""Denoiser -> rank, and whether others share it."""


def table_of(values: Mapping[str, float], metric: str = "psnr", spec: TableSpec = TABLES[6]) -> Table:
    """A table of one group and metric: denoiser -> its number."""
    cells = tuple(Cell(Place("25", name, metric), value, None) for name, value in values.items())
    layout = Layout({"25": "sigma 25"}, (METRICS[metric],), {name: name for name in values})
    return Table(spec, "Caption", cells, layout, ())


def compared(p_values: Mapping[str, float | str], metric: str = "psnr", family: str = "Table VI, over images") -> list:
    """Comparisons: two names, "ab" -> their corrected p-value, or why it cannot be tested."""
    comparisons = []
    for (first, second), p in p_values.items():
        reason = p if isinstance(p, str) else None
        sure = Estimate("images", "" if reason else "paired t-test", {}, 1.0, 0.5, 1.5, not_testable=reason)
        corrected = None if isinstance(p, str) else p
        pair = ("kodak_quality", "25", 25.0, METRICS[metric], "psnr_rgb_float", first, second)
        comparisons.append(Comparison(*pair, sure, family, len(p_values), corrected))
    return comparisons


def marks_of(table: Table) -> Marks:
    return {cell.place.denoiser: (cell.rank, cell.tied) for cell in table.cells}


def marks(
    values: Mapping[str, float],
    p_values: Mapping[str, float | str],
    metric: str = "psnr",
    images: Mapping[str, str] | None = None,
) -> Marks:
    """The marks of a table; ``images``: denoiser -> ids of its images, a letter each; all have the same by default."""
    of_cell = {Place("25", name, metric): frozenset((images or {}).get(name, "xy")) for name in values}
    return marks_of(ranked(table_of(values, metric), compared(p_values, metric), of_cell))


NONE = (None, False)
FIRST, SECOND, SHARED_FIRST, SHARED_SECOND = (1, False), (2, False), (1, True), (2, True)


# Which are marked


def test_the_best_and_the_second_best_stand_alone_where_all_differ() -> None:
    found = marks({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": 0.01, "ac": 0.01, "bc": 0.01})
    assert found == {"a": FIRST, "b": SECOND, "c": NONE}


def test_lower_is_better_where_the_metric_says_so() -> None:
    found = marks({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": 0.01, "ac": 0.01, "bc": 0.01}, "niqe")
    assert found == {"a": NONE, "b": SECOND, "c": FIRST}


def test_the_best_shares_its_place_with_what_it_does_not_differ_from() -> None:
    found = marks({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": 0.2, "ac": 0.01, "bc": 0.01})
    assert found == {"a": SHARED_FIRST, "b": SHARED_FIRST, "c": NONE}, "and then there is no second"


def test_what_lies_between_two_that_share_a_place_shares_it_too() -> None:
    """As 0.7862, 0.7860 and 0.7857 did in Table I, where the second differs from the first and the third does not."""
    values = {"a": 0.7862, "b": 0.7860, "c": 0.7857, "d": 0.7850}
    found = marks(values, {"ab": 0.01, "ac": 0.2, "ad": 0.01, "bc": 0.2, "bd": 0.01, "cd": 0.01}, "ssim")
    assert found == {"a": SHARED_FIRST, "b": SHARED_FIRST, "c": SHARED_FIRST, "d": NONE}
    lower = {name: 1 - value for name, value in values.items()}
    p_values = {"ab": 0.01, "ac": 0.2, "ad": 0.01, "bc": 0.2, "bd": 0.01, "cd": 0.01}
    assert marks(lower, p_values, "niqe") == found


def test_what_is_equal_as_printed_to_the_worst_of_a_place_shares_it() -> None:
    found = marks({"a": 3.0, "b": 2.003, "c": 2.001}, {"ab": 0.2, "ac": 0.01, "bc": 0.01})
    assert set(found.values()) == {SHARED_FIRST}


def test_all_share_the_place_where_none_differ() -> None:
    found = marks({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": 0.9, "ac": 0.05, "bc": 1.0})
    assert set(found.values()) == {SHARED_FIRST}, "0.05 is not below 0.05"


def test_the_second_place_is_shared_by_the_same_rule() -> None:
    found = marks({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": 0.01, "ac": 0.01, "bc": 0.3})
    assert found == {"a": FIRST, "b": SHARED_SECOND, "c": SHARED_SECOND}


def test_of_two_that_differ_the_other_is_second() -> None:
    assert marks({"a": 3.0, "b": 2.0}, {"ab": 0.01}) == {"a": FIRST, "b": SECOND}


def test_numbers_that_are_equal_as_printed_share_a_place_though_they_differ() -> None:
    found = marks({"a": 30.004, "b": 30.001, "c": 29.0}, {"ab": 0.001, "ac": 0.001, "bc": 0.001})
    assert found == {"a": SHARED_FIRST, "b": SHARED_FIRST, "c": NONE}


def test_numbers_that_are_equal_in_every_image_share_a_place_beside_one_that_differs() -> None:
    found = marks({"a": 30.0, "b": 30.0, "c": 29.0}, {"ab": "all differences are equal", "ac": 0.01, "bc": 0.01})
    assert found == {"a": SHARED_FIRST, "b": SHARED_FIRST, "c": NONE}


def test_noisy_and_clean_do_not_compete() -> None:
    pairs = {("noisy", "a"): 0.01, ("noisy", "b"): 0.01, ("a", "b"): 0.01}
    found = marks({"noisy": 9.0, "a": 3.0, "b": 2.0, "clean": math.inf}, pairs)  # type: ignore[arg-type]
    assert found == {"noisy": NONE, "a": FIRST, "b": SECOND, "clean": NONE}


def test_a_number_over_fewer_images_does_not_compete() -> None:
    found = marks({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": 0.5, "ac": 0.5, "bc": 0.01}, images={"a": "x"})
    assert found == {"a": NONE, "b": FIRST, "c": SECOND}


def test_numbers_over_the_same_images_compete_though_the_clean_ones_are_more() -> None:
    found = marks({"a": 3.0, "b": 2.0, "clean": 9.0}, {"ab": 0.01}, images={"clean": "xyz"})
    assert found == {"a": FIRST, "b": SECOND, "clean": NONE}


def test_as_many_but_other_images_do_not_compete() -> None:
    assert set(marks({"a": 3.0, "b": 2.0}, {"ab": 0.01}, images={"a": "x", "b": "y"}).values()) == {NONE}


@pytest.mark.parametrize(
    "p_values",
    [
        {"ab": "one image", "ac": "one image", "bc": "one image"},
        {"ab": 0.01, "ac": "a score is infinite", "bc": 0.01},
        {"ab": 0.01, "bc": 0.01},
    ],
)
def test_nothing_is_marked_where_a_difference_that_decides_cannot_be_tested(p_values: dict[str, float | str]) -> None:
    assert set(marks({"a": 3.0, "b": 2.0, "c": 1.0}, p_values).values()) == {NONE}


def test_the_first_is_marked_though_the_second_place_cannot_be_tested() -> None:
    found = marks({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": 0.01, "ac": 0.01, "bc": "all differences are equal"})
    assert found == {"a": FIRST, "b": NONE, "c": NONE}


def test_numbers_that_are_all_equal_are_not_marked() -> None:
    equal = "all differences are equal"
    found = marks({"a": 3.0, "b": 3.0, "c": 3.0}, {"ab": equal, "ac": equal, "bc": equal})
    assert set(found.values()) == {NONE}


def test_a_dash_and_a_single_number_are_not_marked() -> None:
    table = table_of({"a": 3.0, "b": 2.0})
    cells = (table.cells[0], Cell(Place("25", "b", "psnr"), None, None))
    dashed = Table(table.spec, "", cells, table.layout, ())
    assert set(marks_of(ranked(dashed, [], {table.cells[0].place: frozenset("xy")})).values()) == {NONE}


# What the page says


def rendered(values: Mapping[str, float], p_values: Mapping[str, float | str], **options: Any) -> tuple[str, str]:
    """Markdown and LaTeX of a table."""
    images = {Place("25", name, "psnr"): frozenset("xy") for name in values}
    table = ranked(table_of(values, **options), compared(p_values), images)
    return render_markdown(table), render_tex(table)


def test_marks_stand_in_markdown_and_latex_and_the_legend_names_test_and_family() -> None:
    values = {"a": 3.0, "b": 2.0, "c": 1.0}
    markdown, tex = rendered(values, {"ab": 0.01, "ac": 0.01, "bc": 0.3})
    assert "| **3.00** | 2.00 =2nd | 1.00 =2nd |" in markdown
    assert r"& \usaidbest{3.00} & \usaidtie{2.00}{=2nd} & \usaidtie{1.00}{=2nd} \\" in tex
    assert r"\providecommand{\usaidtie}" in tex
    survive = (
        "differences that survive a paired t-test over images, corrected by Holm for the 3 comparisons of Table VI"
    )
    assert f"**Best** and <u>second best</u> of the compared denoisers by {survive}" in markdown
    assert survive in tex
    assert "=2nd: ties" in markdown
    assert "=1st" not in markdown
    assert "=2nd: ties" in tex


def test_of_a_score_of_all_images_the_interval_must_leave_out_0_too_and_the_legend_says_so() -> None:
    (found,) = compared({"ab": 0.01})
    images = {Place("25", name, "psnr"): frozenset("xy") for name in "ab"}
    for low, shown in ((0.5, "| **3.00** | <u>2.00</u> |"), (-0.5, "| 3.00 =1st | 2.00 =1st |")):
        swapped = replace(found, estimate=replace(found.estimate, test="permutation test", low=low))
        markdown = render_markdown(ranked(table_of({"a": 3.0, "b": 2.0}), [swapped], images))
        assert shown in markdown
        assert "comparison of Table VI, at the 5 % level, and have an interval without 0." in markdown


def test_sole_second_is_underlined() -> None:
    markdown, tex = rendered({"a": 3.0, "b": 2.0}, {"ab": 0.01})
    assert "| **3.00** | <u>2.00</u> |" in markdown
    assert r"\usaidsecond{2.00}" in tex
    assert "ties" not in markdown + tex.partition(r"\begin{table}")[2]


def test_the_legend_says_once_why_nothing_is_ranked() -> None:
    markdown, tex = rendered({"a": 3.0, "b": 2.0, "c": 1.0}, {"ab": "one image", "ac": "one image", "bc": "one image"})
    assert markdown.count("Not ranked where differences are not testable (one image).") == 1
    assert tex.count("Not ranked where differences are not testable (one image).") == 1
    assert "survive" not in markdown + tex


def test_a_hostile_name_of_a_benchmark_or_reason_stands_as_text_in_the_legend() -> None:
    images = {Place("25", name, "psnr"): frozenset("xy") for name in "ab"}
    spec = TableSpec(None, {"x_|*#%": None}, ("psnr",))
    family = compared({"ab": 0.01}, family="Benchmark x_|*#%, over images")
    survived = ranked(table_of({"a": 3.0, "b": 2.0}), family, images)
    assert r"comparison of Benchmark x\_\|\*#%, at" in render_markdown(survived)
    assert r"comparison of Benchmark x\_$|$*\#\%, at" in render_tex(survived)
    untested = ranked(table_of({"a": 3.0, "b": 2.0}, spec=spec), compared({"ab": "<b>|"}), images)
    assert r"(\<b\>\|)" in render_markdown(untested)


# From score files


def scores(psnr: Sequence[float], **others: Sequence[float]) -> Scores:
    """Scores of Kodak images at sigma 25."""
    rows = pd.DataFrame({"image_id": [f"i{n}" for n in range(len(psnr))], "sigma": 25.0, "draw": 0})
    dataset = {"name": "kodak", "split": "all", "n": len(psnr), "n_official": 24, "subset": "few.txt"}
    provenance = {"benchmark": "kodak_quality", "title": "T", "dataset": dataset, "deviations": [], "failure": None}
    return Scores(rows.assign(psnr_rgb_float=psnr, **others), provenance | {"weights_sha256": None})


BASE = (30.0, 33.0, 28.0, 31.0, 35.0, 29.0)
"""Images differ far more than denoisers do."""

WIGGLE = (0.01, -0.02, 0.0, 0.02, -0.01, 0.01)


def shifted(by: float, wiggle: float = 1.0) -> Scores:
    return scores([value + by + wiggle * part for value, part in zip(BASE, WIGGLE, strict=True)])


def psnr_marks(**columns: Scores) -> Marks:
    table = build_table(6, columns)
    return {c.place.denoiser: (c.rank, c.tied) for c in table.cells if c.place[::2] == ("25", "psnr") and c.ours}


def test_a_small_difference_in_every_image_survives_though_images_differ_more() -> None:
    found = psnr_marks(cdncnn_b=scores(BASE), s_said=shifted(-0.3), u_said=shifted(-0.1, 2.0))
    assert found == {"cdncnn_b": FIRST, "s_said": NONE, "u_said": SECOND}


def test_a_difference_within_what_images_vary_by_is_a_tie() -> None:
    found = psnr_marks(cdncnn_b=scores(BASE), s_said=shifted(-0.3), u_said=shifted(-0.005, 2.0))
    assert found == {"cdncnn_b": SHARED_FIRST, "s_said": NONE, "u_said": SHARED_FIRST}


def test_what_survives_alone_may_not_survive_among_many_comparisons() -> None:
    """Its p-value is 0.03: of one comparison it is marked, of 21 it is not."""
    weak = shifted(-0.02)
    assert psnr_marks(cdncnn_b=scores(BASE), mine=weak) == {"cdncnn_b": FIRST, "mine": SECOND}
    others = {f"mine_{n}": shifted(-0.02 - n * 1e-4, 1.0 + n / 10) for n in range(5)}
    assert psnr_marks(cdncnn_b=scores(BASE), mine=weak, **others)["cdncnn_b"] == SHARED_FIRST


def test_of_one_image_nothing_is_ranked_and_the_page_says_so() -> None:
    table = build_table(6, {"cdncnn_b": scores([31.0]), "u_said": scores([30.0])})
    assert {cell.rank for cell in table.cells} == {None}
    assert "Not ranked where differences are not testable (one image)." in render_markdown(table)
