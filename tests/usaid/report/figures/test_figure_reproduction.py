"""Tests of usaid.report.figures.figure_reproduction: what stands where, how it is marked, and what is counted."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.paper.published import all_published
from usaid.report.figures.drawing import PAGE, VERDICTS, drawing
from usaid.report.figures.figure_reproduction import (
    Point,
    draw_figure_reproduction,
    points_of,
    write_figure_reproduction,
)
from usaid.report.tables.render_csv import COLUMNS
from usaid.report.tables.verdict_list import judged

ROOT = Path(__file__).parents[4]
RELEASED = sorted((ROOT / "results/reference/released/tables").glob("table_*.csv"))


def table_file(folder: Path, table: int, *rows: dict[str, str]) -> Path:
    """A table's CSV file with some columns of some rows."""
    path = folder / f"table_{table}.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows({"table": str(table), **row} for row in rows)
    return path


def row(denoiser: str, paper: str, ours: str, delta: str, verdict: str, **changed: str) -> dict[str, str]:
    names = {"group": "25", "metric": "psnr", "denoiser": denoiser}
    return names | {"ours": ours, "paper": paper, "delta": delta, "verdict": verdict, "reason": "why"} | changed


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Table VI with a number of each verdict, one of them far off; a variance and a p-value of Table X."""
    six = [
        row("u_said", "32.17", "32.19", "0.02", "holds"),
        row("s_said", "32.07", "31.97", "-0.10", "does not hold"),
        row("cdncnn_b", "32.27", "25.27", "-7.00", "not comparable"),
        row("u_said", "0.8790", "0.8802", "0.0012", "does not hold", metric="ssim"),
        row("u_said", "2.6355", "inf", "inf", "not comparable", metric="niqe"),
        row("s_said", "2.6006", "", "", "not tested", metric="niqe"),
    ]
    ten = [
        row("u_said", "3.15e-6", "3.00e-6", "-1.5e-7", "holds", group="voc", metric="miou_variance"),
        row("s_said", "0.0744", "0.01", "", "does not hold", group="voc", metric="miou_p_value"),
        row("u_said", "40.35", "40.10", "-0.25", "holds", group="voc", metric="miou_mean"),
    ]
    return [table_file(tmp_path, 6, *six), table_file(tmp_path, 10, *ten)]


def point(points: list[Point], table: int, group: str, metric: str, denoiser: str) -> Point:
    (found,) = (one for one in points if one.number[:4] == (table, group, metric, denoiser))
    return found


def test_distances_are_in_tolerances_and_what_has_none_says_so(tables):
    points = points_of(judged(tables))
    assert [one.number[:4] for one in points] == [entry[:4] for entry in all_published()]
    six = {(one.number.metric, one.number.denoiser): one for one in points if one.number[:2] == (6, "25")}
    assert six["psnr", "u_said"].tolerances == pytest.approx(0.02 / 0.05)
    assert six["psnr", "s_said"].x == pytest.approx(-2)
    assert (six["psnr", "cdncnn_b"].place, six["psnr", "cdncnn_b"].tolerances) == ("beyond", pytest.approx(-140))
    assert six["psnr", "cdncnn_b"].x < -100
    assert six["ssim", "u_said"].x == pytest.approx(1.2)
    assert six["niqe", "u_said"].place == "beyond"
    assert six["niqe", "s_said"].place == "not tested"
    assert point(points, 10, "voc", "miou_mean", "u_said").x == pytest.approx(-0.5)
    for metric, denoiser in (("miou_variance", "u_said"), ("miou_p_value", "u_said_vs_s_said")):
        own = point(points, 10, "voc", metric, denoiser)
        assert (own.place, own.tolerances) == ("side by side", None)


def test_what_is_not_tested_stands_side_by_side(tables):
    points = [one for one in points_of(judged([])) if (one.number.table, one.row) == (4, "psnr")]
    assert [one.x for one in points] == [*range(18)]


def drawn(figure: Figure, axes: int) -> Counter[tuple[str, str]]:
    """Marker and colour of the points in one of strip, edge and bars."""
    lines = [line for line in figure.axes[axes].lines if line.get_marker() not in ("None", None)]
    return Counter((line.get_marker(), to_hex(line.get_color()).upper()) for line in lines)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def test_every_number_is_drawn_once_with_the_mark_of_its_verdict(tables):
    points = points_of(judged(tables))
    with drawing():
        figure = draw_figure_reproduction(points)
    looks = {verdict: (look.marker, look.colour) for verdict, look in VERDICTS.items()}
    strip, edge = drawn(figure, 0), drawn(figure, 1)
    assert strip == {
        looks["holds"]: 3,
        looks["does not hold"]: 3,
        ("<", VERDICTS["not comparable"].colour): 1,
        (">", VERDICTS["not comparable"].colour): 1,
    }
    assert edge == {("|", "#777777"): 226 - 8}
    positions = sorted(float(line.get_xdata()[0]) for line in figure.axes[0].lines if line.get_marker() == "X")
    assert positions[-2:] == pytest.approx([VERDICT_WITHOUT_DISTANCE, 1.2])
    assert positions[0] == pytest.approx(-2)


VERDICT_WITHOUT_DISTANCE = 0.62
"""A fraction of the width: the p-value that does not hold."""


def test_counts_stand_in_the_bars_and_in_the_key(tables):
    with drawing():
        figure = draw_figure_reproduction(points_of(judged(tables)))
    bars, total = figure.axes[2], figure.axes[3]
    assert sum(int(text.get_text()) for text in bars.texts) == 226
    assert [text.get_text() for text in total.texts] == ["3", "3", "2", "218"]
    assert [patch.get_width() for patch in total.patches] == [3, 3, 2, 218]
    (legend,) = figure.legends
    said = [text.get_text().split(":")[0] for text in legend.get_texts()]
    assert said == ["3 hold", "3 do not hold", "2 not comparable", "218 not tested"]
    assert "3 of the 6 numbers that could be compared hold" in texts(figure)
    assert figure.get_figwidth() == PAGE
    assert figure.get_figheight() < 9, "at most a page"


def test_check_marks_are_not_counted_as_measured(tmp_path):
    cell = row("u_said", "1", "1", "0", "holds", group="categories", metric="deep_learning")
    with drawing():
        figure = draw_figure_reproduction(points_of(judged([table_file(tmp_path, 3, cell)])))
    assert "None of the paper's 208 numbers could be compared; 1 of 1 check marks agree" in texts(figure)


def test_no_table_at_all_is_a_figure_that_says_so(tmp_path):
    write_figure_reproduction([], tmp_path)
    with open(tmp_path / "figure_reproduction.csv", encoding="utf-8", newline="") as file:
        assert {line["place"] for line in csv.DictReader(file)} == {"not tested"}
    with drawing():
        figure = draw_figure_reproduction(points_of(judged([])))
    assert "None of the paper's 208 numbers could be compared" in texts(figure)
    assert texts(figure).count("not in this experiment") == 10


@pytest.mark.filterwarnings("error")
def test_failed_tables_say_why_whatever_they_say(tmp_path):
    reasons = {5: r"$\frac{1}{ <b> 50 $", 6: "去噪 שגיאה", 9: "long " * 200}
    paths = [tmp_path / f"table_{table}.csv" for table in reasons]
    for path, reason in zip(paths, reasons.values(), strict=True):
        write_marker(path, Failure("table", reason))
    write_figure_reproduction([path.with_suffix(".md") for path in paths], tmp_path)
    with drawing():
        figure = draw_figure_reproduction(points_of(judged(paths)))
    said = [text for text in texts(figure) if text.startswith("the table failed: ")]
    assert said[:2] == [r"the table failed: \$\frac{1}{ <b> 50 \$", "the table failed: 去噪 שגיאה"]
    assert (said[2][:26], said[2][-1], len(said[2])) == ("the table failed: long lon", "…", 70)


def test_a_file_that_is_no_table_is_named_and_nothing_is_written(tmp_path):
    path = tmp_path / "table_6.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UsaidError, match=r"table_6\.csv: not a table of this version"):
        write_figure_reproduction([path], tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_files_of_a_committed_run_are_the_same_each_time_and_say_what_its_list_says(tmp_path):
    for folder in ("once", "twice"):
        write_figure_reproduction(RELEASED, tmp_path / folder)
    files = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert files == [f"figure_reproduction.{suffix}" for suffix in ("csv", "pdf", "png")]
    for name in files:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes(), name
    with open(tmp_path / "once/figure_reproduction.csv", encoding="utf-8", newline="") as file:
        lines = [*csv.DictReader(file)]
    with open(RELEASED[0].with_name("verdicts.csv"), encoding="utf-8", newline="") as file:
        listed = [*csv.DictReader(file)]
    names = ("table", "group", "metric", "denoiser", "paper", "ours", "difference", "tolerance", "verdict")
    assert [[line[name] for name in names] for line in lines] == [[line[name] for name in names] for line in listed]
    own = {(line["table"], line["group"], line["metric"], line["denoiser"]): line for line in lines}
    assert float(own["6", "35", "psnr", "u_said"]["tolerances"]) == pytest.approx(0.11 / 0.05)
    assert float(own["4", "median_sigma/25", "psnr", "mlp"]["tolerances"]) == pytest.approx(-44)
    assert own["10", "voc", "miou_variance", "u_said"]["place"] == "not tested"
    assert Counter(line["place"] for line in lines) == {"not tested": 92, "measured": 116, "side by side": 18}
