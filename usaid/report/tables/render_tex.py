"""A table as LaTeX (booktabs) in the paper's layout, and a document to look at such tables."""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from math import ceil
from pathlib import Path
from textwrap import wrap

from usaid.report.tables.cells import APART, Cell, Heading, Table
from usaid.report.tables.ranks import TIES, legend_of_ranks

PACKAGES = ("amssymb", "booktabs", "graphicx", "xcolor")

DASH = "--"

MOST_COLUMNS = 10
"""Of numbers side by side, which a page has room for: all tables of the paper have fewer."""

HEADING_WIDTH = 16
"""Characters of a column heading in one line."""

# The paper's colours; weight and underline survive black-and-white print. \providecommand lets a document restyle them.
_HEAD = rf"""%% %(title)s. Needs \usepackage{{{",".join(PACKAGES)}}}.
\providecommand{{\usaidbest}}[1]{{\textcolor{{red}}{{\textbf{{#1}}}}}}
\providecommand{{\usaidsecond}}[1]{{\textcolor{{blue}}{{\underline{{#1}}}}}}
\providecommand{{\usaidtie}}[2]{{#1\,{{\scriptsize #2}}}}
\providecommand{{\usaidpaper}}[1]{{{{\footnotesize (#1)}}}}
\begin{{table}}[htbp]
\centering
\setlength{{\belowcaptionskip}}{{4pt}}
\caption{{%(heading)s. %(caption)s.}}
\label{{tab:usaid-%(name)s}}
\small"""

_BLOCK_HEAD = r"""\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
\begin{tabular}{@{}%(columns)s@{}}
\toprule"""

_BLOCK_FOOT = r"""\bottomrule
\end{tabular}}
\par\smallskip"""

_FOOT = r"""\parbox{\linewidth}{\footnotesize\raggedright
%(notes)s}
\end{table}"""


def render_tex(table: Table) -> str:
    """The table in the paper's layout, each cell as ours and in parentheses the paper's, and its footnotes.

    One with more than :data:`MOST_COLUMNS` stands in parts, one below the other: shrunk to the width of a page nobody
    could read it.
    """
    head = _HEAD % {
        "title": f"{table.spec.title} of U-SAID, made again" if table.spec.is_made_again else table.spec.title,
        "heading": escaped(f"Reproduction of {table.spec.title}" if table.spec.is_made_again else table.spec.title),
        "name": table.spec.name,
        "caption": escaped(table.caption),
    }
    parts = [_part(table, columns) for columns in _parts_of(len(table.columns()))]
    return "\n".join([head, *parts, _FOOT % {"notes": _notes(table)}, ""])


def _parts_of(columns: int) -> list[slice]:
    """The columns of each part, in order: as few parts as there can be, about equally wide."""
    parts = max(1, ceil(columns / MOST_COLUMNS))
    ends = [round(columns * part / parts) for part in range(parts + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def _part(table: Table, columns: slice) -> str:
    """Some columns of a table, with the labels of its rows."""
    with_groups = len(table.layout.groups) > 1
    headings = [_column_heading(column) for column in table.columns()[columns]]
    lines = [_BLOCK_HEAD % {"columns": "l" * (1 + with_groups) + "c" * len(headings)}]
    lines.append(_line([""] * (1 + with_groups) + headings))
    for block in table.blocks():
        lines.append(r"\midrule")
        for index, row in enumerate(block):
            in_middle = index == (len(block) - 1) // 2
            group = [_heading(row.group) if in_middle else ""] if with_groups else []
            lines.append(_line([*group, _heading(row.label), *(_cell(table, cell) for cell in row.cells[columns])]))
    return "\n".join([*lines, _BLOCK_FOOT])


def standalone_document(tex_paths: Iterable[str | Path]) -> str:
    r"""A minimal ``article`` that reads the tables with ``\input``, for looking at them or compiling them in a test.

    Args:
        tex_paths: files of :func:`render_tex`, absolute or relative to where LaTeX runs.
    """
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[a4paper,margin=25mm]{geometry}",
            rf"\usepackage{{{','.join(PACKAGES)}}}",
            r"\begin{document}",
            *(rf"\input{{{Path(path).as_posix()}}}" for path in tex_paths),
            r"\end{document}",
            "",
        ]
    )


_SYMBOLS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "/": r"/\allowbreak{}",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': r"''",
    "–": r"--",
    "—": r"---",
    "−": r"$-$",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}

# fmt: off
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu",
    "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}
# fmt: on

_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030a": "r", "\u030c": "v"}


def escaped(text: str) -> str:
    """Plain text for pdfLaTeX; a character that its standard fonts lack becomes its code point, ``[U+4E2D]``."""
    return "".join(_escaped_character(character) for character in unicodedata.normalize("NFC", text))


def _escaped_character(character: str) -> str:
    if character in _SYMBOLS:
        return _SYMBOLS[character]
    if character.isascii() and character.isprintable():
        return character
    if character in _GREEK:
        return rf"$\{_GREEK[character]}$"
    base, accent = unicodedata.normalize("NFD", character)[:1], unicodedata.normalize("NFD", character)[1:]
    if base.isascii() and accent in _ACCENTS:
        return rf"\{_ACCENTS[accent]}{{{base}}}"
    return " " if character.isspace() else f"[U+{ord(character):04X}]"


def _line(entries: list[str]) -> str:
    return " & ".join(entries) + r" \\"


def _heading(heading: Heading) -> str:
    return escaped(heading.text) + _superscript(heading.letters)


def _column_heading(heading: Heading) -> str:
    """A heading, on several lines if it is wider than its numbers."""
    *first, last = wrap(heading.text, HEADING_WIDTH, break_long_words=False) or [""]
    stack = r" \\ ".join([*map(escaped, first), _heading(heading._replace(text=last))])
    return rf"\shortstack{{{stack}}}" if first else stack


def _superscript(letters: str) -> str:
    return rf"\textsuperscript{{{letters}}}" if letters else ""


def _cell(table: Table, cell: Cell) -> str:
    number = table.number_format(cell.place)
    ours = DASH if cell.ours is None else _value(number.text(cell.ours))
    ours = _marked(ours, cell)
    ours += (rf" (n\,=\,{cell.n:,})" if cell.apart else "") + _superscript(table.letters(cell.place))
    return ours if cell.paper is None else rf"{ours} \usaidpaper{{{_value(number.text(cell.paper))}}}"


def _marked(number: str, cell: Cell) -> str:
    """A number with the mark of its rank."""
    if cell.rank is None:
        return number
    if cell.tied:
        return rf"\usaidtie{{{number}}}{{{TIES[cell.rank]}}}"
    return {1: rf"\usaidbest{{{number}}}", 2: rf"\usaidsecond{{{number}}}"}[cell.rank]


def _value(number: str) -> str:
    """A number's text; a power of ten, as in ``3.30e-6``, is set as one."""
    mantissa, e, exponent = number.partition("e")
    if e:
        return rf"${mantissa}\times 10^{{{exponent}}}$"
    return _SYMBOL_OF.get(number, number.replace("-", "$-$"))


_SYMBOL_OF = {"✓": r"$\checkmark$", "✗": r"$\times$", "∞": r"$\infty$", "-∞": r"$-\infty$"}


def _notes(table: Table) -> str:
    """The legend and the footnotes, one paragraph each."""
    letters = [rf"{_superscript(letter)}\," if letter else "" for letter, _ in table.lettered_footnotes]
    notes = [f"{letter}{escaped(note.text)}." for letter, note in zip(letters, table.footnotes, strict=True)]
    return "\\par\n".join([_legend(table), *notes])


def _legend(table: Table) -> str:
    what = "Ours (the paper's)." if table.layout.legend is None else escaped(table.layout.legend)
    ranks = legend_of_ranks(table, r"\usaidbest{Best}", r"\usaidsecond{second best}", escaped)
    return " ".join(filter(None, [what, ranks, APART * any(cell.apart for cell in table.cells)]))
