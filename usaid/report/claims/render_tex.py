"""Judged sentences as LaTeX: one table for the sentences on each table of the paper."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from usaid.report.claims.in_print import follows_text
from usaid.report.claims.sentences import (
    SEVERAL,
    comparison_text,
    differs_in_short,
    effect_text,
    judged_in,
    p_of_sentence,
    table_title,
    verdict_text,
)
from usaid.report.claims.verdicts import JudgedClaim
from usaid.report.tables.render_tex import DASH, escaped

_MOST = 2
"""Deviations that a row names."""

PACKAGES = ("amssymb", "array", "booktabs")

_HEAD = rf"""%% The paper's sentences %(judged_in)s. Needs \usepackage{{{",".join(PACKAGES)}}}.
"""

_TABLE = r"""\begin{table}[htbp]
\centering
\setlength{\belowcaptionskip}{4pt}
\caption{Sentences on %(title)s %(judged_in)s.}
\label{tab:usaid-claims-%(label)s}
\footnotesize
\setlength{\tabcolsep}{3pt}
\begin{tabular}{@{}
>{\raggedright\arraybackslash}p{.24\linewidth}
>{\raggedright\arraybackslash}p{.13\linewidth}
>{\raggedright\arraybackslash}p{.16\linewidth}
>{\raggedright\arraybackslash}p{.19\linewidth}
>{\raggedright\arraybackslash}p{.11\linewidth}
>{\raggedright\arraybackslash}p{.08\linewidth}@{}}
\toprule
The sentence says & Verdict & Differs & Effect of the part that decides & $p$ & Follows from print? \\
\midrule
%(lines)s
\bottomrule
\end{tabular}
\end{table}
"""


def render_claims_tex(claims: Sequence[JudgedClaim], experiment: str) -> str:
    r"""Floats to be read with ``\input``: what each sentence says, its verdict, what differs, effect, p, print's.

    Args:
        claims: in order, those of a table one after the other.
        experiment: its name; empty: there are no score files.
    """
    name = escaped(judged_in(experiment))
    tables = [
        _TABLE % {"title": _title(title), "judged_in": name, "label": _label(title), "lines": _lines(group)}
        for title, group in groupby(claims, key=table_title)
    ]
    return "\n".join([_HEAD % {"judged_in": name}, *tables])


def _lines(claims: Iterable[JudgedClaim]) -> str:
    return "\n\\addlinespace\n".join(_line(judged) for judged in claims)


def _line(judged: JudgedClaim) -> str:
    finding = judged.decisive
    where = comparison_text(finding, with_table=len(judged.claim.tables) > 1)
    effect = effect_text(finding).replace("-", "−")
    effect = f"{effect}, {where}" if effect else ""
    verdict, differs = "".join(verdict_text(judged)), differs_in_short(judged, _MOST)
    cells = [judged.claim.says, verdict, differs, effect, p_of_sentence(judged), follows_text(judged)]
    return " & ".join(escaped(cell) or DASH for cell in cells) + r" \\"


def _title(title: str) -> str:
    return title.lower() if title == SEVERAL else title


def _label(title: str) -> str:
    return title.removeprefix("Table ").lower().replace(" ", "-")
