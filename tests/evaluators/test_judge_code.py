"""The hash of the code that judges: one for each benchmark's judge and metrics, and nothing of a denoiser."""

from dataclasses import replace
from pathlib import Path

from evaluators.judge_code import code_of_judge, conventions_of_images
from usaid.experiment.reading import read_experiment
from usaid.registries import BENCHMARKS, METRICS

CONFIG = Path(__file__).parents[2] / "config"

SETTINGS = read_experiment(CONFIG / "paper.yaml").benchmarks


def test_benchmarks_of_one_judge_and_metrics_have_one_code():
    codes = {name: code_of_judge(BENCHMARKS[name], settings) for name, settings in SETTINGS.items()}
    assert codes["voc_quality"] == codes["kodak_quality"]
    assert len({*codes.values()}) == len({(card.judge, card.metrics, card.network) for card in BENCHMARKS.own.values()})


def test_sigmas_and_draws_are_no_other_evaluator_and_a_further_metric_is(monkeypatch):
    card, settings = BENCHMARKS["kodak_quality"], SETTINGS["kodak_quality"]
    code = code_of_judge(card, settings)
    assert code_of_judge(card, settings.model_copy(update={"sigmas": (50,), "draws": 3, "notes": ("a note",)})) == code
    further = replace(METRICS["psnr"], name="further")
    monkeypatch.setitem(METRICS.__dict__, "all", {**METRICS, "further": further})
    assert code_of_judge(card, settings.model_copy(update={"metrics": ("further",)})) != code


def test_a_further_convention_of_a_whole_data_set_is_no_other_evaluator(monkeypatch):
    card, settings = BENCHMARKS["voc_segmentation"], SETTINGS["voc_segmentation"]
    again = replace(METRICS["miou"], name="miou_again", printed_as="miou")
    monkeypatch.setitem(METRICS.all, "miou_again", again)
    assert code_of_judge(replace(card, metrics=("miou", "miou_again")), settings) == code_of_judge(card, settings)
    monkeypatch.setitem(METRICS.all, "miou_again", replace(again, conventions=METRICS["psnr"].conventions))
    assert code_of_judge(replace(card, metrics=("miou", "miou_again")), settings) != code_of_judge(card, settings)


def test_what_only_a_whole_data_set_has_is_computed_by_no_judge():
    of_images = conventions_of_images(BENCHMARKS["voc_segmentation"], SETTINGS["voc_segmentation"])
    assert of_images == {"miou": []}
