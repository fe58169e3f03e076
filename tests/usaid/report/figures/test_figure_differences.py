"""Tests of usaid.report.figures.differences and figure_differences: the numbers, what is drawn, and odd input."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from score_files import made_scores

from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.report.figures.differences import MOST_OTHERS, read_differences, render_differences
from usaid.report.figures.drawing import COLOURS, MARKERS, PAGE, drawing
from usaid.report.figures.figure_differences import draw_figure_differences, write_figure_differences
from usaid.scores.files import write_scores

ROOT = Path(__file__).parents[4]
RELEASED = ROOT / "results/reference/released"

PSNR, NIQE = "psnr_rgb_float", "niqe_live"


def written(folder: Path, denoiser: str, psnr: Sequence[float], **changed: object) -> Path:
    """A score file of a denoiser on Kodak at sigma 25."""
    path = folder / "kodak_quality" / f"{denoiser}.parquet"
    columns = {PSNR: [list(psnr)], NIQE: [[value / 8 for value in psnr]]} | changed.pop("columns", {})
    write_scores(path, made_scores(denoiser, columns, **changed))
    return path


U_SAID = [30.0, 31.0, 32.0, 33.0, 34.5, 36.0]
CDNCNN_B = [30.5, 31.25, 32.0, 33.75, 34.0, 37.0]
S_SAID = [29.5, 30.75, 31.0, 32.9, 34.0, 34.8]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    own = {"u_said": U_SAID, "cdncnn_b": CDNCNN_B, "s_said": S_SAID}
    return [written(tmp_path, name, values) for name, values in own.items()]


def lines_of(text: str) -> dict[tuple[str, str], dict[str, str]]:
    return {(line["metric"], line["other"]): line for line in csv.DictReader(text.splitlines())}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def test_mean_interval_and_print_are_those_of_the_paired_images(files):
    found = read_differences(files)
    psnr, niqe = found.panels
    assert [panel.metric.name for panel in found.panels] == ["psnr", "niqe"]
    assert (psnr.of, psnr.sigma) == ("u_said", 25)
    assert [own.other for own in psnr.differences] == ["cdncnn_b", "s_said"]
    differences = np.subtract(U_SAID, CDNCNN_B)
    half = 2.570582 * differences.std(ddof=1) / np.sqrt(6)  # Student's t with 5 degrees of freedom
    own = psnr.differences[0]
    assert own.of_images == pytest.approx(differences)
    ends = (own.estimate.value, own.estimate.low, own.estimate.high)
    assert ends == pytest.approx((differences.mean(), differences.mean() - half, differences.mean() + half), abs=1e-6)
    assert own.printed == pytest.approx(32.17 - 32.27)
    assert niqe.differences[1].printed == pytest.approx(2.6355 - 2.6006)


def test_csv_says_what_is_drawn(files, tmp_path):
    write_figure_differences(files, tmp_path / "figures")
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".csv", ".png", ".pdf"}
    lines = lines_of((tmp_path / "figures/figure_differences.csv").read_text(encoding="utf-8"))
    line = lines["psnr", "s_said"]
    differences = np.subtract(U_SAID, S_SAID)
    assert {k: line[k] for k in ("benchmark", "sigma", "unit", "better", "denoiser", "images")} == {
        **{"benchmark": "kodak_quality", "sigma": "25", "unit": "dB", "better": "higher"},
        **{"denoiser": "u_said", "images": "6"},
    }
    assert float(line["value"]) == pytest.approx(differences.mean(), rel=1e-5)
    assert float(line["quantile_0.5"]) == pytest.approx(np.median(differences))
    assert float(line["quantile_0.95"]) == pytest.approx(np.quantile(differences, 0.95))
    assert float(line["printed"]) == pytest.approx(0.1)
    assert lines["niqe", "s_said"]["better"] == "lower"


def test_marks_stand_at_the_numbers_in_the_denoisers_looks(files):
    found = read_differences(files)
    with drawing():
        figure = draw_figure_differences(found)
    psnr, niqe = figure.axes
    for line, (other, values) in enumerate({"cdncnn_b": CDNCNN_B, "s_said": S_SAID}.items()):
        differences = np.subtract(U_SAID, values)
        at = {own.get_marker(): own for own in psnr.lines if own.get_ydata()[0] == line}
        mean = at[MARKERS[other]]
        assert mean.get_color() == COLOURS[other]
        assert mean.get_xdata()[0] == pytest.approx(differences.mean())
        assert at["|"].get_xdata()[0] == pytest.approx({"cdncnn_b": -0.10, "s_said": 0.10}[other])
        dots = [own for own in psnr.lines if own.get_marker() == "."][line]
        assert dots.get_xdata() == pytest.approx(differences)
    shaded = {axes: axes.patches[0].get_extents().x0 for axes in figure.axes}
    zero = {axes: axes.transData.transform((0, 0))[0] for axes in figure.axes}
    assert shaded[psnr] == pytest.approx(zero[psnr]), "higher is better: right of 0"
    assert shaded[niqe] < zero[niqe], "lower is better: left of 0"
    assert [label.get_text() for label in psnr.get_yticklabels()] == ["− cdncnn_b", "− s_said"]
    assert niqe.get_title(loc="left") == "NIQE (lower is better)"
    assert "Kodak, n = 6" in texts(figure)
    assert figure.get_figwidth() == PAGE


def test_many_images_are_no_dots(tmp_path):
    values = np.random.default_rng(0).normal(30, 1, (2, 9_999))
    files = [written(tmp_path, name, own.tolist()) for name, own in zip(("u_said", "s_said"), values, strict=True)]
    with drawing():
        figure = draw_figure_differences(read_differences(files))
    assert max(len(line.get_xdata()) for axes in figure.axes for line in axes.lines) == 2
    assert "Kodak, n = 9,999" in texts(figure)


def test_scores_that_are_right_or_wrong_have_no_distribution(tmp_path):
    path = {}
    for name, right in (("u_said", [1, 1, 0, 1, 1]), ("s_said", [1, 0, 0, 1, 0])):
        path[name] = tmp_path / f"{name}.parquet"
        columns = {"top1": [[float(own) for own in right]], "top5": [[1.0] * 5]}
        dataset = {"name": "cifar100", "split": "test", "n": 5, "n_official": 10_000, "subset": None, "ids_sha256": "0"}
        write_scores(path[name], made_scores(name, columns, benchmark="cifar100_classification", dataset=dataset))
    top1, top5 = read_differences(path.values()).panels
    assert top1.differences[0].of_images is None
    assert top1.differences[0].estimate.value == pytest.approx(40)
    assert top5.differences[0].estimate.not_testable is not None
    with drawing():
        draw_figure_differences(read_differences(path.values()))


# Odd input


def test_nothing_at_all_and_one_denoiser_are_figures_that_say_so(tmp_path):
    write_figure_differences([], tmp_path / "figures")
    assert len((tmp_path / "figures/figure_differences.csv").read_text(encoding="utf-8").splitlines()) == 1
    alone = written(tmp_path, "u_said", U_SAID)
    with drawing():
        said = texts(draw_figure_differences(read_differences([alone])))
    assert said == [
        "No two denoisers were scored on one benchmark: there is no difference to draw.",
        "kodak_quality: one denoiser, nothing to compare it with.",
    ]


def test_what_failed_is_said_and_costs_nothing_else(files, tmp_path):
    marker = tmp_path / "voc_quality" / "u_said.parquet"
    write_marker(marker, Failure("score voc_quality/u_said", "no room $\\frac"))
    failed = written(tmp_path, "mine", U_SAID, failure="out of memory")
    found = read_differences([*files, marker, failed])
    assert len(found.panels) == 2
    assert found.notes == [
        "voc_quality/u_said: score voc_quality/u_said failed: no room $\\frac",
        "kodak_quality/mine failed: out of memory",
    ]
    with drawing():
        assert r"voc_quality/u_said: score voc_quality/u_said failed: no room \$\frac." in texts(
            draw_figure_differences(found)
        )


def test_scores_of_other_images_cost_their_benchmark(files, tmp_path):
    odd = written(tmp_path, "mine", U_SAID, ids=[f"other_{n}" for n in range(6)])
    found = read_differences([*files, odd])
    assert found.panels == []
    assert "kodak_quality/mine.parquet" in found.notes[0]


@pytest.mark.filterwarnings("error")
def test_two_hundred_denoisers_with_any_titles(files, tmp_path):
    titles = [r"$\frac{1}{", "<b>bold</b>", "شبكة \u202e", "去噪网络", "A" * 500]
    own = [written(tmp_path, f"own_{n:03}", S_SAID, title=titles[n % 5]) for n in range(200)]
    found = read_differences([*files, *own])
    assert {len(panel.differences) for panel in found.panels} == {MOST_OTHERS}
    assert found.notes == ["Not drawn, but in the statistics: own_003, own_004, own_005, own_006 and 193 more"]
    write_figure_differences([*files, *own], tmp_path / "figures")
    with drawing():
        figure = draw_figure_differences(found)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == MOST_OTHERS
    assert labels[2] == r"− \$\frac{1}{"
    assert all(len(label) < 30 for label in labels)


def test_own_denoiser_takes_the_place_of_one_that_is_not_there(tmp_path):
    files = [written(tmp_path, name, own) for name, own in {"mine": U_SAID, "cdncnn_b": CDNCNN_B}.items()]
    panel, _ = read_differences(files).panels
    assert (panel.of, [own.other for own in panel.differences]) == ("mine", ["cdncnn_b"])
    assert panel.differences[0].printed is None


def test_other_seeds_of_a_training_are_left_out(files, tmp_path):
    seeds = [written(tmp_path, name, S_SAID, seed=seed, method="mine") for seed, name in enumerate(("mine", "mine_1"))]
    found = read_differences([*files, *seeds])
    assert [own.other for own in found.panels[0].differences] == ["cdncnn_b", "s_said", "mine"]
    assert found.notes == ["Not drawn, but in the statistics: mine_1"]


def test_a_level_that_was_not_scored_gives_way_to_the_lowest_one(tmp_path):
    files = [written(tmp_path, name, own, sigmas=(50, 15)) for name, own in {"u_said": U_SAID, "mine": S_SAID}.items()]
    found = read_differences(files)
    assert {panel.sigma for panel in found.panels} == {15}
    with drawing():
        assert any("at σ = 15" in text for text in texts(draw_figure_differences(found)))


def test_a_file_that_is_no_score_file_is_named(tmp_path):
    path = tmp_path / "u_said.parquet"
    path.write_bytes(b"no")
    with pytest.raises(UsaidError, match=r"u_said\.parquet: not a readable score file"):
        write_figure_differences([path], tmp_path / "figures")


# The committed run


def test_committed_differences_are_those_of_the_statistics_and_the_files_are_the_same_each_time(tmp_path):
    benchmarks = ("kodak_quality", "voc_segmentation", "isic_segmentation")
    names = ("u_said", "cdncnn_b", "s_said", "noisy")
    files = [RELEASED / f"scores/{benchmark}/{name}.parquet" for benchmark in benchmarks for name in names]
    for folder in ("once", "twice"):
        write_figure_differences(files, tmp_path / folder)
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes(), path.name
    with open(tmp_path / "once/figure_differences.csv", encoding="utf-8", newline="") as file:
        lines = [*csv.DictReader(file)]
    assert len(lines) == 2 * (3 + 1 + 1)
    for line in lines:
        own = statistics_line(line)
        for name in ("value", "low", "high"):
            assert float(line[name]) == pytest.approx(float(own[name]), abs=6e-5), line
    assert render_differences([]).startswith("benchmark,sigma,metric,")


def statistics_line(line: dict[str, str]) -> dict[str, str]:
    """What the statistics of the committed run say of the difference of a line, over images."""
    with open(RELEASED / f"statistics/{line['benchmark']}.csv", encoding="utf-8", newline="") as file:
        return next(
            own
            for own in csv.DictReader(file)
            if all(own[name] == line[name] for name in ("metric", "denoiser", "other"))
            and own["group"] in (line["sigma"], "isic2018")
            and own["over"] == "images"
        )


def test_a_level_that_one_lacks_costs_its_own_differences_and_is_said_where_all_are_gone(files, tmp_path):
    lost = [{"sigma": 25.0, "told_sigma": None, "reason": "image image_00: boom"}]
    written(tmp_path, "s_said", S_SAID, sigmas=[15], failed_levels=lost)
    psnr, _ = read_differences(files).panels
    assert [bool(np.isfinite(own.estimate.value)) for own in psnr.differences] == [True, False]
    written(tmp_path, "u_said", U_SAID, sigmas=[15], failed_levels=lost)
    found = read_differences(files)
    assert found.panels == []
    assert found.notes == ["kodak_quality: u_said: not scored: image image_00: boom"]
