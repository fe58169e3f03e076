"""How all figures look: colours that are told apart without colour, text that is drawn as it is, files."""

import re
from itertools import combinations, product

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from usaid.report.figures.drawing import (
    COLOURS,
    DISTANCE_IN_GREY,
    MARKERS,
    MOST_NOTES,
    VERDICTS,
    drawing,
    figure_with_notes,
    looks,
    plain,
    save,
)
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED

HOSTILE = [
    "<script>alert(1)</script> & <b>bold",
    r"$\frac{1}{0}$ $\undefined_command \textbf{x}$ 50 %",
    r"\$ and \\$x$",
    "شبكة إزالة الضوضاء \u202eevil\u202c",
    "去噪网络 ノイズ除去 잡음 제거",
    "line\nbreak\ttab \x00 \x1b[31m \ud800",
    "A" * 500,
    "word $ " * 100,
    "",
]


def luminance(colour: str) -> float:
    """Of 255, as a picture in grey has it."""
    red, green, blue = to_rgb(colour)
    return 255 * (0.299 * red + 0.587 * green + 0.114 * blue)


@pytest.mark.parametrize(
    "colours", [COLOURS, {name: look.colour for name, look in VERDICTS.items()}], ids=["denoisers", "verdicts"]
)
def test_colours_are_told_apart_in_grey(colours):
    assert len(colours) > 3
    for one, other in combinations(colours.values(), 2):
        assert abs(luminance(one) - luminance(other)) >= DISTANCE_IN_GREY, (one, other)


def test_verdicts_on_numbers_have_looks_of_their_own():
    assert set(VERDICTS) == {HOLDS, DOES_NOT_HOLD, NOT_COMPARABLE, NOT_TESTED}
    assert len({look.marker for look in VERDICTS.values()}) == 4


def test_denoisers_have_looks_of_their_own_and_the_papers_keep_theirs():
    names = ["noisy", "cdncnn_b", *(f"own_{index}" for index in range(20)), "u_said", "clean"]
    found = looks(names)
    assert [*found] == names
    assert found["u_said"] == (COLOURS["u_said"], MARKERS["u_said"])
    assert len(set(found.values())) == len(names)
    own = [found[f"own_{index}"].marker for index in range(5)]
    assert len({*own, *MARKERS.values()}) == 10, "markers tell them apart where grey does not"
    assert len(looks(f"own_{index}" for index in range(200))) == 200


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.filterwarnings("error")
def test_any_text_is_drawn_as_it_is(text, tmp_path):
    with drawing():
        figure = figure_with_notes(1, [text, text])
        figure.text(0.1, 0.5, plain(text, 30))
        figure.text(0.1, 0.7, plain(text))
        save(figure, tmp_path / "text")
    assert {path.name for path in tmp_path.iterdir()} == {"text.png", "text.pdf"}


def test_text_is_shortened_and_without_what_is_not_seen():
    assert plain("a\n b\tc \x00\u202ed") == "a b c d"
    assert plain("abcdef", 4) == "abc…"
    assert plain("abcd", 4) == "abcd"
    assert plain("$5$") == r"\$5\$"


def test_notes_make_the_figure_higher_and_are_not_too_many():
    bare, noted = figure_with_notes(2, []), figure_with_notes(2, ["one", "two"])
    assert bare.get_figheight() < noted.get_figheight()
    assert [text.get_text() for text in noted.texts] == ["one.", "two."]
    many = [text.get_text() for text in figure_with_notes(2, [f"note {n}" for n in range(200)]).texts]
    assert many == [*(f"note {n}." for n in range(MOST_NOTES)), "and 194 more."]
    heights = [text.get_position()[1] for text in noted.texts]
    assert 0 < heights[1] < heights[0] < 1 - 2 / noted.get_figheight()


def test_fonts_are_embedded_as_such_and_the_same_figure_has_the_same_bytes(tmp_path):
    for name, letters in product(("once", "twice"), ("σ −",)):
        with drawing():
            figure = Figure(figsize=(1, 1))
            figure.text(0.1, 0.5, letters)
            save(figure, tmp_path / name)
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"once.{suffix}").read_bytes() == (tmp_path / f"twice.{suffix}").read_bytes()
    pdf = (tmp_path / "once.pdf").read_bytes()
    assert re.search(rb"/FontFile2", pdf), "TrueType, embedded"
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
