"""Of what an experiment keeps images: benchmarks, figures, and where each denoiser's are kept."""

from typing import Any

from evaluators.keeping.asked import benchmarks_kept, entry_of, images_of_figures, keeps_at, window_side
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import checked_experiment
from usaid.experiment.sight import ImageOfFigure, KeepImages


def experiment(**keys: Any) -> Experiment:
    base = {
        "experiment": "small",
        "data_root": "data",
        "denoisers": {
            "noisy": {"method": "noisy"},
            "clean": {"method": "clean", "benchmarks": ["voc_quality"]},
            "cbm3d": {"method": "cbm3d", "benchmarks": ["kodak_quality"], "sigmas": [25]},
        },
        "benchmarks": {"kodak_quality": {"sigmas": [15, 25]}, "voc_quality": {"sigmas": [25]}},
    }
    return checked_experiment(base | keys)


def test_nothing_is_kept_unless_asked_for():
    asked = experiment()
    assert benchmarks_kept(asked) == [] == images_of_figures(asked)


def test_all_benchmarks_by_all_rules_are_the_default():
    asked = experiment(keep_images={})
    assert asked.keep_images is not None
    assert benchmarks_kept(asked) == ["kodak_quality", "voc_quality"]
    assert asked.keep_images.rules == ("first", "median", "worst")
    assert asked.keep_images.difference == ("u_said", "cdncnn_b")
    assert window_side(asked) == 128
    assert window_side(experiment(keep_images={"window": None})) is None


def test_the_images_of_figures_by_sigma_with_the_middle_of_the_zoom():
    figures = {
        "figure_4": {"image": "kodim10", "sigma": 30, "zoom": [10, 20, 40, 60]},
        "figure_5": {"images": {"25": "kodim24", "15": "kodim15"}},
    }
    assert images_of_figures(experiment(figures=figures)) == [
        ImageOfFigure("figure_4", "kodak_quality", "kodim10", 30, (30, 50)),
        ImageOfFigure("figure_5", "kodak_quality", "kodim15", 15),
        ImageOfFigure("figure_5", "kodak_quality", "kodim24", 25),
    ]


def test_a_denoiser_is_seen_where_it_may_be_scored_and_the_clean_images_everywhere():
    asked = experiment()
    assert keeps_at(asked, "cbm3d", "kodak_quality", 25)
    assert not keeps_at(asked, "cbm3d", "kodak_quality", 15)
    assert not keeps_at(asked, "cbm3d", "voc_quality", 25)
    assert keeps_at(asked, "noisy", "kodak_quality", 50)
    assert keeps_at(asked, "clean", "kodak_quality", 15)


def test_the_clean_images_have_an_entry_without_being_asked_for():
    assert entry_of(experiment(), "clean").benchmarks == ("voc_quality",)
    assert entry_of(experiment(denoisers={"noisy": {"method": "noisy"}}), "clean").method == "clean"
    assert entry_of(experiment(), "noisy").method == "noisy"


def test_windows_without_rules_are_those_of_the_default():
    assert window_side(experiment()) == KeepImages().window
