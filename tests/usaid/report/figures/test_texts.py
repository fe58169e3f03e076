"""Texts that are broken into lines as wide as their place."""

from itertools import pairwise

import pytest

from usaid.report.figures.texts import lines_of, width_of


def test_lines_are_as_full_as_they_can_be_and_lose_no_word():
    text = "whoever reads a caption wants all of its words in their order"
    lines = lines_of(text, 80, 7)
    assert " ".join(lines) == text
    assert all(width_of(line, 7) <= 80 for line in lines)
    assert all(width_of(f"{line} {after.split()[0]}", 7) > 80 for line, after in pairwise(lines))


def test_a_word_that_is_too_long_is_broken():
    lines = lines_of("see results/experiment/weights/s_said.safetensors there", 60, 7)
    assert "".join(lines).replace(" ", "") == "seeresults/experiment/weights/s_said.safetensorsthere"
    assert all(width_of(line, 7) <= 60 for line in lines)


@pytest.mark.parametrize("text", ["W" * 300, "several words " * 20])
def test_what_has_no_room_is_left_out_and_this_is_said(text):
    lines = lines_of(text, 60, 7, most=2)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(width_of(line, 7) <= 60 for line in lines)


def test_nothing():
    assert lines_of("", 60, 7) == ()


def test_a_line_narrower_than_a_letter_still_ends():
    assert len(lines_of("WWW", 1, 7)) == 3


def test_of_a_text_without_end_the_beginning_is_broken():
    lines = lines_of("x" * 100_000, 100, 7)
    assert sum(map(len, lines)) == 3001
    assert lines[-1].endswith("…")
