"""From what the workflow says of a score file to a score job."""

from pathlib import Path

from evaluators.dag.dag import Dag
from evaluators.scoring.score_job import score_job
from usaid.experiment.reading import checked_experiment

EXPERIMENT = {
    "experiment": "small",
    "data_root": "data",
    "denoisers": {"learnt": {"method": "cdncnn_b", "train": {}}},
    "benchmarks": {"voc_segmentation": {"sigmas": [25], "segmenter": {"network": "fpn", "train": {}}}},
    "draws": {"draws": 3, "denoisers": ["learnt"]},
}

RULES = ("score", "score_draws")


def test_a_score_job_has_all_that_its_rule_was_told():
    dag = Dag(checked_experiment(EXPERIMENT))
    job = score_job(dag.experiment, dag.part("score", "voc_segmentation", "learnt"))
    assert (job.benchmark, job.denoiser, job.draws) == ("voc_segmentation", "learnt", None)
    assert job.weights == Path("results/small/weights/learnt.safetensors")
    assert job.judge_file == Path("results/small/weights/voc_segmentation.safetensors")
    assert job.output == Path("results/small/scores/voc_segmentation/learnt.parquet")
    assert job.code_hash == dag.score("voc_segmentation", "learnt").code
    further = score_job(dag.experiment, dag.part("score_draws", "voc_segmentation", "learnt"))
    assert further.draws == range(1, 3)
    assert further.output == Path("results/small/scores/voc_segmentation/draws/learnt.parquet")
    assert (job.subset, further.subset) == (None, None)


def test_further_draws_are_of_their_own_list_of_images():
    dag = Dag(checked_experiment(EXPERIMENT | {"draws": {"draws": 3, "subsets": {"voc_segmentation": "few.txt"}}}))
    jobs = {rule: score_job(dag.experiment, dag.part(rule, "voc_segmentation", "learnt")) for rule in RULES}
    assert {rule: job.subset for rule, job in jobs.items()} == {"score": None, "score_draws": "few.txt"}
    assert dag.score("voc_segmentation", "learnt").settings["subset"] is None
    assert dag.score_draws("voc_segmentation", "learnt").settings["subset"] == "few.txt"
