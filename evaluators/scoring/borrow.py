"""Takes scores from the file of an earlier run in place of computing them, where both come to the same."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from evaluators.judge import Judge
from evaluators.judge_code import code_of_judge
from evaluators.scoring.batches import sha256_of_pixels
from evaluators.scoring.earlier import NotTheSame, check_same_noise, judged_otherwise, rows_of_images
from evaluators.scoring.record import provenance_of_failure, record_of
from evaluators.scoring.score_job import ScoreJob
from usaid.datasets.base import Dataset
from usaid.datasets.loading import load_for
from usaid.experiment.earlier_scores import EarlierScores, earlier_scores
from usaid.files import sha256_of_file
from usaid.registries import load_object
from usaid.scores.failed_levels import why_level_is_missing
from usaid.scores.files import ABOUT, Scores, read_scores, rows_at, write_scores


def borrow_to_file(job: ScoreJob) -> None:
    """Write the score file of a denoiser from that of an earlier run, as the entry's ``scores_from`` names it.

    Taken over are the rows of the experiment's own images (ids and pixels), noise levels, draws and told levels. A
    metric that another judge computed is left out, and so is a level that is not whole; where nothing is left, the file
    has no rows and says why. Everything else of its provenance stays that of the earlier run.

    Raises:
        UsaidError: the experiment's own images or judge are missing or bad.
    """
    earlier = earlier_scores(str(job.entry.scores_from), job.experiment.results)
    try:
        scores = _borrowed(job, earlier)
    except NotTheSame as error:
        print(f"not taken from {earlier.name}: {error}")
        write_failure(job, str(error))
        return
    write_scores(job.output, scores)


def write_failure(job: ScoreJob, reason: str) -> None:
    """Write a score file without rows that says why."""
    rows = pd.DataFrame({name: [] for name in ABOUT})
    earlier = earlier_scores(str(job.entry.scores_from), job.experiment.results)
    of_file = provenance_of_failure(job, reason) | {"borrowed_from": {"folder": earlier.name}}
    write_scores(job.output, Scores(rows, of_file))


def _borrowed(job: ScoreJob, earlier: EarlierScores) -> Scores:
    file = earlier.file(job.benchmark, job.denoiser)
    if not file.is_file():
        raise NotTheSame(f"{earlier.name} has no scores of {job.denoiser} on {job.benchmark}")
    scores = read_scores(file)
    if (method := scores.provenance["entry"].get("method")) != job.entry.method:
        raise NotTheSame(f"their method is {method}, not {job.entry.method}")
    dataset = load_for(job.experiment, job.card.dataset, job.card.split, job.benchmark)
    check_same_noise(scores.provenance, job.benchmark, record_of(dataset))
    judge: Judge = load_object(job.card.judge)(job.benchmark, job.experiment, job.judge_file, torch.device("cpu"))
    pixels = _pixels(dataset)
    metrics, lacking = _same_metrics(judge, scores)
    rows, levels = _of_levels(job, scores, rows_of_images(scores.rows, pixels), [*pixels], earlier)
    theirs, code = scores.provenance["judge"].get("code"), code_of_judge(job.card, job.settings)
    theirs_of_file = {key: value for key, value in scores.provenance.items() if key != "failed_levels"}
    of_file = theirs_of_file | {
        "experiment": job.experiment.experiment,
        "title": job.entry.title or scores.provenance["title"],
        "dataset": record_of(dataset),
        "metrics": metrics,
        "deviations": _deviations(scores.provenance, metrics),
        "borrowed_from": {
            **{"folder": earlier.name, "sha256": sha256_of_file(file), "experiment": scores.provenance["experiment"]},
            "lacking": lacking,
            **{"judge_code": theirs, "is_same_evaluator": theirs == code},
            **({"borrowed_from": origin} if (origin := scores.provenance.get("borrowed_from")) else {}),
        },
        **({"failed_levels": levels} if levels else {}),  # theirs may be of others
    }
    return Scores(rows[[*ABOUT, *metrics]].reset_index(drop=True), of_file)


def _pixels(dataset: Dataset) -> dict[str, str]:
    """Id -> SHA-256 of the decoded image, of all images in order."""
    return {image_id: sha256_of_pixels(dataset[image_id].image) for image_id in dataset.ids}


def _same_metrics(judge: Judge, scores: Scores) -> tuple[list[str], dict[str, str]]:
    """The metrics that both have in the same way, and why the others of ours are lacking."""
    held = {*scores.provenance["metrics"]} & {*scores.rows}  # findings, as detections, may lie in files of their own
    lacking = {name: f"no {name} in the earlier scores" for name in judge.metrics if name not in held}
    lacking |= judged_otherwise(judge.record, scores.provenance["judge"], judge.metrics)
    metrics = [name for name in judge.metrics if name not in lacking]
    if not metrics:
        raise NotTheSame(next(iter(lacking.values())))
    return metrics, lacking


def _deviations(provenance: Mapping[str, Any], metrics: Iterable[str]) -> list[str]:
    """The earlier deviations, but for those of metrics that are left out."""
    gone = {*provenance["metrics"]} - {*metrics}
    return [text for text in provenance["deviations"] if not any(name in text for name in gone)]


def _of_levels(
    job: ScoreJob, scores: Scores, rows: pd.DataFrame, ids: Sequence[str], earlier: EarlierScores
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The rows of the job's levels that are whole, in the order (image, level), and the levels that are not."""
    n, draws = len(ids), range(job.settings.draws)
    parts, lost = list[pd.DataFrame](), list[dict[str, Any]]()
    for sigma in job.settings.sigmas:
        for told in dict.fromkeys(sigma if told == "oracle" else told for told in job.settings.told_sigmas):
            at = rows_at(rows, sigma, told)
            at = at[at["draw"].isin(draws)]
            if len(at) == n * len(draws):
                parts.append(at)
            else:
                what = "no rows" if at.empty else f"{len(at):,} of {n * len(draws):,} rows"
                reason = f"{earlier.name} has {what} at this sigma"
                if (cause := why_level_is_missing(scores.provenance, sigma, told)) is not None:
                    reason += f" ({cause})"
                lost.append({"sigma": sigma, "told_sigma": told, "reason": reason})
    if not parts:
        raise NotTheSame(lost[0]["reason"])
    whole = pd.concat(parts).drop_duplicates(ABOUT)
    places = whole["image_id"].map({image_id: place for place, image_id in enumerate(ids)}).to_numpy()
    return whole.iloc[places.argsort(kind="stable")], lost
