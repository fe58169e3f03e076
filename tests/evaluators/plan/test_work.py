"""Work of jobs, worked by hand."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from snakemake_runs import REPOSITORY
from torch.utils.flop_counter import FlopCounterMode

from evaluators.dag.dag import Dag
from evaluators.plan.extents import extent_of
from evaluators.plan.jobs import all_jobs
from evaluators.plan.kinds import KINDS
from evaluators.plan.resources import resources_of
from evaluators.plan.work import cells_of, work_of
from usaid.denoisers.dncnn.cost import flop_of
from usaid.denoisers.dncnn.network import DnCNN
from usaid.denoisers.mc_wnnm.cost import DEFAULTS
from usaid.denoisers.mc_wnnm.denoiser import Parameters
from usaid.experiment.reading import checked_experiment, read_experiment
from usaid.registries import BENCHMARKS, METHODS, load_object

CONFIG = REPOSITORY / "config"


def dag(**changes) -> Dag:
    experiment = {
        "experiment": "small",
        "data_root": "data",
        "denoisers": {
            "noisy": {"method": "noisy"},
            "u_said": {"method": "u_said", "train": {"recipe": "paper", "steps": 10}},
            "cbm3d": {"method": "cbm3d"},
        },
        "benchmarks": {"kodak_quality": {"sigmas": [15, 25], "draws": 3, "told_sigmas": ["oracle", 25]}},
    }
    return Dag(checked_experiment(experiment | changes))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flop_of_dncnn_are_those_that_torch_counts():
    with FlopCounterMode(display=False) as counter:
        DnCNN(5, 8).eval()(torch.zeros(1, 3, 16, 16))
    assert counter.get_total_flops() == flop_of(5, 8) * 16 * 16
    assert flop_of(20, 64) == 1_334_016


def test_pixels_times_sigmas_times_draws_times_told():
    assert len(cells_of(dag(), "score", "kodak_quality", "u_said")) == 2 * 3
    assert len(cells_of(dag(), "score", "kodak_quality", "cbm3d")) == 3 * 3  # at 25 the two are told the same
    work = work_of(dag(), "score", {"benchmark": "kodak_quality", "denoiser": "u_said"}).work
    megapixels = 24 * 768 * 512 * 6 / 1e6
    assert work["convolutions"] == pytest.approx(megapixels * 1.334016)
    assert work["niqe"] == pytest.approx(megapixels)
    assert work["row"] == 24 * 6
    assert work["process with torch"] == 1


def test_a_list_of_ids_counts(folder):
    (folder / "ids.txt").write_text("kodim01\nkodim02\n")
    assert extent_of(dag(subsets={"kodak/all": "ids.txt"}), "kodak/all").images == 2
    assert extent_of(dag(subsets={"kodak/all": "elsewhere.txt"}), "kodak/all").images == 24


def test_steps_times_batch_times_patch_times_three_passes_and_the_segmenter():
    work = work_of(dag(), "train_denoiser", {"denoiser": "u_said"}).work
    pixels = 10 * 16 * 48**2
    assert work["training"] == pytest.approx(3 * 1_334_016 * pixels / 1e12)
    assert work["training of a segmenter"] == pytest.approx(2 * (311_000 + 155_000) * pixels / 1e12)
    assert work["step"] == 10


def test_of_images_that_jobs_share_each_is_denoised_once():
    benchmarks = {
        "voc_quality": {"sigmas": [15, 25]},
        "voc_segmentation": {"sigmas": [25], "segmenter": {"network": "fpn", "train": {}}},
    }
    jobs = dag(benchmarks=benchmarks)
    first, second = (work_of(jobs, "score", {"benchmark": name, "denoiser": "u_said"}).work for name in benchmarks)
    assert first["convolutions"] > 0
    assert second["convolutions"] == 0
    assert second["segmenter"] > 0
    in_one_job = dag(benchmarks=benchmarks, score_jobs="data_set")
    (batch,) = in_one_job.batches
    assert work_of(in_one_job, batch, {}).work["convolutions"] == pytest.approx(first["convolutions"])


def test_a_strangers_method_is_counted_as_dncnn_and_named():
    jobs = dag(denoisers={"own": {"method": "net.py:Net"}})
    work = work_of(jobs, "score", {"benchmark": "kodak_quality", "denoiser": "own"})
    assert work.guessed == ("own",)
    assert work.work["convolutions"] > 0


@pytest.mark.parametrize("name", ["smoke", "paper", "released", "released_code", "subset"])
def test_every_job_has_work_of_known_kinds(name):
    jobs = Dag(read_experiment(CONFIG / f"{name}.yaml"))
    for job in all_jobs(jobs):
        work = work_of(jobs, job.rule, job.wildcards)
        assert work.work
        assert {*work.work} <= {*KINDS}, job
        assert all(amount >= 0 for amount in work.work.values()), job


@pytest.mark.parametrize("card", [card for card in (*METHODS.own.values(), *BENCHMARKS.own.values()) if card.cost])
def test_the_costs_that_cards_name_are_functions(card):
    assert len(inspect.signature(load_object(card.cost)).parameters) == (4 if card in METHODS.own.values() else 2)


def test_defaults_of_mc_wnnm_are_those_of_its_parameters():
    known = {field.name: field.default for field in fields(Parameters)}
    assert {name: known[name] for name in DEFAULTS} == DEFAULTS


def test_resources_have_a_margin_and_a_gpu_only_where_one_computes():
    of_score = {"benchmark": "kodak_quality", "denoiser": "u_said"}
    asked = resources_of(dag(), "score", of_score)
    assert (asked.gpus, asked.threads) == (1, 2)
    assert asked.minutes >= 10
    assert resources_of(dag(device="cpu"), "score", of_score).gpus == 0
    assert resources_of(dag(), "table", {"table": "6"}).gpus == 0
    assert resources_of(dag(), "table", {"table": "6"}).minutes == 10
    slow = resources_of(
        dag(denoisers={"u_said": {"method": "u_said", "train": {"recipe": "paper"}}}),
        "train_denoiser",
        {"denoiser": "u_said"},
    )
    assert slow.minutes > 500  # on a GPU
    on_cpu = dag(device="cpu", denoisers={"u_said": {"method": "u_said", "train": {"recipe": "paper"}}})
    assert resources_of(on_cpu, "train_denoiser", {"denoiser": "u_said"}).minutes > 10 * slow.minutes


@pytest.mark.parametrize(("rule", "n"), [("score", 5), ("score", 1000), ("score_draws", 5)])
def test_shards_share_what_a_score_file_takes_and_ask_for_a_gpu_each(rule, n):
    of = {"benchmark": "voc_segmentation", "denoiser": "u_said"}

    def split(number: int) -> Dag:
        settings = {"sigmas": [25], "segmenter": {"network": "fpn", "train": {}}, "shards": number}
        return dag(benchmarks={"voc_segmentation": settings}, draws={"draws": 9})

    whole, sharded = work_of(split(1), rule, of), split(n)
    shards = [work_of(sharded, f"{rule}_shard", of | {"shard": name}) for name in sharded.shards_of(of["benchmark"])]
    for kind in ("convolutions", "segmenter", "row"):
        assert sum(shard.work.get(kind, 0) for shard in shards) == pytest.approx(whole.work[kind])
    assert {shard.work["process with torch"] for shard in shards} == {1}
    assert {shard.memory for shard in shards} == {whole.memory}
    asked = resources_of(sharded, f"{rule}_shard", of | {"shard": f"1-of-{n}"})
    assert (asked.gpus, asked.threads) == (1, 2)
    merge = resources_of(sharded, {"score": "merge_shards", "score_draws": "merge_draws_shards"}[rule], of)
    assert (merge.gpus, merge.minutes) == (0, 10)


def test_of_more_shards_than_images_some_only_read(folder):
    (folder / "ids.txt").write_text("kodim01\nkodim02\n")
    few = dag(benchmarks={"kodak_quality": {"sigmas": [15], "shards": 3}}, subsets={"kodak/all": "ids.txt"})
    of = {"benchmark": "kodak_quality", "denoiser": "u_said"}
    works = [work_of(few, "score_shard", of | {"shard": f"{number}-of-3"}).work for number in (1, 2, 3)]
    assert works[0] == works[1]
    assert (works[0]["row"], works[2].get("row", 0), works[2]["image read"]) == (1, 0, 2)
