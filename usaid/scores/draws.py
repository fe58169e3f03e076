"""The noise draws of Table X: those of a denoiser's main score file, joined with those of its file of further draws."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from usaid.errors import UsaidError
from usaid.scores.comparable import SAME_IN_ALL, difference_of_provenance
from usaid.scores.failed_levels import why_level_is_missing
from usaid.scores.files import Scores, rows_at

if TYPE_CHECKING:
    import pandas as pd

SAME_IN_BOTH = ("benchmark", "denoiser", *SAME_IN_ALL, "weights_sha256", "entry", "precision")
"""Provenance that has to agree: nothing but the noise may be another, and the further draws may be of a list of its
images (``draws.subsets``)."""

_OF_A_LIST = ("n", "subset", "ids_sha256")
"""Keys of a data set's record that say which of its images there are."""

_NOT_OF_A_ROW = ("title", "benchmarks", "sigmas")
"""Keys of a denoiser's entry that say what it is called, or which rows there are."""


def is_of_further_draws(provenance: Mapping[str, Any]) -> bool:
    """Whether the score file is one of further noise draws, not a denoiser's main one."""
    return provenance.get("draws") is not None


def score_file_name(provenance: Mapping[str, Any]) -> str:
    """What messages call a score file: ``<benchmark>/<denoiser>.parquet``, or that of its further draws."""
    folder = "draws/" if is_of_further_draws(provenance) else ""
    return f"{provenance['benchmark']}/{folder}{provenance['denoiser']}.parquet"


def files_behind(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """The score files that scores come from, without their suffix: two, where further draws were joined."""
    own = score_file_name(provenance).removesuffix(".parquet")
    return (own, own.replace("/", "/draws/", 1)) if provenance.get(_JOINED) else (own,)


_JOINED = "with_further_draws"
"""Key of the provenance of joined scores, in no file."""


def with_further_draws(main: Scores, further: Scores) -> Scores:
    """Join a denoiser's scores with those of further noise draws.

    Args:
        main: its main score file.
        further: its file of further draws.

    Returns:
        The rows of both at the sigmas of ``further``, told the truth, of the images that ``further`` has, with the
        provenance of ``main``, the deviations of both, and the data set of ``further``. Without rows and with a
        ``failure`` that names the file, if one of them failed or has no such rows: that costs its cells, not the table.

    Raises:
        UsaidError: they are not of one denoiser whose outputs the same evaluator judged on the same images, or both
            have some draw; names both files.
    """
    import pandas as pd

    main = Scores(main.rows, main.provenance | {_JOINED: True})
    both = (main, further)
    for scores in both:
        if (reason := scores.provenance["failure"]) is not None:
            return _failed(main, f"{score_file_name(scores.provenance)}: {reason}")
    dataset = further.provenance["dataset"]
    is_a_part = dataset.get("subset") != main.provenance["dataset"].get("subset")
    first, second = (_without_names(scores.provenance, is_a_part) for scores in both)
    _refuse(difference_of_provenance(first, second, SAME_IN_BOTH), *both)
    sigmas = sorted(further.rows["sigma"].unique())
    rows = [_rows_at(scores.rows, sigmas) for scores in both]
    if rows[0].empty:
        file, levels = score_file_name(main.provenance), ", ".join(f"{sigma:g}" for sigma in sigmas)
        causes = (why_level_is_missing(main.provenance, sigma, None) for sigma in sigmas)
        cause = next((f" ({one})" for one in causes if one is not None), "")
        return _failed(main, f"{file}: has no rows at sigma {levels}, told the truth{cause}")
    if is_a_part:
        _refuse_others(rows[0], rows[1], main)
        rows[0] = rows[0][rows[0]["image_id"].isin(rows[1]["image_id"].unique())]
    _refuse(_difference_of_rows(*rows), *both)
    deviations = [text for scores in both for text in scores.provenance["deviations"]]
    return Scores(
        pd.concat(rows, join="inner", ignore_index=True),
        main.provenance | {"dataset": dataset, "deviations": [*dict.fromkeys(deviations)]},
    )


def _refuse(difference: str | None, main: Scores, further: Scores) -> None:
    """Refuse two files that differ."""
    if difference is not None:
        files = " and ".join(score_file_name(scores.provenance) for scores in (main, further))
        raise UsaidError(f"{files}: {difference}; score both again, on the same terms")


def _refuse_others(rows: "pd.DataFrame", further: "pd.DataFrame", main: Scores) -> None:
    """Refuse further draws, by a list of their own, of an image that the main file lacks: no scoring mends that."""
    if alone := sorted({*further["image_id"].unique()} - {*rows["image_id"].unique()}):
        key = f"draws.subsets.{main.provenance['benchmark']}"
        reason = f"image {alone[0]!r} of '{key}' is not among those of {score_file_name(main.provenance)}"
        raise UsaidError(f"{reason}; take it out of that list")


def _failed(scores: Scores, reason: str) -> Scores:
    return Scores(scores.rows.iloc[:0], scores.provenance | {"failure": reason})


def _without_names(provenance: Mapping[str, Any], any_list: bool) -> dict[str, Any]:
    """A provenance whose entry holds nothing but what its rows depend on; with ``any_list`` whatever list of images."""
    entry = {key: value for key, value in provenance["entry"].items() if key not in _NOT_OF_A_ROW}
    left_out = _OF_A_LIST if any_list else ()
    dataset = {key: value for key, value in provenance["dataset"].items() if key not in left_out}
    return {**provenance, "entry": entry, "dataset": dataset}


def _rows_at(rows: "pd.DataFrame", sigmas: Iterable[float]) -> "pd.DataFrame":
    """The rows of some noise levels, told the truth."""
    import pandas as pd

    parts = [rows_at(rows, sigma) for sigma in sigmas]
    return pd.concat(parts) if parts else rows.iloc[:0]


def _difference_of_rows(main: "pd.DataFrame", further: "pd.DataFrame") -> str | None:
    """What is wrong with the rows of two files side by side; None: nothing."""
    levels = (rows[["sigma", "draw"]].drop_duplicates() for rows in (main, further))
    own, more = (set(zip(of_file["sigma"], of_file["draw"], strict=True)) for of_file in levels)
    if own & more:
        sigma, draw = min(own & more)
        return f"draw {draw} at sigma {sigma:g} is in both"
    for place, rows, others in (("first", main, further), ("second", further, main)):
        if alone := sorted({*rows["image_id"].unique()} - {*others["image_id"].unique()}):
            return f"image {alone[0]!r} is only in the {place}"
    if "image_sha256" not in main or "image_sha256" not in further:
        return None
    pixels = [rows[["image_id", "image_sha256"]].drop_duplicates() for rows in (main, further)]
    pairs = pixels[0].merge(pixels[1], on="image_id")
    other = pairs[pairs["image_sha256_x"] != pairs["image_sha256_y"]]
    return f"image {other['image_id'].iloc[0]!r} has not the same pixels in the two" if len(other) else None
