"""Judged sentences as a Markdown page: counts, then table by table what each says, its verdict, and how sure it is."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from usaid.paper.claims import InPrint, Part, margins, title_of, title_of_metric
from usaid.paper.layouts import TABLES
from usaid.paper.published import paper_notes
from usaid.report.claims.in_print import FOLLOWS, follows_text, margin_text, why_not_text
from usaid.report.claims.sentences import (
    as_claimed,
    chance_text,
    comparison_text,
    effect_text,
    judged_in,
    p_of_sentence,
    reason,
    samples,
    table_title,
    unit_of_difference,
    verdict_text,
)
from usaid.report.claims.verdicts import JudgedClaim
from usaid.report.tables.render_markdown import DASH, escaped, table_line
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_TESTED, WORDS

_BY_ORDER, _BY_MARGIN = (f"{FOLLOWS[DOES_NOT_HOLD]}, {why}" for why in ("by order", "by our margin only"))
_IN_PRINT = (FOLLOWS[HOLDS], _BY_ORDER, _BY_MARGIN, FOLLOWS[NOT_TESTED])
"""What the sentences are counted by: whether they follow from print, and if not, what speaks against it."""


def render_claims_markdown(claims: Sequence[JudgedClaim], experiment: str, family: str) -> str:
    """The page.

    Args:
        claims: in order, those of a table one after the other.
        experiment: its name; empty: there are no score files.
        family: what the family of the corrected p-values is called.
    """
    numbers = {judged.claim.id: number for number, judged in enumerate(claims, 1)}
    differs = {text: n for n, text in enumerate(dict.fromkeys(t for own in claims for t in own.differs), 1)}
    parts = [f"# The paper's sentences {escaped(judged_in(experiment))}", _counts(claims)]
    for title, group in groupby(claims, key=table_title):
        of_table = [*group]
        parts += [f"## {title}", _table(of_table, numbers, differs), _notes(of_table, numbers)]
        parts += [text for judged in of_table if judged.beside for text in _side_by_side(judged, numbers)]
    parts += ["## Sentences that do not follow from the paper's own tables", _not_in_print(claims, numbers)]
    parts += ["What is ambiguous in the tables, or contradicts itself:", _notes_on_print()]
    if differs:
        listed = "\n".join(f"{number}. {escaped(text)}." for text, number in differs.items())
        parts += ["## What differs from what the paper measured", listed]
    return "\n\n".join([*parts, "## How to read this", _explanation(claims, family)]) + "\n"


def _counts(claims: Sequence[JudgedClaim]) -> str:
    """How many sentences have which verdict, and which in print."""
    lines = [table_line(["Here", "Sentences", *(f"In print: {text}" for text in _IN_PRINT)])]
    lines.append(table_line(["---", *["---:"] * (1 + len(_IN_PRINT))]))
    for title, words in {**{f"**{word}**": (word,) for word in WORDS}, "all": WORDS}.items():
        own = [_counted_as(judged.in_print) for judged in claims if judged.verdict in words]
        lines.append(table_line([title, str(len(own)), *(str(own.count(text)) for text in _IN_PRINT)]))
    return "\n".join(lines)


def _counted_as(in_print: InPrint) -> str:
    """One of :data:`_IN_PRINT`."""
    if in_print.verdict != DOES_NOT_HOLD:
        return FOLLOWS[in_print.verdict]
    return _BY_MARGIN if in_print.by_margin_only else _BY_ORDER


def _table(claims: Iterable[JudgedClaim], numbers: dict[str, int], differs: dict[str, int]) -> str:
    head = ["", "The sentence says", "Verdict", "Differs (list below)", "Effect", "Deciding part", "p"]
    align = ["---:", "---", "---", "---", "---:", "---", "---:", "---", "---"]
    lines = [table_line([*head, "Parts as claimed", "Follows from the paper's tables?"]), table_line(align)]
    for judged in claims:
        finding = judged.decisive
        with_table = len(judged.claim.tables) > 1
        where = "" if finding is not None and finding.is_fact else comparison_text(finding, with_table)
        word, further = verdict_text(judged)
        listed = ", ".join(map(str, sorted(differs[text] for text in judged.differs)))
        in_short = "; ".join(filter(None, [listed, *samples(judged)]))
        cells = [in_short, effect_text(finding), where, p_of_sentence(judged), as_claimed(judged), follows_text(judged)]
        about = [str(numbers[judged.claim.id]), escaped(judged.claim.says), f"**{word}**{escaped(further)}"]
        lines.append(table_line([*about, *(escaped(cell) or DASH for cell in cells)]))
    return "\n".join(lines)


def _notes(claims: Iterable[JudgedClaim], numbers: dict[str, int]) -> str:
    """The sentences as printed, and what stands behind each verdict."""
    lines = []
    for judged in claims:
        sentences = [f"“{escaped(judged.claim.quote)}” ({escaped(judged.claim.where)})"]
        texts = (reason(judged), chance_text(judged.decisive), margin_text(judged), judged.claim.note)
        sentences += [_capital(escaped(text)) for text in texts if text]
        if judged.files:
            sentences.append(f"Scores: {escaped(_by_benchmark(judged.files))}")
        lines.append(f"- **{numbers[judged.claim.id]}** " + ". ".join(sentences) + ".")
    return "\n".join(lines)


def _side_by_side(judged: JudgedClaim, numbers: dict[str, int]) -> Iterator[str]:
    """What the paper's network and another one gain by the unsupervised loss, where there is a number of the other."""
    yield (
        f"Sentence **{numbers[judged.claim.id]}**, side by side: by how much the unsupervised loss is better than the "
        "MSE alone, in the metric's unit, with the 95 % interval; below 0 it is worse."
    )
    lines = [
        table_line(["", "Another network", "", "The paper's", ""]),
        table_line(["---", "---", "---:", "---", "---:"]),
    ]
    for own, papers in zip(judged.findings, judged.beside, strict=True):
        if effect_text(own):
            place = f"{own.part.place}: {title_of_metric(own.part.metric)}"
            cells = [text for finding in (own, papers) for text in (_pair(finding.part), effect_text(finding) or DASH)]
            lines.append(table_line([place, *map(escaped, cells)]))
    yield "\n".join(lines)


def _pair(part: Part) -> str:
    return f"{title_of(part.better)} − {title_of(part.than)}"


def _by_benchmark(files: Iterable[str]) -> str:
    """Score files, shortened: ``"kodak_quality: cdncnn_b, u_said; voc_quality: u_said"``."""
    names: dict[str, list[str]] = {}
    for file in files:
        folder, _, name = file.removesuffix(".parquet").rpartition("/")
        names.setdefault(folder, []).append(name)
    return "; ".join(f"{folder}: {', '.join(own)}" for folder, own in names.items())


def _not_in_print(claims: Iterable[JudgedClaim], numbers: dict[str, int]) -> str:
    """The sentences by why: the order of printed numbers, our margins alone, numbers that are not printed."""
    lists: dict[str, list[str]] = {"The printed numbers are in another order": []}
    lists |= {"Only our margin speaks against it": [], "The printed numbers do not tell": []}
    for judged in claims:
        own = judged.in_print
        if own.verdict != HOLDS:
            quote = f"“{escaped(judged.claim.quote)}” ({escaped(judged.claim.where)})"
            line = f"- **{numbers[judged.claim.id]}** {quote}. {_capital(escaped(why_not_text(judged)))}."
            [*lists.values()][2 if own.verdict == NOT_TESTED else int(own.by_margin_only)].append(line)
    return "\n\n".join(f"### {title}\n\n" + "\n".join(lines) for title, lines in lists.items() if lines) or "None."


def _notes_on_print() -> str:
    notes = {spec.title: paper_notes(number) for number, spec in TABLES.items()}
    return "\n".join(
        f"- {title}: {escaped(' '.join(text.split()).removesuffix('.'))}." for title, text in notes.items() if text
    )


def _explanation(claims: Sequence[JudgedClaim], family: str) -> str:
    comparable = ", ".join(f"{title_of_metric(name)} {margin:g}{_unit(name)}" for name, margin in margins().items())
    sentences = [
        "A sentence is read as comparisons of denoisers, its parts. All of them have to hold, or most where it says "
        "“usually” or the like. The quotation is the paper's, what it says is our reading",
        "**holds**: p < 0.05 for all (most) parts together. **does not hold**: p < 0.05 for the opposite, too many "
        "parts fail; this p is then shown. **not certain**: neither. **not tested**: parts are missing, and the others "
        "do not decide. **not comparable**: it cannot hold without parts whose images are generated, that have a "
        "margin in another convention than the paper's, or a denoiser that this suite trained in place of its authors' "
        "weights. Which of two is better is asked in any convention; the verdict names it if it is not the paper's",
        "Differs: numbers of the list above, and how large the sample is if it is not the whole",
        "The effect is that of the part that decides: the weakest of those that have to hold, or of those that refute. "
        "It is in the metric's unit, with its 95 % interval. Above 0 it is as the sentence says, whether higher or "
        "lower values are better",
        "p-values of parts are one-sided, by Student's t; of a mean over images from paired differences, of a score of "
        "all images together with the standard error of the bootstrap. They are combined by partial conjunction. Those "
        "on Table X are two-sided, of paired t-tests over draws",
        "For scores of all images together, mIoU and AP, Student's t is liberal where classes are rare: with 80 rare "
        "classes its 95 % interval covers about 90 %. Which of two is better is therefore also asked by a permutation "
        "test over images, and the larger p counts. A margin has Student's t alone",
        "The units that an uncertain sentence would take are those of the part that decides alone, at the level that "
        "Holm's method asks of the first of the family",
        f"p is corrected by Holm's method over the {escaped(family)}{_sizes(claims)}",
        "The source of chance is images: other images of this kind, not another training. Where both denoisers have "
        "several seeds or draws, it is all of images, draws and seeds",
        "“Comparable”, “close”, “marginally inferior” allow to be worse by no more than a margin; “remarkable”, "
        f"“notable”, “good margin” ask for more than it: {escaped(comparable)}",
        "The margins are from numbers of print, not from our scores: PSNR's lies between Table I's distances from "
        "CDnCNN-B of U-SAID (0.05 to 0.06 dB, called marginal) and of S-SAID (0.16 to 0.18 dB), SSIM's is the most "
        "that goes with it in Table VI (0.0012 to 0.0025), NIQE's is half of what is called a large margin, the others "
        "are half a point, a round number. Verdicts on sentences with a margin hang on this reading: their lines give "
        "the effect in print that decides, beside the margin",
        "Table III's sentences are about facts, which have no p-value",
        "A sentence follows from the paper's tables if the printed numbers, taken as they are, are as it says",
    ]
    return "\n".join(f"- {sentence}." for sentence in sentences)


def _sizes(claims: Iterable[JudgedClaim]) -> str:
    """How many sentences the family has: enough of their parts are tested for the one outcome, or for the other."""
    sizes = {judged.verdict == DOES_NOT_HOLD: judged.family_size for judged in claims if judged.p_corrected is not None}
    of_both = {False: "for which “holds” was possible", True: "for which “does not hold” was"}
    texts = [f"the {sizes[refuted]} {text}" for refuted, text in of_both.items() if refuted in sizes]
    return f": {' and '.join(texts)}, with the parts that are tested" if texts else ""


def _unit(metric: str) -> str:
    unit = unit_of_difference(metric)
    return f" {unit}" if unit else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
