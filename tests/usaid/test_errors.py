"""The error that users see is one line, whatever it quotes."""

import pickle

import pytest

from usaid.errors import UsaidError


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\nlines", "two lines"),
        ("two  \r\n\n  lines\n", "two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("tab\tbell\anul\0", "tab bell nul "),
        ("line\u2028separator", "line separator"),
        ("a  b", "a  b"),
    ],
)
def test_one_line(text, line):
    assert str(UsaidError(text)) == line


def test_it_survives_another_process():
    assert str(pickle.loads(pickle.dumps(UsaidError("x: wrong")))) == "x: wrong"
