"""Tests of usaid.report.figures.sigma_curves and figure_sigma: the numbers, what is drawn, and odd input."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.registries import METRICS
from usaid.report.figures.drawing import COLOURS, MARKERS, PAGE, drawing
from usaid.report.figures.figure_sigma import draw_figure_sigma, write_figure_sigma
from usaid.report.figures.sigma_curves import MOST_OWN, read_curves
from usaid.report.tables.render_csv import COLUMNS

ROOT = Path(__file__).parents[4]
RELEASED = sorted((ROOT / "results/reference/released/tables").glob("table_*.csv"))


def table_file(folder: Path, table: int, *rows: dict[str, str]) -> Path:
    path = folder / f"table_{table}.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows({"table": str(table), **row} for row in rows)
    return path


def cell(group: str, denoiser: str, ours: str, paper: str = "", metric: str = "psnr") -> dict[str, str]:
    ends = (
        {}
        if ours in ("", "inf")
        else {"low": f"{float(ours) - 0.5:.2f}", "high": f"{float(ours) + 0.5:.2f}", "n": "24"}
    )
    return {"group": group, "denoiser": denoiser, "metric": metric, "ours": ours, "paper": paper, **ends}


SIX = [
    *(cell(sigma, "noisy", ours) for sigma, ours in (("15", "24.76"), ("25", "20.6"))),
    *(cell(sigma, "u_said", ours, paper) for sigma, ours, paper in (("25", "32.19", "32.17"), ("15", "", "34.62"))),
    *(
        cell(sigma, "s_said", ours, paper)
        for sigma, ours, paper in (("15", "34.59", "34.57"), ("25", "32.09", "32.07"))
    ),
    *(cell(sigma, "clean", "inf") for sigma in ("15", "25")),
    cell("25", "u_said", "", "0.8790", metric="ssim"),
]


@pytest.fixture
def six(tmp_path: Path) -> Path:
    return table_file(tmp_path, 6, *SIX)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [text.get_text() for text in figure.texts]


def test_curves_are_those_of_the_table_by_sigma(six):
    (panel,) = read_curves([six]).panels  # SSIM has no number of ours
    assert (panel.spec.number, panel.metric.name, panel.setting) == (6, "psnr", "")
    said = {name: [(p.sigma, p.ours, p.low, p.high, p.paper, p.n) for p in own] for name, own in panel.curves.items()}
    assert said == {
        "noisy": [(15, 24.76, 24.26, 25.26, None, 24), (25, 20.6, 20.1, 21.1, None, 24)],
        "s_said": [(15, 34.59, 34.09, 35.09, 34.57, 24), (25, 32.09, 31.59, 32.59, 32.07, 24)],
        "u_said": [(15, None, None, None, 34.62, None), (25, 32.19, 31.69, 32.69, 32.17, 24)],
    }
    assert panel.limits == (31.59, 35.09)
    assert [name for name in panel.curves if panel.is_cut_off(name)] == ["noisy"]


def test_csv_says_what_is_drawn_and_what_is_cut_off(six, tmp_path):
    write_figure_sigma([six], tmp_path / "figures")
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".csv", ".png", ".pdf"}
    with open(tmp_path / "figures/figure_sigma.csv", encoding="utf-8", newline="") as file:
        lines = [*csv.DictReader(file)]
    assert len(lines) == 6
    assert {(line["denoiser"], line["cut_off"]) for line in lines} == {("noisy", "1"), ("s_said", "0"), ("u_said", "0")}
    (own,) = (line for line in lines if (line["denoiser"], line["sigma"]) == ("u_said", "25"))
    assert [own[name] for name in ("table", "metric", "unit", "ours", "low", "high", "paper", "n")] == [
        *("6", "psnr", "dB", "32.19", "31.69", "32.69", "32.17", "24")
    ]


def test_ours_is_filled_and_print_is_hollow_at_the_numbers(six):
    with drawing():
        figure = draw_figure_sigma(read_curves([six]))
    (axes,) = figure.axes
    own = [line for line in axes.lines if line.get_color() == COLOURS["s_said"]]
    hollow, filled = (
        [line for line in own if line.get_marker() == MARKERS["s_said"] and line.get_fillstyle() == style]
        for style in ("none", "full")
    )
    assert [list(line.get_ydata()) for line in hollow] == [[34.57, 32.07]]
    assert [list(line.get_ydata()) for line in filled] == [[34.59, 32.09]]
    assert hollow[0].get_linestyle() == "--"
    assert list(filled[0].get_xdata()) == pytest.approx([15, 25], abs=1)
    intervals = [list(line.get_ydata()) for line in own if line.get_marker() == "None"]
    assert intervals == [[34.09, 35.09], [31.59, 32.59]]
    assert COLOURS["noisy"] not in {line.get_color() for line in axes.lines}
    assert axes.get_xlabel() == "noisy below: 20.6 to 24.8"
    assert "Kodak, n = 24" in texts(figure)
    assert figure.get_figwidth() == PAGE


def test_settings_of_table_iv_have_panels_of_their_own_if_a_non_blind_method_has_numbers(tmp_path):
    told = cell("median_sigma/15", "mlp", "28.47", "29.83")
    true = cell("oracle_sigma/15", "mlp", "28.50", "29.11")
    panels = read_curves([table_file(tmp_path, 4, told, true)]).panels
    assert [(panel.setting, panel.curves["mlp"][0].ours) for panel in panels] == [
        ("told σ = 25", 28.47),
        ("told true σ", 28.50),
    ]
    blind = table_file(tmp_path, 4, cell("median_sigma/15", "mlp", "", "29.83"), cell("median_sigma/15", "mine", "30"))
    assert read_curves([blind]).panels == []


def test_tables_of_one_sigma_or_of_none_are_not_drawn(tmp_path):
    others = [table_file(tmp_path, table, cell("25", "u_said", "32")) for table in (2, 3, 7, 8, 10)]
    unknown = table_file(tmp_path, 1, cell("25", "u_said", "32")).rename(tmp_path / "table_nobody.csv")
    assert read_curves([*others, unknown]).panels == []


@pytest.mark.filterwarnings("error")
def test_further_conventions_of_a_printed_metric_are_not_drawn(tmp_path, monkeypatch):
    monkeypatch.setitem(METRICS.all, "psnr_half", replace(METRICS["psnr"], name="psnr_half", printed_as="psnr"))
    rows = [cell("25", "u_said", "32.19", "32.17", metric=metric) for metric in ("psnr", "psnr_half")]
    assert [panel.metric.name for panel in read_curves([table_file(tmp_path, 6, *rows)]).panels] == ["psnr"]


def test_no_data_and_failed_tables_are_said_in_words(tmp_path):
    failed = tmp_path / "table_6.csv"
    write_marker(failed, Failure("table 6", "no $\\frac 去噪"))
    write_figure_sigma([], tmp_path / "nothing")
    write_figure_sigma([failed], tmp_path / "failed")
    with drawing():
        said = texts(draw_figure_sigma(read_curves([failed])))
    assert said == [
        "No score of ours at any sigma: there is nothing to draw.",
        r"Table VI: table 6 failed: no \$\frac 去噪.",
    ]


def test_one_denoiser_that_the_paper_lacks_is_drawn_beside_print(tmp_path):
    table = table_file(tmp_path, 6, cell("25", "mine", "31"), cell("25", "u_said", "", "32.17"))
    (panel,) = read_curves([table]).panels
    assert {*panel.curves} == {"mine", "u_said"}
    with drawing():
        draw_figure_sigma(read_curves([table]))


def test_noisy_alone_is_drawn(tmp_path):
    table = table_file(tmp_path, 6, cell("25", "noisy", "20.6"))
    (panel,) = read_curves([table]).panels
    assert not panel.is_cut_off("noisy")
    with drawing():
        draw_figure_sigma(read_curves([table]))


def test_of_two_hundred_denoisers_the_first_are_drawn_and_the_rest_is_counted(tmp_path):
    own = [cell(sigma, f"own_{n:03}", f"{30 + n / 100}") for n in range(200) for sigma in ("15", "25", "35")]
    table = table_file(tmp_path, 6, *SIX, *own)
    found = read_curves([table])
    assert len(found.panels[0].curves) == 3 + MOST_OWN
    assert found.notes == ["Not drawn, but in the tables: own_003, own_004, own_005 and 194 more"]
    write_figure_sigma([table], tmp_path)


@pytest.mark.parametrize("content", [b"group,ours\n1,2\n", b"\xff", b"group,denoiser,metric,ours\nx,a,psnr,1\n"])
def test_a_file_that_is_no_table_is_named(tmp_path, content):
    path = tmp_path / "table_6.csv"
    path.write_bytes(content)
    with pytest.raises(UsaidError, match=r"table_6\.csv: not a table of this version .*; delete it and rerun"):
        write_figure_sigma([path], tmp_path / "figures")


def test_committed_run_has_every_benchmark_of_several_sigmas_and_the_same_bytes_each_time(tmp_path):
    for folder in ("once", "twice"):
        write_figure_sigma(RELEASED, tmp_path / folder)
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes(), path.name
    with open(tmp_path / "once/figure_sigma.csv", encoding="utf-8", newline="") as file:
        lines = [*csv.DictReader(file)]
    panels = dict.fromkeys((line["table"], line["setting"], line["metric"]) for line in lines)
    assert [table for table, _, _ in panels] == ["1"] * 3 + ["4"] * 4 + ["5"] + ["6"] * 3 + ["9"] * 4
    (own,) = (
        line
        for line in lines
        if (line["table"], line["metric"], line["denoiser"], line["sigma"]) == ("6", "psnr", "u_said", "35")
    )
    assert [own[name] for name in ("ours", "low", "high", "paper")] == ["30.61", "29.8", "31.42", "30.5"]
