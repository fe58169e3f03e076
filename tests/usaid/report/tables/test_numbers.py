"""Numbers as text, each kind as the paper prints it."""

import math

import pytest

from usaid.paper.published import OF_TWO, all_published
from usaid.report.tables.numbers import CHECK_MARK, P_VALUE, NumberFormat, counted, counted_units, p_plain, p_text

FIXED, SCIENTIFIC = NumberFormat(2), NumberFormat(2, "scientific")


@pytest.mark.parametrize(
    ("number", "value", "text"),
    [
        (FIXED, 32.296, "32.30"),
        (FIXED, -0.001, "0.00"),
        (FIXED, math.inf, "inf"),
        (NumberFormat(0), 31.6, "32"),
        (SCIENTIFIC, 3.3e-6, "3.30e-6"),
        (SCIENTIFIC, 1.78e-4, "1.78e-4"),
        (SCIENTIFIC, 9.999e-5, "1.00e-4"),
        (SCIENTIFIC, -1.34e-12, "-1.34e-12"),
        (SCIENTIFIC, 0.0, "0"),
        (SCIENTIFIC, math.inf, "inf"),
        (P_VALUE, 0.0744, "0.0744"),
        (P_VALUE, 1.0, "1.0000"),
        (P_VALUE, 0.01, "0.0100"),
        (P_VALUE, 6.7845e-3, "6.7845e-3"),
        (P_VALUE, 0.0, "1.0000e-300"),
        (CHECK_MARK, 1.0, "1"),
    ],
)
def test_plain_text(number, value, text):
    assert number.plain(value) == text


@pytest.mark.parametrize("entry", [e for e in all_published() if e.metric.endswith(OF_TWO)], ids=str)
def test_printed_p_values_come_out_as_they_are_printed(entry):
    assert float(P_VALUE.plain(entry.value)) == entry.value


def test_a_p_value_has_a_floor_where_people_read_and_is_never_0_in_a_file():
    p_values = (None, 0.0, 1e-320, 2.7e-115, 1e-15, 0.01234)
    assert [*map(p_text, p_values)] == ["", "< 1e-15", "< 1e-15", "< 1e-15", "1e-15", "0.012"]
    assert [*map(p_plain, p_values)] == ["", "1e-300", "1e-300", "2.7e-115", "1e-15", "0.0123"]


def test_units_are_counted_alike():
    assert [counted(1, "images"), counted(9999, "images")] == ["1 image", "9,999 images"]
    assert counted_units({"seeds": 1, "images": 1449, "draws": 1}) == "1,449 images, 1 draw"
    assert counted_units({"seeds": 3, "images": 24}) == "3 seeds, 24 images"


def test_what_people_read():
    assert FIXED.text(math.inf) == "∞"
    assert SCIENTIFIC.text(3.3e-6) == "3.30e-6"
    assert [CHECK_MARK.text(value) for value in (1.0, 0.0)] == ["✓", "✗"]


def test_a_difference_has_a_plus_sign_if_it_is_above_zero_as_rounded():
    assert [FIXED.difference(value) for value in (0.03, -0.07, 0.001, math.inf)] == ["+0.03", "-0.07", "0.00", "+∞"]
    assert [SCIENTIFIC.difference(value) for value in (1.5e-7, -1.5e-7, 0)] == ["+1.50e-7", "-1.50e-7", "0"]


def test_rounded_is_what_the_page_shows():
    assert FIXED.rounded(32.296) == 32.3
    assert SCIENTIFIC.rounded(3.304e-6) == 3.3e-6
    assert P_VALUE.rounded(0.07436) == 0.0744
