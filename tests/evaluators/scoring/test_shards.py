"""Scores made in parts: the file is that of one job, byte for byte; parts of different runs are refused."""

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from PIL import Image
from score_files import made_scores

from evaluators.judge import Judge
from evaluators.metrics.psnr_ssim import psnr_rgb_float
from evaluators.scoring import batches, merge
from evaluators.scoring import job as scoring
from evaluators.scoring.job import score_to_file
from evaluators.scoring.merge import is_of_shard, merge_to_file, merged
from evaluators.scoring.score_job import ScoreJob
from evaluators.scoring.shard import Shard, dealt, file_of_shard, files_of_other_shards, shard_of, shards_of
from evaluators.scoring.shard_files import ReadShard, ShardRecord, check_same, read_shard, write_shard
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.errors import UsaidError
from usaid.experiment.reading import as_config, checked_experiment
from usaid.scores.files import read_provenance, read_scores

SIZES = [(24, 32), (32, 24), (24, 32), (40, 40), (24, 32)]
"""Height and width of five images; those of one size are denoised together."""

# ------------------------------------------------------------------------------------------------ which images


class Sized:
    """An image of some pixels."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 50).map(Sized), min_size=1)), st.integers(1, 9))
def test_each_group_is_in_one_shard_whole_and_the_work_is_spread(groups, number):
    parts = [[*dealt(groups, shard)] for shard in shards_of(number)]
    assert sorted(place for part in parts for place, _ in part) == [*range(len(groups))]
    assert all(group is groups[place] for part in parts for place, group in part)
    assert all([place for place, _ in part] == sorted(place for place, _ in part) for part in parts)
    loads = [sum(image.pixels for _, group in part for image in group) for part in parts]
    assert max(loads) - min(loads) <= max((sum(image.pixels for image in group) for group in groups), default=0)


def test_groups_of_one_size_go_round():
    groups = [[Sized(7)] for _ in range(5)]
    assert [[place for place, _ in dealt(groups, shard)] for shard in shards_of(2)] == [[0, 2, 4], [1, 3]]


def test_names_of_shards():
    assert shard_of("2-of-4") == shard_of("2/4") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2-of-4"
    for text in ("0/4", "5/4", "2", "2-of-", "a/b", "-1/2"):
        with pytest.raises(UsaidError, match=re.escape(f"shard {text!r}: must be i/n")):
            shard_of(text)
    assert file_of_shard(Path("s/noisy.parquet"), Shard(2, 4)) == Path("s/shards/noisy/2-of-4.parquet")
    assert file_of_shard(Path("s/noisy.parquet"), Shard(1, 1)) == Path("s/noisy.parquet")
    assert is_of_shard("score b/noisy", "score_shard b/noisy/1-of-2")
    assert not is_of_shard("score b/noisy", "score_shard b/noisy_too/1-of-2")


def test_rows_may_be_in_files_of_another_number_of_shards(tmp_path):
    whole = tmp_path / "noisy.parquet"
    own, same, other = (file_of_shard(whole, shard_of(text)) for text in ("1/2", "2/2", "3/3"))
    own.parent.mkdir(parents=True)
    for file in (own, same, other):
        Path(f"{file}.rows.jsonl").touch()
    assert files_of_other_shards(own, Shard(1, 2)) == [whole, other]
    assert files_of_other_shards(whole, Shard(1, 1)) == [own, same, other]
    assert files_of_other_shards(tmp_path / "anywhere.parquet", Shard(1, 2)) == []


# ------------------------------------------------------------------------------------------------ made by hand


def parts_of(images: int, number: int, seed: int = 0, **changed: Any) -> tuple[list[dict[str, Any]], list[ReadShard]]:
    """Rows of some images, and the same in shards."""
    generator = np.random.default_rng(seed)
    rows = [
        {"image_id": f"{place:03}", "image_sha256": "0", "sigma": sigma, "draw": 0, "told_sigma": None}
        | {"psnr_rgb_float": float(generator.normal()), "counts": generator.integers(0, 9, place % 3).tolist()}
        for place in range(images)
        for sigma in (15.0, 25.0)
    ]
    provenance = made_scores("noisy", {"psnr_rgb_float": [[1.0] * images]}, **changed).provenance
    provenance |= {"seconds": {"denoiser": 2.0, "total": 3.0}}
    places = generator.integers(0, number, images)
    records = [
        ShardRecord(index + 1, number, "cpu", np.flatnonzero(places == index).tolist(), [], False)
        for index in range(number)
    ]
    return rows, [
        ReadShard(
            Path(f"{number}.parquet"),
            {**provenance},
            record,
            [row for place in record.images for row in rows[2 * place : 2 * place + 2]],
        )
        for record in records
    ]


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(2, 15), st.integers(0, 99))
def test_any_number_of_shards_of_any_number_of_images_gives_the_same_rows(images, number, seed):
    rows, shards = parts_of(images, number, seed)
    check_same(shards[::-1])
    again, provenance = merged(shards[::-1])
    assert json.dumps(again) == json.dumps(rows)
    assert provenance["pixels"] == 10 * number
    assert provenance["seconds"] == {"denoiser": 2.0 * number, "total": 3.0 * number}
    assert provenance["pixels_per_second"] == 7
    assert provenance["shards"] == {"n": number}
    assert provenance["dataset"]["n"] == images


def test_a_file_gives_its_rows_back_as_they_were(tmp_path):
    rows, shards = parts_of(4, 5)
    rows[0] |= {"psnr_rgb_float": float("nan"), "counts": [1, 2.0, [], {"a": [3]}]}
    for shard in shards:
        write_shard(tmp_path / "s.parquet", shard.rows, shard.provenance, shard.record)
        again = read_shard(tmp_path / "s.parquet")
        assert json.dumps(again.rows) == json.dumps(shard.rows)
        assert (again.record, again.provenance) == (shard.record, shard.provenance)
    assert any(not shard.rows for shard in shards), "one has no image"


def test_of_several_failures_of_a_level_the_first_in_the_order_of_one_job_is_recorded():
    rows, shards = parts_of(6, 2)
    for shard, at, image in zip(shards, (9, 4), ("late", "early"), strict=True):
        level = {"sigma": 15.0, "told_sigma": None, "reason": f"image {image}: no"}
        shard.provenance["failed_levels"] = [level]
        shard.record.failed_at.append(at)
    again, provenance = merged(shards)
    assert again == [row for row in rows if row["sigma"] == 25]
    assert provenance["failed_levels"] == [{"sigma": 15.0, "told_sigma": None, "reason": "image early: no"}]


def test_without_a_level_that_all_shards_have_there_is_no_file():
    _, shards = parts_of(6, 2)
    for shard, at, sigma in zip(shards, (9, 4), (15.0, 25.0), strict=True):
        shard.provenance["failed_levels"] = [{"sigma": sigma, "told_sigma": None, "reason": f"image {at}: no"}]
        shard.record.failed_at.append(at)
    with pytest.raises(UsaidError, match=r"^image 4: no$"):
        merged(shards)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"code_hash": "1"}, "its code_hash is '1', not '0' as in"),
        ({"weights_sha256": "ab"}, "its weights_sha256 is 'ab', not None as in"),
        ({"packages": {"torch": "2.4"}}, "its packages.torch is '2.4', not None as in"),
        ({"noise_version": 2}, "its noise_version is 2, not 1 as in"),
    ],
)
def test_shards_of_different_provenance_are_not_merged(change, what):
    _, shards = parts_of(6, 3)
    shards[1].provenance.update(change)
    with pytest.raises(UsaidError, match=f"{re.escape(what)} 3.parquet.*; they are not of one run: delete the older"):
        check_same(shards)


def test_shards_of_another_kind_of_device_or_of_other_parts_are_not_merged():
    _, shards = parts_of(6, 3)
    with pytest.raises(UsaidError, match=r"its device is 'cuda', not 'cpu'"):
        check_same([shards[0], shards[1]._replace(record=shards[1].record._replace(device="cuda"))])
    with pytest.raises(UsaidError, match=r"shards 1-of-3, 3-of-3 are not all parts of one whole"):
        check_same([shards[0], shards[2]])
    with pytest.raises(UsaidError, match=r"do not share out the images"):
        check_same([shards[0]._replace(record=shards[0].record._replace(images=[0, 0])), *shards[1:]])


def test_machines_that_differ_are_recorded():
    _, shards = parts_of(3, 2)
    shards[1].provenance["device"] = "another card"
    _, provenance = merged(shards)
    assert provenance["device"] == "cpu"
    assert [machine["device"] for machine in provenance["shards"]["machines"]] == ["cpu", "another card"]


# ------------------------------------------------------------------------------------------------ made by jobs


class Finder(Judge):
    """Its statistics have as many entries as an image is wide, less some; it writes a file of its own."""

    metrics = ("psnr_rgb_float", "matches", "detections")

    def score(self, seen: Any, denoised: torch.Tensor, clean: torch.Tensor, targets: Sequence[Any]) -> dict[str, Any]:
        psnr, wide = psnr_rgb_float(denoised, clean), denoised.shape[3]
        lists = [[[index, value / 3] for index in range(wide - 24)] for value in psnr.tolist()]
        return {"psnr_rgb_float": psnr, "matches": lists, "detections": [[1, wide]] * len(clean)}

    def write_findings(self, rows: list[dict[str, Any]], folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "found.json").write_text(json.dumps([[row["image_id"], row.pop("detections")] for row in rows]))


@pytest.fixture
def five(job: ScoreJob, tmp_path: Path) -> ScoreJob:
    """As ``job``, of five images at three noise levels."""
    generator = np.random.default_rng(1)
    for number, size in enumerate(SIZES, 1):
        pixels = generator.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/kodak/kodim{number:02}.png")
    (tmp_path / "data/ids.txt").write_text("".join(f"kodim{number:02}\n" for number in range(1, 6)))
    keys = as_config(job.experiment)
    keys["benchmarks"]["kodak_quality"] |= {"sigmas": [15, 25, 50]}
    return replace(job, experiment=checked_experiment(keys))


def split(job: ScoreJob, number: int) -> list[ScoreJob]:
    """The jobs of its shards."""
    return [replace(job, output=file_of_shard(job.output, shard), shard=shard) for shard in shards_of(number)]


def score_split(job: ScoreJob, number: int) -> str | None:
    """The score file of a job from its shards."""
    shards = split(job, number)
    for shard in shards:
        score_to_file(shard)
    return merge_to_file(job, [shard.output for shard in shards])


def content(path: Path) -> bytes:
    """A score file but for its provenance."""
    buffer = BytesIO()
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("number", [2, 3, 7])
def test_the_file_is_that_of_one_job(five, tmp_path, number):
    whole = replace(five, output=tmp_path / "whole/noisy.parquet")
    score_to_file(whole)
    assert score_split(five, number) is None
    assert content(five.output) == content(whole.output)
    ours, theirs = (read_provenance(job.output) for job in (five, whole))
    assert ours.pop("shards") == {"n": number}
    for key in ("seconds", "pixels_per_second"):
        assert type(ours.pop(key)) is type(theirs.pop(key))
    assert ours == theirs, "with the pixels and the record of the data set"
    shards = [read_shard(shard.output) for shard in split(five, number)]
    assert sum(not shard.rows for shard in shards) == max(0, number - 3), "three sizes: more shards have no image"
    assert "shards" not in theirs


class Network(Denoiser):
    """Convolutions, whose last bits may depend on what else is in the batch."""

    facts = build_denoiser("noisy").facts

    def __init__(self) -> None:
        torch.manual_seed(0)
        widths = (3, 48, 48, 3)
        self.layers = [torch.nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths)]

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        seen = noisy
        for layer in self.layers:
            seen = layer(seen).tanh()
        return noisy - seen


@pytest.mark.parametrize("most", [1, 3000, 1 << 18])
def test_a_network_sees_the_same_batches(five, tmp_path, monkeypatch, most):
    monkeypatch.setitem(batches.PIXELS_PER_BATCH, "cpu", most)
    monkeypatch.setattr(scoring, "build_denoiser", lambda *_: Network())
    whole = replace(five, output=tmp_path / "whole/noisy.parquet")
    score_to_file(whole)
    score_split(five, 2)
    assert content(five.output) == content(whole.output)


def test_what_a_judge_writes_of_all_rows_is_the_same(five, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_judge_of", lambda *_: Finder())
    monkeypatch.setattr(merge, "load_object", lambda _: lambda *_: Finder())
    whole = replace(five, output=tmp_path / "whole/noisy.parquet")
    score_to_file(whole)
    score_split(five, 3)
    assert content(five.output) == content(whole.output)
    found = (whole.output.with_suffix("") / "found.json").read_text()
    assert (five.output.with_suffix("") / "found.json").read_text() == found
    assert "detections" not in read_scores(five.output).rows
    assert not (five.output.parent / "shards/noisy/1-of-3/found.json").exists()


class Fails(Denoiser):
    """Fails where an image of a size meets much noise."""

    facts = build_denoiser("noisy").facts

    def __init__(self, levels: dict[tuple[int, int], float]) -> None:
        self.levels, self.images = levels, 0

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        self.images += len(noisy)
        spread = noisy.std(dim=(1, 2, 3)).max().item()
        if spread > self.levels.get((noisy.shape[2], noisy.shape[3]), 9):
            raise UsaidError("too much noise")
        return noisy


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("sizes", [[(32, 24)], [(40, 40)], [(32, 24), (40, 40)]])
def test_a_level_that_fails_in_a_shard_is_lacking_as_if_one_job_had_failed(five, tmp_path, monkeypatch, number, sizes):
    denoiser = Fails(dict.fromkeys(sizes, 0.33))
    monkeypatch.setattr(scoring, "build_denoiser", lambda *_: denoiser)
    whole = replace(five, output=tmp_path / "whole/noisy.parquet")
    with pytest.raises(UsaidError) as error:
        score_to_file(whole)
    shards = split(five, number)
    for shard in shards:
        try:
            score_to_file(shard)
        except UsaidError:
            assert shard.output.exists()
    assert merge_to_file(five, [shard.output for shard in shards]) == str(error.value)
    # not to the last bit: who has given up a level denoises the others in smaller batches
    assert_frame_equal(read_scores(five.output).rows, read_scores(whole.output).rows, rtol=1e-5)
    ours, theirs = (read_provenance(job.output)["failed_levels"] for job in (five, whole))
    assert ours == theirs
    assert [level["sigma"] for level in ours] == [50]


def test_rows_are_known_whatever_the_number_of_shards_was(five, monkeypatch):
    denoiser = Fails({})
    monkeypatch.setattr(scoring, "build_denoiser", lambda *_: denoiser)
    score_split(five, 2)
    assert denoiser.images == 5 * 3 * 2
    before = content(five.output)
    score_split(five, 3)
    score_to_file(five)
    assert denoiser.images == 5 * 3 * 2
    assert content(five.output) == before
    other = replace(five, code_hash="other")
    score_to_file(split(other, 2)[0])
    assert denoiser.images > 5 * 3 * 2, "rows of other code are not taken"


def test_a_score_file_is_no_shard_and_shards_of_different_runs_are_not_merged(five):
    score_to_file(five)
    with pytest.raises(UsaidError, match=r"noisy.parquet: is no shard of a score file"):
        read_shard(five.output)
    first, second = split(five, 2)
    score_to_file(first)
    score_to_file(replace(second, code_hash="other"))
    before = five.output.read_bytes()
    with pytest.raises(UsaidError, match=r"2-of-2.parquet: its code_hash is 'other', not 'c0de' as in 1-of-2.parquet"):
        merge_to_file(five, [first.output, second.output])
    assert five.output.read_bytes() == before
    with pytest.raises(UsaidError, match=r"score file is missing"):
        merge_to_file(five, [first.output, first.output.with_name("absent.parquet")])
