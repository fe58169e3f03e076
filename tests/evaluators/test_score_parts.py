"""From what the workflow says of score files to score jobs, and which others one of them can take along."""

from pathlib import Path

import pytest

from evaluators.dag.dag import Dag
from evaluators.score_parts import companions_of, score_job
from usaid.experiment.reading import checked_experiment
from usaid.failures import Failure, Ledger, write_marker

EXPERIMENT = {
    "experiment": "small",
    "data_root": "data",
    "denoisers": {"learnt": {"method": "cdncnn_b", "train": {}}},
    "benchmarks": {
        "voc_quality": {"sigmas": [15, 25]},
        "voc_segmentation": {"sigmas": [25], "segmenter": {"network": "fpn", "train": {}}},
    },
    "draws": {"draws": 3, "denoisers": ["learnt"]},
}

NEEDED = ("data/voc2012.json", "weights/learnt.safetensors", "weights/voc_segmentation.safetensors")
"""Of VOC's segmentation, below the results."""


@pytest.fixture
def dag(tmp_path, monkeypatch) -> Dag:
    """Of an experiment all of whose trainings have been done."""
    monkeypatch.chdir(tmp_path)
    for name in NEEDED:
        path = Path("results/small", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"there")
    return Dag(checked_experiment(EXPERIMENT))


def companions(dag: Dag) -> list[list[str]]:
    told = dag.part("score", "voc_quality", "learnt")
    return [part["wildcards"] for part in companions_of(dag.experiment, told)]


def test_a_score_job_has_all_that_its_rule_was_told(dag):
    job = score_job(dag.experiment, dag.part("score", "voc_segmentation", "learnt"))
    assert (job.benchmark, job.denoiser, job.draws) == ("voc_segmentation", "learnt", None)
    assert job.weights == Path("results/small/weights/learnt.safetensors")
    assert job.judge_file == Path("results/small/weights/voc_segmentation.safetensors")
    assert job.output == Path("results/small/scores/voc_segmentation/learnt.parquet")
    assert job.code_hash == dag.score("voc_segmentation", "learnt").code
    further = score_job(dag.experiment, dag.part("score_draws", "voc_segmentation", "learnt"))
    assert further.draws == range(1, 3)
    assert further.output == Path("results/small/scores/voc_segmentation/draws/learnt.parquet")


def test_a_benchmark_of_the_same_images_whose_judge_is_there_comes_along(dag):
    assert companions(dag) == [["voc_segmentation", "learnt"]]


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("how", ["missing", "failed"])
def test_one_that_would_fail_or_has_to_wait_does_not(dag, name, how):
    path = Path("results/small", name)
    if how == "missing":
        path.unlink()
    else:
        write_marker(path, Failure("train_judge voc_segmentation", "diverged"))
    assert companions(dag) == []


@pytest.mark.parametrize(
    ("state", "comes"), [("running", False), ("failed", False), ("shared", False), ("stopped", True), ("made", True)]
)
def test_one_that_may_have_killed_its_process_does_not(dag, state, comes):
    ledger = Ledger.at(dag.results, "score", ["voc_segmentation", "learnt"])
    with ledger.held():
        ledger.note(state)
    assert companions(dag) == ([["voc_segmentation", "learnt"]] if comes else [])
