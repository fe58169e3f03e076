"""Images that are kept, through the workflow: a job for each denoiser, or one for all, and each fails by itself."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from snakemake_runs import made_once, run, write_experiment

from evaluators.keeping.choose import read_choice
from usaid.datasets.miniature.writer import write_miniature
from usaid.failures import Failure, failure_in
from usaid.scores.files import read_scores
from usaid.scores.kept_images import KeptImages, read_kept

OWN_DENOISERS = """
import os, signal
from pathlib import Path

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.errors import UsaidError


class Halved(Denoiser):
    facts = Facts("Halved", True, False, False, False, "MIT", "none")
    def __call__(self, noisy, told_sigma=None):
        return noisy / 2


class Broken(Halved):
    def __call__(self, noisy, told_sigma=None):
        if Path("broken").exists():
            raise UsaidError("this denoiser is broken; delete the file")
        return noisy


class Dying(Halved):
    def __call__(self, noisy, told_sigma=None):
        if Path("results/seen/images/choice.json").exists() and Path("broken").exists():
            os.kill(os.getpid(), signal.SIGSEGV)
        return noisy
"""

EXPERIMENT: dict[str, Any] = {
    "experiment": "seen",
    "data_root": "data",
    "subsets": {"kodak/all": "three.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {
        "dying": {"method": "own_denoisers:Dying"},
        "broken": {"method": "own_denoisers:Broken"},
        "halved": {"method": "own_denoisers:Halved"},
        "noisy": {"method": "noisy"},
    },
    "benchmarks": {
        "kodak_quality": {"sigmas": [25]},
        "coco_detection": {"sigmas": [25], "detector": {"network": "darknet:yolov3,weights/absent.weights"}},
    },
    "keep_images": {"difference": ["halved", "noisy"], "window": 64},
    "figures": {"figure_5": {"images": {"50": "kodim02"}}},
}

NAMES = ("clean", "dying", "broken", "halved", "noisy")


def fail(folder: Path, score_jobs: str) -> None:
    """A run in which one denoiser breaks, one ends the process, and one judge lacks its weights."""
    write_miniature(folder / "data")
    (folder / "data/three.txt").write_text("kodim01\nkodim02\nkodim04\n")
    (folder / "own_denoisers.py").write_text(OWN_DENOISERS)
    write_experiment(folder, EXPERIMENT | {"score_jobs": score_jobs})
    (folder / "broken").touch()
    (folder / "output.txt").write_text(run(folder, "images", fails=True))


@pytest.fixture(scope="session", params=["file", "data_set"])
def failed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to be read."""
    score_jobs = request.param
    return made_once(tmp_path_factory, f"seen_{score_jobs}", lambda folder: fail(folder, score_jobs))


def archive(folder: Path, name: str, of: str = "images") -> Path:
    return folder / f"results/seen/{of}/{name}.zip"


def viewer(folder: Path, name: str) -> KeptImages:
    return read_kept(archive(folder, name))


def test_the_rules_chose_from_the_score_files(failed):
    chosen = read_choice(failed / "results/seen/images/choice.json")
    rows = [read_scores(failed / f"results/seen/scores/kodak_quality/{n}.parquet").rows for n in ("halved", "noisy")]
    ours, theirs = (of.set_index("image_id")["psnr_rgb_float"] for of in rows)
    order = (ours - theirs).sort_values().index
    by_rule = {rule: choice.image_id for choice in chosen.images for rule in choice.why if choice.sigma == 25}
    of_kodak = {c.image_id: c.why for c in chosen.images if c.benchmark == "kodak_quality" and c.sigma == 25}
    assert "first" in of_kodak["kodim01"]
    assert "worst" in of_kodak[order[0]]
    assert "median" in of_kodak[order[1]]
    assert "first" in by_rule
    assert "halved has no scores" in chosen.left_out["coco_detection"]


def test_each_has_both_archives_and_its_own_pixels(failed):
    for name in ("clean", "halved", "noisy"):
        pictures = viewer(failed, name).pictures
        assert {picture.window[2:] for picture in pictures} == {(64, 64)}
        (whole,) = read_kept(archive(failed, name, "figures/images")).pictures
        assert (whole.image_id, whole.sigma, whole.why) == ("kodim02", 50, ("figure_5",))
        assert whole.pixels.shape[:2] == whole.size[::-1]
    keys = [[picture.key for picture in viewer(failed, name).pictures] for name in ("clean", "halved", "noisy")]
    assert keys[0] == keys[1] == keys[2] != []


def test_scores_are_those_of_the_score_file(failed):
    for picture in viewer(failed, "halved").pictures:
        if picture.sigma == 25:
            rows = read_scores(failed / "results/seen/scores/kodak_quality/halved.parquet").rows.set_index("image_id")
            assert picture.scores["psnr_rgb_float"] == pytest.approx(rows["psnr_rgb_float"][picture.image_id], rel=1e-6)


def test_a_judge_that_is_missing_costs_its_benchmark(failed):
    for name in ("clean", "halved", "noisy"):
        kept = viewer(failed, name)
        assert {picture.benchmark for picture in kept.pictures} == {"kodak_quality"}
        assert "absent.weights" in kept.provenance["left_out"]["coco_detection"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("broken", "this denoiser is broken; delete the file"), ("dying", "the process died without a word")],
)
def test_a_denoiser_that_fails_says_so_in_place_of_both(name, reason, failed):
    for of in ("images", "figures/images"):
        failure = failure_in(archive(failed, name, of))
        assert isinstance(failure, Failure)
        assert failure.job == f"keep_images {name}"
        assert reason in failure.reason
    assert f"keep_images {name} failed: " in (failed / "output.txt").read_text()


def test_what_failed_is_tried_again(failed, tmp_path):
    """The detector's weights are still missing: its scores fail again, and so the same images are chosen."""
    folder = shutil.copytree(failed, tmp_path / "seen")
    (folder / "broken").unlink()
    run(folder, "images", fails=True)
    assert [name for name in NAMES if failure_in(archive(folder, name)) is not None] == []
    keys = [[picture.key for picture in viewer(folder, name).pictures] for name in NAMES]
    assert all(own == keys[0] for own in keys)
