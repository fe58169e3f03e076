"""Every edit reruns the jobs that depend on what was edited, and no others: the set is written beside each edit."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import yaml
from snakemake_runs import REPOSITORY, made_once, planned, run, write_experiment

from usaid.scores.files import Scores, write_scores

OWN_DENOISER = """
from own_helper import scaled
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser

class Scaled(Denoiser):
    facts = Facts("Scaled", True, False, False, False, "MIT", "none")
    def __init__(self, table):
        self.table = table
    def __call__(self, noisy, told_sigma=None):
        return scaled(noisy)
"""

PROVENANCE = {
    "experiment": "all_kinds", "benchmark": "kodak_quality", "denoiser": "noisy", "title": "Noisy",
    "entry": {"method": "noisy"}, "metrics": [], "deviations": [], "judge": {},
    "dataset": {"name": "kodak", "split": "all", "n": 2, "n_official": 24, "subset": None, "ids_sha256": "0"},
    "weights_sha256": None, "code_hash": "0", "config_sha256": "0", "noise_version": 1,
    "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "p", "device": "cpu",
    "precision": "float32", "seconds": {}, "pixels": 0, "pixels_per_second": None, "failure": None,
}  # fmt: skip

ROWS = pd.DataFrame({"image_id": ["kodim01"], "sigma": [25.0], "draw": [0]})


def experiment() -> dict:
    """The demo's, on data of the user's, with a job for each score file, an own denoiser, an import and two seeds."""
    everything, with_all = (
        yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text(encoding="utf-8"))
        for name in ("smoke", "smoke_all")
    )
    everything["denoisers"] |= with_all["denoisers"]
    del everything["data_source"], everything["score_jobs"]
    everything |= {"experiment": "all_kinds", "data_root": "data", "subsets": {"kodak/all": "kodak.txt"}}
    of_three_losses = [name for name in everything["denoisers"] if name.startswith("unet_")]
    for name in of_three_losses:  # the files of the repository's own examples are not edited here
        del everything["denoisers"][name]
    everything["denoisers"] |= {
        "own": {"method": "own_denoiser:Scaled", "benchmarks": ["kodak_quality"], "options": {"table": "table.json"}},
        "released": {"method": "cdncnn_b", "benchmarks": ["kodak_quality"], "weights": "released.pth"},
        "cdncnn_b_1": {
            **everything["denoisers"]["cdncnn_b"],
            "train": {**everything["denoisers"]["cdncnn_b"]["train"], "seed": 1},
        },
    }
    return everything


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree beside an experiment whose jobs have all been run, by rules that only make their files."""
    return made_once(tmp_path_factory, "all_kinds", finish)


def finish(folder: Path) -> None:
    ignored = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(REPOSITORY, folder / "repository", ignore=ignored)
    (folder / "data").mkdir()
    for name in ("data/kodak.txt", "data/released.pth", "data/table.json"):
        (folder / name).write_text("kodim01\n")
    (folder / "own_denoiser.py").write_text(OWN_DENOISER)
    (folder / "own_helper.py").write_text("def scaled(noisy):\n    return noisy / 2\n")
    write_experiment(folder, experiment())
    write_scores(folder / "scores.parquet", Scores(ROWS, PROVENANCE))
    for rules in (folder / "repository/workflow/rules").iterdir():
        stub = "shell:\n{indent}'for file in {output}; do cp scores.parquet $file; done'"
        rules.write_text(re.sub(r"script:\n( +)\"[^\"]+\"", stub.replace("{indent}", r"\1"), rules.read_text()))
    run(folder, "--scheduler", "greedy", "all", repository=folder / "repository")


@pytest.fixture(scope="module")
def folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that the tests of one process edit."""
    copy = tmp_path_factory.mktemp("edited") / "all_kinds"
    shutil.copytree(finished, copy)
    return copy


@pytest.fixture(scope="module")
def jobs(folder: Path) -> set[str]:
    """All jobs of the experiment."""
    return planned(folder, "--forceall", "all", repository=folder / "repository")


Change = Callable[[str], str]


class Edit(NamedTuple):
    """A change of files, and the jobs that it reruns.

    Attributes:
        what: is changed.
        changes: file below the working folder -> old text to new text.
        reruns: patterns of jobs.
    """

    what: str
    changes: Mapping[str, Change]
    reruns: tuple[str, ...] = ()


def with_more(code: str) -> str:
    return f"{code}\nEDITED = 1\n"


def with_a_remark(code: str) -> str:
    return f"{code}\n# edited\n"


def replaced(pattern: str, text: str) -> Change:
    def change(code: str) -> str:
        changed, count = re.subn(pattern, text, code, count=1)
        assert count == 1, f"{pattern} is not in the file"
        return changed

    return change


NEW_CARD = """
from usaid.cards import Facts, Method

FACTS = Facts("Novel", True, True, False, False, "MIT", "none")
CARDS = (Method("novel", FACTS, "usaid.denoisers.novel.denoiser:Novel"),)
"""

TABLE_X = (
    "table 10",
    *(f"statistics_page {name}" for name in ("voc_segmentation", "kodak_quality", "cifar100_classification")),
    "claims",
    "index",
)
"""What follows from scores of a denoiser of Table X on one of its benchmarks: each has statistics over all three."""

ON_KODAK = ("statistics_page kodak_quality", "claims", "index")
"""What else follows from scores of a baseline, which only Table IV has."""

PICTURES = ("choose_images", "keep_images *")
"""What follows from scores of U-SAID or CDnCNN-B on a benchmark whose images are kept: others may be chosen."""

WITH_U_SAID = (
    *("table [12456789]", "table 5_released_code", "table 10"),
    *("classes", "statistics_page *", "claims", "index", *PICTURES),
)
"""What follows from scores of U-SAID: it is in all tables that are made from scores."""

OF_THE_THREE = ("cdncnn_b", "cdncnn_b_1", "s_said", "u_said", "u_said_k10", "u_said_k40")
"""The denoisers that one training makes."""

DETECTOR = (
    *("train_judge coco_detection", "score coco_detection/*", "table 9", "classes"),
    *("statistics_page coco_detection", "claims", "index", *PICTURES),
)
"""What depends on the network that detects: its training, and all that follows from its scores."""

OF_DETECTION = (*(f"keep_images {name}" for name in ("noisy", "clean", "cdncnn_b", "cdncnn_b_1", "s_said", "u_said")),)
"""The pictures of the denoisers that are scored on COCO."""

FOLLOWS = {
    "table *": ("figure reproduction", "figure sigma"),
    "score */*": ("figure differences",),
    **dict.fromkeys(
        ("keep_images clean", "keep_images cdncnn_b", "keep_images [su]_said"), ("figure 3", "figure 4", "figure 5")
    ),
    "keep_images *": ("report_page",),
    "statistics_page *": ("report_page",),
    "figure*": ("report_page",),
    "index": ("report_page",),
}
"""What reads the files that jobs make, beside what the edits below name: figures and the report. Further draws have
another rule, and variants of Table II are not in a figure."""


def with_what_follows(expected: set[str]) -> set[str]:
    variants = {job for job in expected if job.endswith(("_k10", "_k40"))}
    for pattern, follow in FOLLOWS.items():
        if any(fnmatchcase(job, pattern) for job in expected - variants):
            expected = expected | {*follow}
    return expected


EDITS = [
    # ------------------------------------------------------------------------------------ trainings
    Edit(
        "a constant of the detector's training",
        {"repository/evaluators/detection/training.py": with_more},
        DETECTOR,
    ),
    Edit(
        "a constant of the classifier's training",
        {"repository/evaluators/classification/training.py": with_more},
        ("train_judge cifar100_classification", "score* cifar100_classification/*", "table 8", *TABLE_X),
    ),
    Edit(
        "the training of the three denoisers",
        {"repository/usaid/denoisers/dncnn/training.py": with_more},
        (*(f"{job}{name}" for name in OF_THE_THREE for job in ("train_denoiser ", "score*/")), *WITH_U_SAID),
    ),
    Edit(
        "a default of MLP's recipe, which the experiment sets itself",
        {"repository/usaid/denoisers/mlp/recipe.py": replaced(r"steps: Count = [0-9_]+", "steps: Count = 7")},
    ),
    Edit("the code of recipes", {"repository/usaid/denoisers/dncnn/recipe.py": with_more}),
    Edit(
        "the loop",
        {"repository/usaid/training/loop.py": with_more},
        (
            *("train_denoiser *", "train_judge *", "train_convergence *", "figure_2_files"),
            *(f"score*/{name}" for name in (*OF_THE_THREE, "mlp")),
            *("score* *_segmentation*/*", "score* cifar100_classification/*", "score coco_detection/*", *WITH_U_SAID),
        ),
    ),
    # ------------------------------------------------------------------------------------ scores
    Edit(
        "the denoiser of the three, not their training",
        {"repository/usaid/denoisers/dncnn/denoiser.py": with_more},
        (*(f"score*/{name}" for name in (*OF_THE_THREE, "released")), *WITH_U_SAID),
    ),
    Edit(
        "a baseline",
        {"repository/usaid/denoisers/mc_wnnm/denoiser.py": with_more},
        ("score kodak_quality/mc_wnnm", "keep_images mc_wnnm", "table 4", *ON_KODAK),
    ),
    Edit(
        "a method's citation",
        {"repository/usaid/denoisers/cbm3d/__init__.py": replaced('citation="Dabov', 'citation="K. Dabov')},
        ("table 3", "index"),
    ),
    Edit(
        "a method's title",
        {"repository/usaid/denoisers/cbm3d/__init__.py": replaced('title="CBM3D"', 'title="C-BM3D"')},
        ("score kodak_quality/cbm3d", "keep_images cbm3d", "table 3", "table 4", *ON_KODAK),
    ),
    Edit(
        "a data set's title, which stands in its reader's file",
        {"repository/usaid/datasets/kodak.py": replaced('"Kodak"', '"Kodak PhotoCD"')},
        ("table 4", "table 6", "table 10_print", "figure differences", *TABLE_X),
    ),
    Edit(
        "a reader",
        {"repository/usaid/datasets/kodak.py": with_more},
        ("score* kodak_quality/*", "table 4", "table 6", *TABLE_X, *PICTURES),
    ),
    Edit(
        "NIQE",
        {"repository/evaluators/metrics/niqe.py": with_more},
        ("fit_niqe", "score* *_quality/*", "table [1246]", "statistics_page voc_quality", *TABLE_X, *PICTURES),
    ),
    Edit(
        "a judge",
        {"repository/evaluators/segmentation/judge.py": with_more},
        (
            *("score* *_segmentation*/*", "table 5*", "table 7", "classes", "statistics_page *_segmentation*"),
            *(*TABLE_X, *PICTURES),
        ),
    ),
    Edit("the noise", {"repository/usaid/noise.py": with_more}, ("score*", *WITH_U_SAID)),
    # ------------------------------------------------------------------------------------ data that code reads
    Edit(
        "a network's cfg",
        {"repository/evaluators/detection/darknet/miniature.cfg": with_a_remark},
        DETECTOR,
    ),
    Edit(
        "a list of training images that the suite brings",
        {"repository/usaid/datasets/deepglobe_split/train.txt": replaced("^", "1\n")},
        (
            "train_judge deepglobe_segmentation",
            "score deepglobe_segmentation/*",
            "table 7",
            "classes",
            "statistics_page isic_segmentation",
            "statistics_page deepglobe_segmentation",
            "claims",
            "index",
        ),
    ),
    Edit(
        "a list of ids of the user's",
        {"data/kodak.txt": replaced("$", "kodim02\n")},
        ("score* kodak_quality/*", "table 4", "table 6", *TABLE_X, *PICTURES),
    ),
    Edit("how data are fetched", {"repository/usaid/datasets/fetch.py": with_more}),
    Edit("where data are fetched from", {"repository/usaid/datasets/sources/kodak.yaml": with_a_remark}),
    # ------------------------------------------------------------------------------------ code of the user's
    Edit(
        "a helper of an own denoiser",
        {"own_helper.py": with_more},
        ("score* kodak_quality/own", "keep_images own", "table 3", "table 4", "table 6", *TABLE_X),
    ),
    Edit(
        "a file that an own denoiser's options name",
        {"data/table.json": with_a_remark},
        ("score* kodak_quality/own", "keep_images own", "table 4", "table 6", *TABLE_X),
    ),
    Edit(
        "a checkpoint",
        {"data/released.pth": with_a_remark},
        (
            *("import_weights released", "score* kodak_quality/released", "keep_images released"),
            *("table 4", "table 6", *TABLE_X),
        ),
    ),
    Edit(
        "a title in the experiment",
        {"experiment.yaml": replaced("method: mc_wnnm", "method: mc_wnnm\n    title: Mine")},
        ("score kodak_quality/mc_wnnm", "keep_images mc_wnnm", "table 4", *ON_KODAK),
    ),
    Edit(
        "the number of noise draws",
        {"experiment.yaml": replaced("draws: 3", "draws: 4")},
        ("score_draws *", *TABLE_X),
    ),
    # ------------------------------------------------------------------------------------ tables
    Edit(
        "a printed number",
        {"repository/usaid/paper/published.yaml": with_a_remark},
        ("table *", "statistics_page *", "claims", "index", "figure differences"),
    ),
    Edit(
        "a metric's title",
        {"repository/evaluators/metrics/__init__.py": replaced('"SSIM"', '"Similarity"')},
        (
            "table [1689]",
            "classes",
            *(f"statistics_page {name}" for name in ("*_quality", "cifar100_classification", "coco_detection")),
            *("claims", "index", "figure [345]", "figure differences"),
        ),
    ),
    Edit("a renderer", {"repository/usaid/report/tables/render_tex.py": with_more}, ("table *", "claims", "index")),
    Edit(
        "a score of a whole data set",
        {"repository/usaid/scores/confusion.py": with_more},
        ("table *", "classes", "statistics_page *", "claims", "index", "figure differences", *PICTURES),
    ),
    Edit(
        "statistics",
        {"repository/usaid/report/statistics/pages.py": with_more},
        ("statistics_page *", "claims", "index"),
    ),
    Edit("Figure 2", {"repository/usaid/report/figures/figure_2.py": with_more}, ("figure_2_files",)),
    Edit("a figure", {"repository/usaid/report/figures/figure_sigma.py": with_more}, ("figure sigma",)),
    Edit("the captions of figures in print", {"repository/usaid/paper/figures.yaml": with_a_remark}, ("figure [345]",)),
    Edit("a style of the page", {"repository/usaid/report/page/page.css": with_a_remark}, ("report_page",)),
    Edit(
        "an experiment that stands beside",
        {"experiment.yaml": replaced("keep_images:", "report_beside: [results/other]\nkeep_images:")},
        ("report_page",),
    ),
    # ------------------------------------------------------------------------------------ images
    Edit("the rules that images are chosen by", {"repository/evaluators/keeping/choose.py": with_more}, PICTURES),
    Edit("how images are kept", {"repository/usaid/scores/kept_images.py": with_more}, ("keep_images *",)),
    Edit("what a detector shows", {"repository/evaluators/detection/shown.py": with_more}, OF_DETECTION),
    Edit(
        "the window",
        {"experiment.yaml": replaced("keep_images:", "keep_images:\n  window: 64")},
        ("keep_images *",),
    ),
    Edit("the images of a figure", {"experiment.yaml": replaced("kodim04", "kodim06")}, PICTURES),
    # ------------------------------------------------------------------------------------ nothing
    Edit(
        "a new method in the registry",
        {
            "repository/usaid/denoisers/novel/__init__.py": lambda _: NEW_CARD,
            "repository/usaid/registries.py": replaced(
                r'"usaid\.denoisers\.cbm3d",', '"usaid.denoisers.cbm3d",\n        "usaid.denoisers.novel",'
            ),
        },
    ),
    Edit("how experiments are checked", {"repository/usaid/experiment/model.py": with_more}),
    Edit("a comment", {"repository/usaid/noise.py": with_a_remark}),
]


@contextmanager
def edited(folder: Path, changes: Mapping[str, Change]) -> Iterator[None]:
    before = {folder / name: (folder / name).read_bytes() if (folder / name).exists() else None for name in changes}
    times = {path: path.stat() for path, content in before.items() if content is not None}
    try:
        for (path, content), change in zip(before.items(), changes.values(), strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_text(change((content or b"").decode()), encoding="utf-8")
        yield
    finally:
        for path, content in before.items():
            if content is None:
                shutil.rmtree(path.parent)
            else:
                path.write_bytes(content)
                os.utime(path, ns=(times[path].st_atime_ns, times[path].st_mtime_ns))


def test_without_an_edit_there_is_nothing_to_do(folder):
    assert "Nothing to be done" in run(folder, "--dry-run", "all", repository=folder / "repository")


@pytest.mark.parametrize("edit", EDITS, ids=[edit.what for edit in EDITS])
def test_an_edit_reruns_what_depends_on_it_and_nothing_else(folder, jobs, edit):
    expected = with_what_follows({job for job in jobs if any(fnmatchcase(job, name) for name in edit.reruns)})
    assert [pattern for pattern in edit.reruns if not any(fnmatchcase(job, pattern) for job in jobs)] == []
    with edited(folder, edit.changes):
        assert planned(folder, "all", repository=folder / "repository") == expected
