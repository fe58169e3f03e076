"""What an experiment may ask to be seen: keys, defaults, and one line for what is wrong."""

from typing import Any

import pytest

from usaid.errors import UsaidError
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import checked_experiment


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


def test_what_is_seen_changes_no_score():
    assert experiment(keep_images={}).sha256 == experiment(figures={}).sha256 == experiment().sha256


ZOOMED = {"image": "kodim10", "zoom": [0, 0, 9, 9]}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"keep_images": {"benchmarks": ["nope"]}}, 'keep_images.benchmarks.0 = "nope": must be one of voc_quality'),
        (
            {"figures": {"figure_4": ZOOMED, "denoisers": ["cbm3d", "mine"]}},
            'figures.denoisers.1 = "mine": must be one of noisy, clean, cbm3d',
        ),
        ({"keep_images": {"benchmarks": ["kodak_quality"] * 2}}, "must be without repeated values"),
        ({"keep_images": {"rules": ["best"]}}, 'keep_images.rules.0 = "best": must be one of first, median, worst'),
        ({"keep_images": {"rules": ["first", "first"]}}, "must be without repeated values"),
        ({"keep_images": {"rules": []}}, "keep_images.rules = []: must be a list of at least 1"),
        (
            {"keep_images": {"difference": ["noisy", "absent"]}},
            'keep_images.difference.1 = "absent": must be one of noisy, clean, cbm3d',
        ),
        ({"keep_images": {"difference": ["noisy", "noisy"]}}, "must be without repeated values"),
        ({"keep_images": {"window": 15}}, "keep_images.window = 15: must be >= 16"),
        ({"figures": {"figure_5": {"images": {"0": "a"}}}}, "figures.figure_5.images: sigma 0: must be > 0 and <= 255"),
        ({"figures": {"figure_5": {"images": {"25": "a", "25.0": "b"}}}}, "must be without repeated sigmas"),
        ({"figures": {"figure_5": {"images": {}}}}, "figures.figure_5.images = {}: must be not empty"),
        ({"figures": {"figure_4": ZOOMED | {"sigma": 0}}}, "figures.figure_4.sigma = 0: must be > 0"),
        ({"figures": {"figure_4": ZOOMED | {"zoom": [0, 0, 9]}}}, "must be a list of at least 4"),
        ({"figures": {"figure_6": {}}}, "unknown key 'figures.figure_6' (nearest: "),
        (
            {"keep_images": {}, "denoisers": {"clean": {"method": "noisy"}}},
            "denoisers.clean: has the name of the images without noise, which are kept, too; rename it",
        ),
    ],
)
def test_refused_in_one_line(keys, message):
    with pytest.raises(UsaidError) as raised:
        experiment(**keys)
    assert message in str(raised.value)


def test_the_papers_difference_is_no_error_where_the_experiment_lacks_them():
    experiment(keep_images={"difference": ["u_said", "cdncnn_b"]})


def test_ones_own_denoiser_stands_in_the_papers_figures():
    figures = experiment(figures={"figure_4": ZOOMED, "denoisers": ["cbm3d"]}).figures
    assert figures is not None
    assert figures.of("4") == {**ZOOMED, "sigma": 25.0, "denoisers": ["cbm3d"]}
    assert figures.of("5") == {}
