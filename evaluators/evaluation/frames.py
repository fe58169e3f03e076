"""What ``evaluate`` returns: the rows as a data frame that can sum itself up."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evaluators.evaluation.companions import Companion
from evaluators.evaluation.numbers import numbers_of
from evaluators.evaluation.table import notes_of, table_of, text_of
from usaid.scores.files import Scores


class Evaluation(pd.DataFrame):
    """The scores of one denoiser on one benchmark: a row an image, noise level and draw, as in a score file.

    Columns are those of :class:`usaid.scores.files.Scores`; ``attrs`` is the provenance, as score files record it. What
    is derived from it (a selection, a copy) is a plain data frame with the same ``attrs``.

    Attributes:
        companions: the paper's denoisers whose scores of the same images are at hand; None: nobody stands beside it.
        remarks: why others that are there cannot be compared, a sentence each.
    """

    _metadata = ["companions", "remarks"]  # noqa: RUF012 - pandas' name for what is pickled, too
    companions: Mapping[str, Companion] | None
    remarks: Sequence[str]

    @classmethod
    def of(
        cls, scores: Scores, companions: Mapping[str, Companion] | None, remarks: Sequence[str] = ()
    ) -> "Evaluation":
        """The scores of a denoiser, with those that stand beside them."""
        frame = cls(scores.rows)
        frame.attrs.update(scores.provenance)
        frame.companions, frame.remarks = companions, remarks
        return frame

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    @property
    def scores(self) -> Scores:
        """Rows and provenance, as :func:`usaid.scores.files.write_scores` takes them."""
        return Scores(pd.DataFrame(self), {str(key): value for key, value in self.attrs.items()})

    def numbers(self) -> pd.DataFrame:
        """What the summary shows, unrounded: a row a noise level, denoiser and metric.

        Returns:
            the columns of :class:`evaluators.evaluation.numbers.Number`.
        """
        return pd.DataFrame(numbers_of(self.scores, self.companions))

    def summary(self) -> "Summary":
        """A small table: means with 95 % intervals over images, beside the paper's denoisers, and how to read them.

        Those of the paper are scored on the same images and noise, or else printed ones, which are of all images and
        say so. A line is ``mine - U-SAID``, the mean difference on an image, with its own interval.
        """
        scores = self.scores
        numbers = numbers_of(scores, self.companions)
        summary = Summary(table_of(scores, numbers, self.companions))
        summary.attrs["notes"] = [*notes_of(scores, numbers, self.companions), *self.remarks]
        return summary


class Summary(pd.DataFrame):
    """A table of text, and below it what its numbers are (``attrs["notes"]``); it is shown with both, whole."""

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    def __repr__(self) -> str:
        return text_of(self, self.attrs["notes"])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{_escaped(note)}</li>" for note in self.attrs["notes"])
        return f"{pd.DataFrame(self).to_html(index=False, border=0)}<ul>{notes}</ul>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
