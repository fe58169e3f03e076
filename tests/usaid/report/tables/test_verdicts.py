"""Each printed number has a verdict: whether it holds, does not, cannot be compared, or is not tested, and why."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from usaid.cards import Facts
from usaid.registries import METHODS, METRICS, load_object
from usaid.report.tables.build import build_table
from usaid.report.tables.categories import build_facts_table
from usaid.report.tables.cells import Cell, Place, Table
from usaid.report.tables.render_csv import COLUMNS, render_csv
from usaid.report.tables.verdicts import (
    changed_keys,
    equal,
    inside_interval,
    same_finding,
    same_side,
    tolerance_of,
    with_verdict,
    within,
)
from usaid.scores.files import Scores

PLACE = Place("25", "u_said", "psnr")


def cell(ours: float | None, paper: float | None, low: float | None = None, high: float | None = None) -> Cell:
    return Cell(PLACE, ours, paper, low=low, high=high, note="no GPU")


# The rules, worked by hand


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (cell(32.21, 32.17), ("holds", "off by 0.04, tolerance 0.05")),
        (cell(32.22, 32.17), ("holds", "off by 0.05, tolerance 0.05")),  # 0.04999999999999716 in binary
        (cell(32.12, 32.17), ("holds", "off by 0.05, tolerance 0.05")),  # 0.05000000000000426
        (
            cell(32.2201, 32.17, 32.2, 32.3),
            ("does not hold", "off by 0.05, tolerance 0.05, and not inside our 95 % in"),
        ),
        (
            cell(32.61, 32.5, 31.9, 33.3),
            ("holds", "off by 0.11, tolerance 0.05, but inside our 95 % interval over noise draws"),
        ),
        (
            cell(32.61, 32.5, 32.5, 33.3),
            ("holds", "off by 0.11, tolerance 0.05, but inside our 95 % interval over noise draws"),
        ),
        (cell(32.61, 32.5, 32.51, 33.3), ("does not hold", "off by 0.11, tolerance 0.05, and not inside our 95 % in")),
        (cell(32.61, 32.5), ("does not hold", "off by 0.11, tolerance 0.05")),
        (cell(math.inf, 32.5), ("does not hold", "off by inf, tolerance 0.05")),
    ],
)
def test_a_score_holds_within_the_tolerance_or_inside_the_interval_over_draws(
    given: Cell, verdict: tuple[str, str]
) -> None:
    word, why = within(0.05, (given.low, given.high))(given)
    assert word == verdict[0]
    assert why.startswith(verdict[1])


def test_ours_counts_unrounded() -> None:
    assert within(0.05)(cell(32.2249, 32.17)).word == "does not hold", "though it is printed 32.22"
    assert within(0.05)(cell(32.2199, 32.17)).word == "holds"


def test_without_a_tolerance_the_interval_alone_can_tell() -> None:
    assert within(None)(cell(1.0, 1.0)) == ("does not hold", "off by 0")
    assert within(None, (0.9, 1.2))(cell(1.0, 1.2)) == (
        "holds",
        "off by 0.2, but inside our 95 % interval over noise draws",
    )


def test_a_variance_holds_inside_the_interval() -> None:
    assert inside_interval(cell(2e-6, 3e-6, 0.9e-6, 6.6e-6)).word == "holds"
    assert inside_interval(cell(2e-6, 7e-6, 0.9e-6, 6.6e-6)).word == "does not hold"
    assert inside_interval(cell(2e-6, 4e-6, 0.9e-6, 6.6e-6)).why.startswith("ours is 0.5 times the printed one")


@pytest.mark.parametrize(
    ("ours", "paper", "word"),
    [
        (1e-9, 1e-3, "holds"),
        (0.9, 0.0744, "holds"),
        (0.049, 0.0744, "does not hold"),
        (0.05, 0.0499, "does not hold"),
        (0.05, 0.05, "holds"),
    ],
)
def test_p_values_hold_on_the_same_side_of_a_twentieth(ours: float, paper: float, word: str) -> None:
    assert same_side(cell(ours, paper)).word == word


def test_a_check_mark_holds_if_it_is_the_same() -> None:
    assert [equal(cell(ours, 1.0)).word for ours in (1.0, 0.0)] == ["holds", "does not hold"]


def test_what_is_not_there_is_not_tested_and_what_is_other_is_not_comparable() -> None:
    rule = within(0.05)
    assert with_verdict(cell(1.0, None), ["subset"], rule) == cell(1.0, None), "the paper prints nothing"
    missing, other, same = (
        with_verdict(cell(None, 1.0), ["subset"], rule),
        with_verdict(cell(1.0, 1.0), ["4 of 24 images", "toy data", "toy data"], rule),
        with_verdict(cell(1.0, 1.0), [], rule),
    )
    assert (missing.verdict, missing.why) == ("not tested", "no GPU")
    assert (other.verdict, other.why) == ("not comparable", "4 of 24 images; toy data")
    assert same.verdict == "holds"


# Tolerances


def test_tolerances_are_those_of_the_cards_and_in_the_unit_of_print() -> None:
    expected = {"psnr": 0.05, "ssim": 0.001, "niqe": 0.05, "miou": 0.005, "map": 0.005, "ap": 0.005, "top1": 0.5}
    assert {name: tolerance_of(name) for name in expected} == expected
    assert tolerance_of("miou_mean") == pytest.approx(0.5), "Table X prints it in percent"
    assert (tolerance_of("niqe_mean"), tolerance_of("top5_mean")) == (0.05, 0.5)
    assert {tolerance_of(name) for name in ("miou_variance", "niqe_p_value", "deep_learning", "no_mean")} == {None}


def test_a_metric_of_a_stranger_has_no_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS.all, "sharp", replace(METRICS["psnr"], name="sharp", tolerance=None))
    assert tolerance_of("sharp") is None


def test_numbers_of_a_network_are_those_that_a_judging_network_makes() -> None:
    by_network = {name for name, card in METRICS.own.items() if card.by_network and card.printed_as is None}
    assert by_network == {"top1", "top5", "miou", "map", "ap"}


# From score files


def scores(
    benchmark: str, columns: Mapping[str, Sequence[Any]], n_official: int, name: str = "u_said", **provenance: Any
) -> Scores:
    """Scores at sigma 25; a keyword replaces that key of the provenance."""
    n = len(next(iter(columns.values())))
    rows = pd.DataFrame({"image_id": [f"i{index}" for index in range(n)], "sigma": 25.0, "draw": 0, **columns})
    dataset = {"name": "d", "split": "all", "n": n, "n_official": n_official, "subset": None}
    own = {"benchmark": benchmark, "title": "T", "dataset": dataset, "deviations": [], "failure": None}
    return Scores(rows, own | {"weights_sha256": None, "entry": {"method": name}} | provenance)


def cells_of(table: Table) -> dict[tuple[str, str], tuple[str, str]]:
    """Denoiser and metric at sigma 25 -> verdict and reason."""
    groups = ("25", "isic2018")
    return {c.place[1:]: (c.verdict, c.why) for c in table.cells if c.place.group in groups and c.verdict}


def kodak(n_official: int = 4, **options: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """Table VI of four images: PSNR 32.17 +- 0.1 dB as in print, SSIM 0.87 +- 0.0001, where 0.8790 is printed."""
    columns = {
        "psnr_rgb_float": [32.07, 32.27, 32.17, 32.17],
        "ssim_skimage7": [0.8699, 0.8701, 0.87, 0.87],
        "niqe_live": [2.6, 2.7, 2.6, 2.7],
    }
    return cells_of(build_table(6, {"u_said": scores("kodak_quality", columns, n_official, **options)}))


def test_all_four_verdicts_in_one_table() -> None:
    found = kodak()
    assert found["u_said", "psnr"][0] == "holds"
    assert found["u_said", "ssim"] == (
        "does not hold",
        "off by 0.009, tolerance 0.001",
    )
    assert found["u_said", "niqe"] == ("not comparable", "niqe_live in place of niqe_matlab")
    assert found["s_said", "psnr"] == ("not tested", "not in this experiment")


@pytest.mark.parametrize(("of_draws", "word"), [((32.1, 32.4), "holds"), ((32.29, 32.31), "does not hold")])
def test_images_of_the_paper_leave_nothing_to_chance_but_the_draw(of_draws: tuple[float, float], word: str) -> None:
    """Both means over draws are off by more than the tolerance, and both intervals over images hold the printed one."""
    rows = scores("kodak_quality", {"psnr_rgb_float": [31.2, 33.2, 31.2, 33.2]}, 4)
    by_draw = [
        rows.rows.assign(draw=draw, psnr_rgb_float=rows.rows["psnr_rgb_float"] - 32.2 + mean)
        for draw, mean in enumerate(of_draws)
    ]
    table = build_table(6, {"u_said": Scores(pd.concat(by_draw, ignore_index=True), rows.provenance)})
    (cell,) = (c for c in table.cells if c.place == PLACE)
    assert cell.low is not None
    assert cell.high is not None
    assert cell.low < 32.17 < cell.high
    assert cell.verdict == word


def test_a_failed_evaluator_is_the_reason() -> None:
    found = kodak(failure="no\nGPU.")
    assert found["u_said", "psnr"] == ("not tested", "not scored: no GPU")


def test_fewer_images_than_the_paper_had() -> None:
    assert kodak(24)["u_said", "psnr"] == ("not comparable", "4 of 24 images")
    assert kodak(24)["u_said", "niqe"] == ("not comparable", "4 of 24 images; niqe_live in place of niqe_matlab")


@pytest.mark.parametrize(("n", "word"), [(99, "holds"), (98, "not comparable"), (100, "holds")])
def test_a_sample_that_lacks_one_image_in_a_hundred_is_the_papers(n: int, word: str) -> None:
    columns = {"psnr_rgb_float": [32.17 + (-1) ** index / 100 for index in range(n)]}
    table = build_table(6, {"u_said": scores("kodak_quality", columns, 100)})
    assert cells_of(table)["u_said", "psnr"][0] == word


def test_images_for_which_the_metric_is_undefined_are_not_of_the_sample() -> None:
    columns = {"psnr_rgb_float": [32.17, 32.18, math.nan, 32.16]}
    table = build_table(6, {"u_said": scores("kodak_quality", columns, 4)})
    assert cells_of(table)["u_said", "psnr"] == ("not comparable", "3 of 4 images")


def test_deviations_of_data_notes_and_denoiser() -> None:
    texts = ["images generated by code (miniature), not the paper's data set", "CBM3D\nwith other variances."]
    assert kodak(deviations=texts)["u_said", "psnr"] == (
        "not comparable",
        "images generated by code (miniature), not the paper's data set; CBM3D with other variances",
    )


def test_a_deviation_about_one_metric_leaves_the_others_alone() -> None:
    found = kodak(
        deviations=["NIQE with the parameters of the LIVE release (niqe_live); read lower", "of psnr_rgb_float"]
    )
    assert found["u_said", "ssim"][0] == "does not hold"
    assert found["u_said", "psnr"] == ("not comparable", "of psnr_rgb_float")
    assert found["u_said", "niqe"] == ("not comparable", "niqe_live in place of niqe_matlab")


def test_the_papers_convention_compares() -> None:
    columns = {"niqe_matlab": [2.6355 + part for part in (0.001, -0.001, 0.002, -0.002)]}
    found = cells_of(build_table(6, {"u_said": scores("kodak_quality", columns, 4)}))
    assert found["u_said", "niqe"] == ("holds", "off by 0, tolerance 0.05")


@pytest.mark.parametrize(
    "text", ["classifier: ResNet-56 stands in for the paper's ResNet-110", "classifier trained on 3"]
)
def test_another_network_concerns_what_it_makes_alone(text: str) -> None:
    columns = {"psnr_rgb_float": [28.97, 28.99], "ssim_skimage7": [0.92, 0.9238], "top1": [1, 0], "top5": [1, 1]}
    table = build_table(8, {"u_said": scores("cifar100_classification", columns, 2, deviations=[text])})
    found = cells_of(table)
    assert [found["u_said", metric][0] for metric in ("psnr", "ssim")] == ["holds", "holds"]
    assert [found["u_said", metric] for metric in ("top1", "top5")] == [("not comparable", text)] * 2


@pytest.mark.parametrize("text", ["segmenter trained on 311 of the 1,464 images", "detector: yolo stands in"])
def test_another_segmenter_makes_other_scores_of_the_data_set(text: str) -> None:
    judge = {"class_names": ["background", "lesion"], "left_out": []}
    columns = {"confusion": [[8, 2, 5, 5], [4, 6, 5, 5]]}
    isic = {"u_said": scores("isic_segmentation", columns, 2, deviations=[text], judge=judge)}
    assert cells_of(build_table(7, isic, {}))["u_said", "miou"] == ("not comparable", text)


def test_noisy_images_are_clamped_here_and_not_in_print() -> None:
    columns = {"psnr_rgb_float": [20.17, 20.18], "ssim_skimage7": [0.6556, 0.6557], "top1": [0.12, 0.12]}
    noisy, u_said = (scores("cifar100_classification", columns, 2, name=name) for name in ("noisy", "u_said"))
    found = cells_of(build_table(8, {"noisy": noisy, "u_said": u_said}))
    clamped = ("not comparable", "the noisy images are clamped; the paper's are not")
    assert [found["noisy", metric] for metric in ("psnr", "ssim")] == [clamped] * 2
    assert found["noisy", "top1"][0] == "holds", "11.99 is printed, and 12 is ours"
    assert found["u_said", "psnr"][0] == "does not hold"


# How a denoiser was trained


def paper_recipe(method: str = "u_said", **changes: Any) -> dict[str, Any]:
    """All keys of the paper's recipe, some of them changed, as score files record them."""
    recipe: dict[str, Any] = load_object(str(METHODS[method].recipe))(**changes).model_dump(mode="json")
    return recipe


def test_the_papers_recipe_and_the_released_codes_compare_with_print() -> None:
    for method in ("cdncnn_b", "s_said", "u_said"):
        assert changed_keys(method, paper_recipe()) == []
        assert changed_keys(method, paper_recipe(recipe="released_code")) == []
    assert changed_keys("u_said", {}) == [], "it was not trained here"


def test_what_matters_in_a_training_is_named_with_what_the_recipe_has() -> None:
    train = paper_recipe(batch=8, steps=150, depth=5, encoder="efficientnet_lite0", seed=3, channels_last=False)
    changed = ["encoder efficientnet_lite0 (resnet101)", "depth 5 (20)", "batch 8 (16)", "steps 150 (none)"]
    assert sorted(changed_keys("u_said", train)) == sorted(changed)
    assert sorted(changed_keys("cdncnn_b", train)) == sorted(changed[1:]), "it has no segmenter"


def test_keys_of_a_users_own_recipe_are_compared_with_the_papers() -> None:
    assert changed_keys("u_said", {**paper_recipe(recipe="released_code"), "recipe": "mine.yaml"}) != []
    assert changed_keys("u_said", {**paper_recipe(batch=8), "recipe": "mine.yaml"}) == ["batch 8 (16)"]


def test_keys_that_a_file_of_another_version_lacks_or_has_beside_ours_do_not_count() -> None:
    train = {key: value for key, value in paper_recipe(batch=8).items() if key != "depth"} | {"of_old": 1}
    assert changed_keys("u_said", train) == ["batch 8 (16)"]


def test_methods_without_such_recipes_have_nothing_to_differ_in() -> None:
    assert changed_keys("mlp", {"steps": 1}) == changed_keys("cbm3d", {"steps": 1}) == []
    assert changed_keys("mine:Denoiser", {"steps": 1}) == []


def test_a_short_training_is_not_comparable() -> None:
    entry = {"method": "u_said", "train": paper_recipe(steps=1000)}
    assert kodak(entry=entry)["u_said", "psnr"] == ("not comparable", "trained with steps 1000 (none)")
    seeded = {"method": "u_said", "train": paper_recipe(seed=7)}
    assert kodak(entry=seeded)["u_said", "psnr"][0] == "holds"


def test_a_column_of_the_paper_with_another_method_is_not_comparable() -> None:
    found = kodak(entry={"method": "mine:A\nB"})["u_said", "psnr"]
    assert found == ("not comparable", "method mine:A B")


def test_the_number_of_classes_is_what_table_2_is_about() -> None:
    entry = {"method": "u_said", "train": paper_recipe(classes=10)}
    columns = {"psnr_rgb_float": [31.0, 31.01], "niqe_matlab": [3.98, 3.99]}
    table = build_table(2, {"mine": scores("voc_quality", columns, 2, entry=entry)})
    assert cells_of(table)["u_said_k10", "psnr"][0] == "holds"
    short = {"method": "u_said", "train": paper_recipe(classes=10, steps=5)}
    table = build_table(2, {"mine": scores("voc_quality", columns, 2, entry=short)})
    assert cells_of(table)["u_said_k10", "psnr"] == ("not comparable", "trained with steps 5 (none)")
    ours = kodak(entry={"method": "u_said", "train": paper_recipe(classes=10)})
    assert ours["u_said", "psnr"] == ("not comparable", "trained with classes 10 (21)")


# Table III


def test_check_marks_hold_if_they_are_the_same() -> None:
    facts = Facts("U", True, True, True, True, "MIT", "none")
    table = build_facts_table({"u_said": facts, "mine": facts})
    found = {c.place[1:]: (c.verdict, c.why) for c in table.cells}
    assert found["u_said", "deep_learning"] == ("holds", "the same")
    assert found["u_said", "segmentation_annotation"] == ("does not hold", "not the same")
    assert found["mlp", "deep_learning"] == ("not tested", "not in this experiment")
    assert found["mine", "deep_learning"] == ("", "")


# The CSV file


def test_csv_has_interval_verdict_and_reason() -> None:
    columns = {"psnr_rgb_float": [32.07, 32.27], "ssim_skimage7": [0.8699, 0.8701]}
    hostile = 'a "quoted", comma;\n=1+1'
    table = build_table(
        6,
        {
            "u_said": scores("kodak_quality", columns, 2, deviations=[hostile]),
            "cdncnn_b": scores("kodak_quality", columns, 2, name="cdncnn_b"),
            "clean": scores("kodak_quality", {"psnr_rgb_float": [math.inf] * 2}, 2, name="clean"),
        },
    )
    rows = [*csv.DictReader(io.StringIO(render_csv(table)))]
    assert tuple(rows[0]) == COLUMNS
    assert ",".join(COLUMNS) == "table,group,denoiser,metric,ours,low,high,paper,delta,n,verdict,reason,note"
    by_place = {(row["group"], row["denoiser"], row["metric"]): row for row in rows}
    row = by_place["25", "cdncnn_b", "psnr"]
    # t of one degree of freedom at 97.5 % is 12.706; the standard error of 32.07 and 32.27 is 0.1
    assert (row["ours"], row["low"], row["high"]) == ("32.17", "30.90", "33.44")
    assert (row["verdict"], row["reason"]) == ("does not hold", "off by 0.1, tolerance 0.05")
    assert by_place["25", "u_said", "psnr"]["reason"] == 'a "quoted", comma; =1+1'
    clean = by_place["25", "clean", "psnr"]
    assert (clean["ours"], clean["low"], clean["high"], clean["verdict"]) == ("inf", "", "", "")
    assert "nan" not in render_csv(table)


def test_every_cell_of_a_mean_over_images_has_an_interval_also_those_that_do_not_compete() -> None:
    columns = {"psnr_rgb_float": [32.07, 32.27, 32.0]}
    names = ("noisy", "u_said", "mine", "clean")
    table = build_table(6, {name: scores("kodak_quality", columns, 24, name=name) for name in names})
    intervals = {c.place.denoiser: (c.low, c.high) for c in table.cells if c.ours is not None}
    assert set(intervals) == set(names)
    assert len(set(intervals.values())) == 1
    low, high = intervals["u_said"]
    assert low is not None
    assert high is not None
    assert low < 32.11 < high


def test_a_score_of_the_data_set_has_an_interval_that_bootstraps_its_images() -> None:
    judge = {"class_names": ["background", "lesion"], "left_out": []}
    columns = {"confusion": [[8, 2, 5, 5], [10, 0, 0, 10], [9, 1, 4, 6], [6, 4, 2, 8]]}
    table = build_table(7, {"u_said": scores("isic_segmentation", columns, 100, judge=judge)}, {})
    (found,) = (c for c in table.cells if c.ours is not None and c.place.metric == "miou")
    assert found.ours is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < found.ours - 0.05 < found.ours + 0.05 < found.high < 1


@pytest.mark.parametrize(
    ("signs", "p_values", "verdict"),
    [
        ((-1.5, -0.2), (7e-31, 2e-9), ("holds", "ours below, printed below 0.05")),
        ((1.5, -0.2), (7e-31, 2e-9), ("does not hold", "the difference is the other way round")),
        ((1.5, -0.2), (0.3, 0.4), ("holds", "ours not below, printed not below 0.05")),
        ((1.5, -0.2), (0.01, 0.4), ("does not hold", "ours below, printed not below 0.05")),
        ((1.5, math.nan), (0.01, 0.02), ("holds", "ours below, printed below 0.05")),
        ((1.5, 0.0), (0.01, 0.02), ("holds", "ours below, printed below 0.05")),
    ],
)
def test_two_differences_that_are_found_are_to_be_of_one_sign(signs, p_values, verdict) -> None:
    assert same_finding(*signs)(cell(*p_values)) == verdict


def test_a_row_of_the_papers_that_is_of_another_method_is_not_comparable() -> None:
    facts = Facts("U", True, True, True, True, "MIT", "none")
    table = build_facts_table({"u_said": facts, "mine": facts}, {"u_said": "own_den:\nGood", "mine": "own_den:Mine"})
    found = {(one.place.denoiser, one.verdict, one.why) for one in table.cells if one.ours is not None}
    assert found == {("u_said", "not comparable", "method own_den: Good"), ("mine", "", "")}
