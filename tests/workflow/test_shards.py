"""``shards: n`` of a benchmark: several jobs make a score file, which is the one that a single job makes."""

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from snakemake_runs import jobs_in, kill_after_rows, made_once, planned, run, write_experiment

from evaluators.scoring.shard_files import read_shard
from usaid.datasets.miniature.writer import write_miniature
from usaid.scores.files import read_provenance, read_scores

OWN_DENOISERS = """
import time
from pathlib import Path

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.errors import UsaidError


class Own(Denoiser):
    facts = Facts("Own", True, False, False, False, "MIT", "none")
    def __init__(self, seconds=0.0):
        self.seconds = seconds
    def __call__(self, noisy, told_sigma=None):
        time.sleep(self.seconds)
        if noisy.shape[2] == 40 and Path("broken").exists():
            raise UsaidError("this denoiser is broken; delete the file")
        return noisy * 0.9
"""

SIZES = [(24, 32), (32, 24), (24, 36), (40, 40), (36, 24)]
"""No two images are denoised together, so that two shards have 3 and 2 of them."""

BENCHMARK: dict[str, Any] = {"sigmas": [15, 25], "told_sigmas": ["oracle", 25]}

EXPERIMENT: dict[str, Any] = {
    "experiment": "split",
    "data_root": "data",
    "subsets": {"kodak/all": "ids.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {"noisy": {"method": "noisy"}, "own": {"method": "own_denoisers:Own"}},
    "benchmarks": {"kodak_quality": BENCHMARK},
    "draws": {"draws": 3, "denoisers": ["noisy"]},
}

SPLIT = EXPERIMENT | {"benchmarks": {"kodak_quality": BENCHMARK | {"shards": 2}}}

RESULTS = "results/split"
SCORES = f"{RESULTS}/scores/kodak_quality"
OWN = f"{SCORES}/own.parquet"
PAGES = [
    f"{RESULTS}/{name}.csv" for name in ("tables/table_6", "tables/table_10", "statistics/kodak_quality", "claims")
]

SHARDS = {f"score_shard kodak_quality/{name}/{number}-of-2" for name in ("noisy", "own") for number in (1, 2)}
SHARDS_OF_DRAWS = {f"score_draws_shard kodak_quality/noisy/{number}-of-2" for number in (1, 2)}
MERGES = {
    "merge_shards kodak_quality/noisy",
    "merge_shards kodak_quality/own",
    "merge_draws_shards kodak_quality/noisy",
}


def make_whole_then_split(folder: Path) -> None:
    """All by one job a score file, kept aside; then again in shards, from nothing but the pristine model."""
    write_miniature(folder / "data")
    generator = np.random.default_rng(0)
    for number, size in enumerate(SIZES, 1):
        pixels = generator.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"data/kodak/kodim{number:02}.png")
    (folder / "data/ids.txt").write_text("".join(f"kodim{number:02}\n" for number in range(1, len(SIZES) + 1)))
    (folder / "own_denoisers.py").write_text(OWN_DENOISERS)
    write_experiment(folder, EXPERIMENT)
    run(folder, *PAGES)
    shutil.copytree(folder / RESULTS, folder / "whole")
    write_experiment(folder, SPLIT)
    for name in ("scores", "tables", "statistics"):
        shutil.rmtree(folder / RESULTS / name)
    (folder / "output.txt").write_text(run(folder, *PAGES))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to be read."""
    return made_once(tmp_path_factory, "split", make_whole_then_split)


def content(path: Path) -> bytes:
    """A score file but for its provenance."""
    buffer = BytesIO()
    pq.write_table(pq.read_table(path).replace_schema_metadata(None), buffer)
    return buffer.getvalue()


def test_there_is_a_job_for_each_shard_and_nothing_is_trained_again(made):
    jobs = {
        job for job in jobs_in((made / "output.txt").read_text()) if "score" in job or "merge" in job or "niqe" in job
    }
    assert jobs == SHARDS | SHARDS_OF_DRAWS | MERGES
    images = [read_shard(path).record.images for path in sorted((made / SCORES / "shards/own").glob("*.parquet"))]
    assert sorted(map(len, images)) == [2, 3]


def test_scores_and_pages_are_those_of_one_job_byte_for_byte(made):
    for path in (made / "whole/scores").rglob("*.parquet"):
        assert content(path) == content(made / RESULTS / path.relative_to(made / "whole"))
    pages = [path for page in PAGES for path in (made / page).parent.glob(f"{Path(page).stem}.*")]
    assert len(pages) > len(PAGES)
    for page in pages:
        assert page.read_bytes() == (made / "whole" / page.relative_to(made / RESULTS)).read_bytes(), page


def test_there_is_nothing_left_to_do_and_another_number_denoises_nothing(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    shards = tmp_path / SCORES / "shards"
    shards.rename(tmp_path / "aside")
    assert planned(tmp_path, *PAGES) == set(), "with and without the shards"
    (tmp_path / "aside").rename(shards)
    write_experiment(tmp_path, EXPERIMENT)
    run(tmp_path, OWN)
    provenance = read_provenance(tmp_path / OWN)
    assert "shards" not in provenance
    assert provenance["pixels"] == 0, "the rows of its shards are known"
    assert content(tmp_path / OWN) == content(made / OWN)


def test_a_shard_that_fails_costs_its_score_file_and_is_the_only_one_that_is_tried_again(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    shutil.rmtree(tmp_path / SCORES / "shards/own")
    (tmp_path / OWN).unlink()
    shutil.rmtree(tmp_path / RESULTS / "tables")
    (tmp_path / "broken").touch()
    output = run(tmp_path, PAGES[0], fails=True)
    failure = read_provenance(tmp_path / OWN)["failure"]
    assert failure.startswith("image kodim04: ")
    assert failure.endswith("this denoiser is broken; delete the file")
    assert failure in (tmp_path / PAGES[0]).with_suffix(".md").read_text()
    assert f"score_shard kodak_quality/own/2-of-2 failed: {failure}" in output
    assert "so these are not made: score kodak_quality/own" in output
    assert len(read_shard(tmp_path / SCORES / "shards/own/1-of-2.parquet").rows) == 2 * 3
    (tmp_path / "broken").unlink()
    again = planned(tmp_path, OWN)
    assert again == {"score_shard kodak_quality/own/2-of-2", "merge_shards kodak_quality/own"}
    run(tmp_path, OWN)
    assert content(tmp_path / OWN) == content(made / OWN)


def test_a_killed_shard_goes_on_where_it_was(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    shutil.rmtree(tmp_path / SCORES / "shards/own")
    (tmp_path / OWN).unlink()
    slow = {"own": {"method": "own_denoisers:Own", "options": {"seconds": 0.5}}}
    write_experiment(tmp_path, SPLIT | {"denoisers": EXPERIMENT["denoisers"] | slow})
    shard = f"{SCORES}/shards/own/1-of-2.parquet"
    kill_after_rows(tmp_path, shard, 1)
    assert not (tmp_path / shard).exists()
    run(tmp_path, OWN)
    pixels = [SIZES[place][0] * SIZES[place][1] for place in read_shard(tmp_path / shard).record.images]
    assert 0 < read_provenance(tmp_path / shard)["pixels"] < 2 * sum(pixels), "at two noise levels"
    assert content(tmp_path / OWN) == content(made / OWN)
    assert len(read_scores(tmp_path / OWN).rows) == 2 * len(SIZES)
