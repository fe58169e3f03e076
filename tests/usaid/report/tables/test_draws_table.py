"""Table X from a few noise draws whose means, variances and p-values were worked out by hand."""

import math
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from usaid.errors import UsaidError
from usaid.report.tables.build import build_table
from usaid.report.tables.files import make_table, write_table
from usaid.report.tables.render_csv import render_csv
from usaid.report.tables.render_markdown import render_markdown
from usaid.report.tables.render_tex import render_tex, standalone_document
from usaid.scores.files import Scores, write_scores

TITLES = {"cdncnn_b": "CDnCNN-B", "s_said": "S-SAID", "u_said": "U-SAID"}
SIZES = {"voc_segmentation": 1449, "kodak_quality": 24, "cifar100_classification": 10_000}


def scores(benchmark: str, denoiser: str, rows: Sequence[Mapping[str, Any]], **provenance: Any) -> Scores:
    """Scores at sigma 25; a keyword replaces that key of the provenance."""
    n = len({row["image_id"] for row in rows})
    record = {
        "benchmark": benchmark, "denoiser": denoiser, "title": TITLES.get(denoiser, denoiser), "deviations": [],
        "dataset": {"name": benchmark, "split": "val", "n": n, "n_official": SIZES[benchmark], "subset": "few.txt"},
        "judge": {"class_names": ["a", "b"], "left_out": []}, "failure": None, "weights_sha256": None,
        "entry": {"method": denoiser if denoiser in (*TITLES, "noisy") else "mine:Mine"},
    }  # fmt: skip
    frame = pd.DataFrame(
        [{"sigma": 25.0} | row for row in rows], columns=None if rows else ["image_id", "sigma", "draw"]
    )
    return Scores(frame, record | provenance)


def kodak(denoiser: str, by_draw: Sequence[float], first: int = 0, **provenance: Any) -> Scores:
    """NIQE of each draw: the first of two images is 0.5 below it, the second 0.5 above."""
    rows = [
        {"image_id": image, "draw": draw, "niqe_live": niqe + off}
        for draw, niqe in enumerate(by_draw, first)
        for image, off in (("a", -0.5), ("b", 0.5))
    ]
    return scores("kodak_quality", denoiser, rows, **provenance)


def voc(denoiser: str, by_draw: Sequence[int]) -> Scores:
    """mIoU of each draw: both classes have a of 100 pixels right, IoU a / (200 - a)."""
    rows = [{"image_id": "a", "draw": i, "confusion": [a, 100 - a, 100 - a, a]} for i, a in enumerate(by_draw)]
    return scores("voc_segmentation", denoiser, rows)


def cifar(denoiser: str, by_draw: Sequence[tuple[int, int]]) -> Scores:
    """Whether the first and the second image are right in each draw; all are within the best five."""
    rows = [
        {"image_id": image, "draw": i, "top1": float(right), "top5": 1.0}
        for i, of_draw in enumerate(by_draw)
        for image, right in zip("ab", of_draw, strict=True)
    ]
    return scores("cifar100_classification", denoiser, rows)


KODAK = {
    "cdncnn_b": kodak("cdncnn_b", [3.2, 3.3, 3.4]),
    "s_said": kodak("s_said", [3.1, 3.1, 3.4]),
    "u_said": kodak("u_said", [3.0, 3.1, 3.2]),
    "mine": kodak("mine", [2.9, 3.1, 3.3]),
}


def cells(*panels: Mapping[str, Scores]) -> dict[tuple[str, str, str], Any]:
    """Cells by place."""
    return {tuple(cell.place): cell for cell in build_table(10, *(*panels, {}, {}, {})[:3]).cells}


def of_kodak(scores: Mapping[str, Scores], metric: str) -> dict[str, Any]:
    """Denoiser -> cell."""
    return {d: cell for (group, d, name), cell in cells({}, scores).items() if (group, name) == ("kodak", metric)}


# Numbers


def test_mean_and_variance_over_draws_beside_the_printed_ones():
    means, variances = of_kodak(KODAK, "niqe_mean"), of_kodak(KODAK, "niqe_variance")
    assert [means[d].ours for d in KODAK] == pytest.approx([3.3, 3.2, 3.1, 3.1])
    assert [means[d].paper for d in KODAK] == [2.87, 2.60, 2.62, None]
    assert [variances[d].ours for d in KODAK] == pytest.approx([0.01, 0.03, 0.01, 0.04])
    assert [variances[d].paper for d in KODAK] == [1.74e-4, 1.78e-4, 6.00e-4, None]
    assert {cell.n for cell in (*means.values(), *variances.values())} == {2}


def test_p_values_against_u_said_stand_in_the_column_of_the_other():
    pooled, paired = of_kodak(KODAK, "niqe_p_value"), of_kodak(KODAK, "niqe_p_value_paired")
    # CDnCNN-B: t = 0.2 / sqrt(0.01 * 2 / 3) = sqrt(6) with 4 degrees of freedom
    half = 3 / 8 * math.sqrt(6 / 2.5) * (1 - 6 / 2.5 / 12)
    assert pooled["cdncnn_b"].ours == pytest.approx(1 - 2 * half)
    # S-SAID: t = 0.1 / sqrt((0.01 + 0.03) / 3) = sqrt(3) / 2
    # its differences are 0.1, 0 and 0.2: t = sqrt(3) with 2 degrees of freedom
    assert pooled["s_said"].ours == pytest.approx(2 * stats.t.sf(math.sqrt(3) / 2, 4))
    assert paired["s_said"].ours == pytest.approx(1 - math.sqrt(3 / 5))
    assert pooled["mine"].ours == pytest.approx(1.0)
    assert [pooled[d].paper for d in KODAK] == [2.6638e-16, 6.7845e-3, None, None]
    assert {cell.paper for cell in paired.values()} == {None}
    assert (pooled["u_said"].ours, pooled["u_said"].note) == (None, "compared with itself")


def test_p_values_are_scipys():
    draws = np.random.default_rng(0).normal(loc=[[3.0], [3.05]], scale=0.05, size=(2, 10))
    found = cells({}, {name: kodak(name, own) for name, own in zip(("u_said", "cdncnn_b"), draws, strict=True)})
    assert found["kodak", "cdncnn_b", "niqe_p_value"].ours == pytest.approx(stats.ttest_ind(*draws).pvalue)
    assert found["kodak", "cdncnn_b", "niqe_p_value_paired"].ours == pytest.approx(stats.ttest_rel(*draws).pvalue)
    interval = stats.t.interval(0.95, 9, draws[0].mean(), stats.sem(draws[0]))
    mean, variance = found["kodak", "u_said", "niqe_mean"], found["kodak", "u_said", "niqe_variance"]
    assert (mean.low, mean.high) == pytest.approx(interval)
    assert variance.low < variance.ours < variance.high
    assert variance.low == pytest.approx(9 * draws[0].var(ddof=1) / stats.chi2.ppf(0.975, 9))


def test_means_of_miou_are_in_percent_but_variances_of_the_fraction():
    found = cells({"u_said": voc("u_said", [80, 50]), "s_said": voc("s_said", [50, 50])})
    assert found["voc", "u_said", "miou_mean"].ours == pytest.approx(50)  # 80 / 120 and 50 / 150
    assert found["voc", "u_said", "miou_variance"].ours == pytest.approx(1 / 18)
    assert found["voc", "u_said", "miou_mean"].paper == 40.35
    assert found["voc", "s_said", "miou_variance"].ours == 0
    low, high = found["voc", "u_said", "miou_mean"].low, found["voc", "u_said", "miou_mean"].high
    assert (low + high) / 2 == pytest.approx(50)


def test_accuracies_are_in_percent():
    found = cells({}, {}, {"u_said": cifar("u_said", [(1, 1), (1, 0)])})
    assert found["cifar100", "u_said", "top1_mean"].ours == 75
    assert found["cifar100", "u_said", "top1_variance"].ours == 1250
    assert found["cifar100", "u_said", "top5_mean"].ours == 100


def test_a_data_set_has_the_rows_of_its_own_metrics():
    table = build_table(10, {}, KODAK, {})
    rows = {block[0].group.text: [row.label.text for row in block] for block in table.blocks()}
    four = ("{}", "{}, variance", "{}, p-value", "{}, p-value, paired")
    assert rows == {
        "PASCAL VOC segmentation": ["mIoU (%)", *(row.format("mIoU") for row in four[1:])],
        "Cross-set Kodak denoising": [row.format("NIQE") for row in four],
        "Cross-task CIFAR-100 classification": [
            *("Top-1 Acc (%)", *(row.format("Top-1 Acc") for row in four[1:])),
            *("Top-5 Acc (%)", *(row.format("Top-5 Acc") for row in four[1:])),
        ],
    }
    assert [column.text for column in table.columns()] == ["CDnCNN-B", "S-SAID", "U-SAID", "mine"]
    assert [*dict.fromkeys(cell.place.group for cell in table.cells)] == ["voc", "kodak", "cifar100"]


# What cannot be had


def dashes(scores: Mapping[str, Scores], metric: str) -> dict[str, str]:
    """Denoiser -> note of a cell without a number of ours."""
    return {name: cell.note for name, cell in of_kodak(scores, metric).items() if cell.ours is None}


@pytest.mark.parametrize("metric", ["niqe_p_value", "niqe_p_value_paired"])
def test_without_u_said_there_are_no_p_values_and_the_reason(metric):
    others = {name: own for name, own in KODAK.items() if name != "u_said"}
    notes = dashes(others, metric)
    assert notes["cdncnn_b"].startswith("not testable: U-SAID: not in this experiment")
    broken = scores("kodak_quality", "u_said", [], failure="no GPU", dataset={"n": 0, "n_official": 24})
    notes = dashes(others | {"u_said": broken}, metric)
    assert notes["mine"] == "not testable: U-SAID: not scored: no GPU; not in the paper"
    assert notes["u_said"].startswith("not scored: no GPU")
    page = render_markdown(build_table(10, {}, others | {"u_said": broken}, {}))
    assert "not testable: U-SAID: not scored: no GPU." in page


def test_a_failed_denoiser_leaves_the_others():
    broken = scores("kodak_quality", "s_said", [], failure="out of memory", dataset={"n": 0, "n_official": 24})
    found = KODAK | {"s_said": broken}
    assert of_kodak(found, "niqe_p_value")["cdncnn_b"].ours is not None
    for metric in ("niqe_mean", "niqe_variance", "niqe_p_value"):
        assert dashes(found, metric)["s_said"] == "not scored: out of memory"
    text = render_markdown(build_table(10, {}, found, {}))
    (letter,) = re.findall(r"<sup>(\w+)</sup> not scored: out of memory\.", text)
    assert text.count(f"–<sup>{letter}</sup>") == 4, "at each of its dashes"


def test_a_difference_that_no_draw_changes_is_not_testable():
    alike = {"u_said": kodak("u_said", [3.0, 3.1, 3.2]), "cdncnn_b": kodak("cdncnn_b", [3.2, 3.3, 3.4])}
    assert dashes(alike, "niqe_p_value_paired")["cdncnn_b"].startswith("not testable: all differences are equal")
    assert of_kodak(alike, "niqe_p_value")["cdncnn_b"].ours is not None
    constant = {"u_said": kodak("u_said", [3.0, 3.0]), "cdncnn_b": kodak("cdncnn_b", [3.2, 3.2])}
    assert dashes(constant, "niqe_p_value")["cdncnn_b"].startswith("not testable: ")
    assert of_kodak(constant, "niqe_variance")["u_said"].ours == 0
    page = render_markdown(build_table(10, {}, constant, {}))
    assert "nan" not in page
    assert re.search(r"<sup>\w+</sup> not testable: all differences are equal\.", page)


def test_draws_that_round_to_one_number_have_no_variance():
    assert of_kodak({"u_said": kodak("u_said", [0.1 + 0.2, 0.3])}, "niqe_variance")["u_said"].ours == 0


def test_an_undefined_image_is_left_out_of_every_draw():
    some = kodak("cdncnn_b", [3.2, 3.3, 3.5])
    some.rows.loc[(some.rows["image_id"] == "a") & (some.rows["draw"] == 1), "niqe_live"] = math.nan
    found = of_kodak(KODAK | {"cdncnn_b": some}, "niqe_mean")["cdncnn_b"]
    assert (found.ours, found.n, found.apart) == (pytest.approx((3.7 + 3.8 + 4.0) / 3), 1, True)
    assert of_kodak(KODAK | {"cdncnn_b": some}, "niqe_p_value")["cdncnn_b"].ours is not None


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_no_page_shows_a_number_that_is_none(value):
    wild = kodak("cdncnn_b", [3.2, 3.3, value])
    table = build_table(10, {}, KODAK | {"cdncnn_b": wild}, {})
    assert not re.search(r"\bnan\b", render_markdown(table) + render_csv(table) + render_tex(table))


def test_one_draw_is_refused():
    with pytest.raises(UsaidError) as caught:
        cells({}, {"u_said": kodak("u_said", [3.0])})
    assert str(caught.value) == (
        "kodak_quality/u_said.parquet: one noise draw at sigma 25; Table X needs two or more; "
        "give the file of its further draws, kodak_quality/draws/u_said.parquet, too"
    )


def test_a_denoiser_that_lacks_a_draw_is_refused():
    with pytest.raises(UsaidError, match=r"u_said\.parquet and .*mine\.parquet: image 'a' at sigma 25, draw 2 is only"):
        cells({}, KODAK | {"mine": kodak("mine", [2.9, 3.1])})


def test_who_is_left_out_is_shown_if_it_has_several_draws():
    noisy = kodak("noisy", [9.0, 9.1, 9.2])
    assert "noisy" in of_kodak(KODAK | {"noisy": noisy}, "niqe_mean")
    assert "noisy" not in of_kodak(KODAK | {"noisy": kodak("noisy", [9.0])}, "niqe_mean")


# Verdicts on print


def test_verdicts():
    official = {"name": "kodak", "split": "all", "n": 2, "n_official": 2, "subset": None}
    draws = np.random.default_rng(1).normal(size=(3, 10))
    made = {
        name: kodak(name, mean + spread * own, dataset=official)
        for (name, mean, spread), own in zip(
            (("cdncnn_b", 2.85, 0.013), ("s_said", 2.70, 0.013), ("u_said", 2.62, 0.2)), draws, strict=True
        )
    }
    made = {n: Scores(own.rows.rename(columns={"niqe_live": "niqe_matlab"}), own.provenance) for n, own in made.items()}
    found = cells({}, made)
    verdicts = {(d, metric): cell.verdict for (group, d, metric), cell in found.items() if group == "kodak"}
    assert verdicts["cdncnn_b", "niqe_mean"] == "holds", "within 0.05"
    assert verdicts["s_said", "niqe_mean"] == "does not hold"
    assert verdicts["cdncnn_b", "niqe_variance"] == "holds"
    assert verdicts["u_said", "niqe_variance"] == "does not hold"
    assert verdicts["cdncnn_b", "niqe_p_value"] == "holds"
    assert verdicts["cdncnn_b", "niqe_p_value_paired"] == ""
    few = cells({}, {name: Scores(own.rows[own.rows["draw"] < 9], own.provenance) for name, own in made.items()})
    assert few["kodak", "cdncnn_b", "niqe_mean"].why == "9 of 10 noise draws"
    assert of_kodak(KODAK, "niqe_p_value")["cdncnn_b"].verdict == "not comparable"
    assert found["voc", "u_said", "miou_mean"].verdict == "not tested"


# The page


def test_markdown():
    lines = render_markdown(build_table(10, {}, KODAK, {})).splitlines()
    assert lines[0] == (
        "**Table X, made again.** Mean and variance over noise draws, and p-values of the difference from U-SAID."
    )
    kodak = [line for line in lines if "Kodak" in line and line.startswith("|")]
    assert [re.sub(r"<sup>[\w,]+</sup>", "", line) for line in kodak] == [
        "| Cross-set Kodak denoising | NIQE | 3.30 (2.87, +0.43) | 3.20 (2.60, +0.60) | 3.10 (2.62, +0.48) | 3.10 "
        "| 2 |",
        "| Cross-set Kodak denoising | NIQE, variance | 1.00e-2 (1.74e-4, +9.83e-3) | 3.00e-2 (1.78e-4, +2.98e-2) "
        "| 1.00e-2 (6.00e-4, +9.40e-3) | 4.00e-2 | 2 |",
        "| Cross-set Kodak denoising | NIQE, p-value | 0.0705 (2.6638e-16) | 0.4353 (6.7845e-3) | – | 1.0000 | 2 |",
        "| Cross-set Kodak denoising | NIQE, p-value, paired | – | 0.2254 | – | 1.0000 | 2 |",
    ]
    text = "\n".join(lines)
    assert (
        "n = 3 noise draws; 2 of 24 images of kodak_quality, split val (subset few.txt); sigma 25; means of niqe"
        in text
    )
    assert "of the fraction, as in print, though the means are in percent." in text
    assert "The p-values speak of noise draws of single trainings, not of images nor of trainings." in text
    assert "niqe_live (the paper's is niqe_matlab)." in text
    assert "On the print: The mIoU variances are of the fraction" in text


def test_csv_has_the_papers_words():
    lines = render_csv(build_table(10, {"u_said": voc("u_said", [80, 50])}, KODAK, {})).splitlines()
    assert any(line.startswith("10,voc,u_said,miou_variance,5.56e-2,") for line in lines)
    assert any(line.startswith("10,kodak,s_said,niqe_p_value,0.4353,,,6.7845e-3,,2,") for line in lines)
    assert any(line.startswith("10,cifar100,s_said,top5_p_value,,,,4.3994e-3,") for line in lines)


AWKWARD = r"50% _net_ & #1 {σ} ~^\ $x$ <a|b>"


def test_tex():
    text = render_tex(build_table(10, {}, KODAK | {"mine": kodak("mine", [2.9, 3.1, 3.3], title=AWKWARD)}, {}))
    assert r"$1.00\times 10^{-2}$ \usaidpaper{$1.74\times 10^{-4}$}" in text
    assert r"0.0705 \usaidpaper{$2.6638\times 10^{-16}$}" in text
    assert r"50\% \_net\_" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_both_tables_compile_without_overfull_boxes(tmp_path):
    own = {f"own_{i}": kodak(f"own_{i}", [2.9, 3.1, 3.3 + i], title=f"{AWKWARD} {i}") for i in range(6)}
    made = {"draws.tex": build_table(10, {"u_said": voc("u_said", [80, 50])}, KODAK | own, {}),
            "print.tex": make_table("10_print", [])}  # fmt: skip
    for name, table in made.items():
        (tmp_path / name).write_text(render_tex(table), encoding="utf-8")
    (tmp_path / "all.tex").write_text(standalone_document(made), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")
    assert [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(points) > 10] == []


# From files


def write(folder, made: Scores, draws: Sequence[int] | None = None):
    """A score file; with ``draws`` one of further draws."""
    record = {
        "experiment": "few", "metrics": ["niqe_live"], "code_hash": "0", "config_sha256": "0", "noise_version": 1,
        "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "p", "device": "cpu",
        "seconds": {}, "pixels": 0, "pixels_per_second": None, "precision": "float32", "draws": draws,
        "dataset": made.provenance["dataset"] | {"ids_sha256": "0"},
    }  # fmt: skip
    path = folder / ("draws" if draws else "") / f"{made.provenance['denoiser']}.parquet"
    path.parent.mkdir(exist_ok=True)
    write_scores(path, Scores(made.rows, made.provenance | record))
    return path


@pytest.fixture
def files(tmp_path):
    """The main files of two denoisers, of draw 0, then those of draws 1 and 2."""
    whole = {"cdncnn_b": [3.2, 3.3, 3.4], "u_said": [3.0, 3.1, 3.2]}
    main = [write(tmp_path, kodak(name, own[:1])) for name, own in whole.items()]
    return main + [write(tmp_path, kodak(name, own[1:], first=1), [1, 2]) for name, own in whole.items()]


def test_draws_of_both_files_make_the_table_in_whatever_order(files, tmp_path):
    wanted = {name: KODAK[name] for name in ("cdncnn_b", "u_said")}
    numbers = [(cell.place, cell.ours) for cell in build_table(10, {}, wanted, {}).cells]
    for order in (files, files[::-1]):
        found = {cell.place: cell.ours for cell in make_table(10, order).cells}
        assert found == {place: ours if ours is None else pytest.approx(ours) for place, ours in numbers}
    write_table("10", files, tmp_path / "tables")
    assert "3 noise draws" in (tmp_path / "tables/table_10.md").read_text()


def test_files_of_draws_are_for_table_x_alone_and_go_with_their_main_files(files):
    with pytest.raises(
        UsaidError, match=r"cdncnn_b\.parquet: scores of further noise draws; Table VI is made from main"
    ):
        make_table(6, files)
    with pytest.raises(UsaidError) as caught:
        make_table(10, files[1:])
    assert str(caught.value) == (
        "kodak_quality/draws/cdncnn_b.parquet: further noise draws without the main score file; "
        "give kodak_quality/cdncnn_b.parquet, too"
    )
    with pytest.raises(UsaidError, match=r"draws/u_said\.parquet: a second score file of u_said"):
        make_table(10, [*files, files[-1]])


def test_a_failed_file_of_draws_costs_its_own_cells(files, tmp_path):
    broken = scores("kodak_quality", "cdncnn_b", [], failure="no GPU", dataset=kodak("a", [1]).provenance["dataset"])
    write(tmp_path, broken, [1, 2])
    found = {tuple(cell.place): cell for cell in make_table(10, files).cells}
    assert "kodak_quality/draws/cdncnn_b.parquet: no GPU" in found["kodak", "cdncnn_b", "niqe_mean"].note
    assert found["kodak", "u_said", "niqe_mean"].ours == pytest.approx(3.1)


@pytest.mark.parametrize(("other", "word"), [(3.9, "does not hold"), (4.5, "holds")])
def test_a_p_value_of_a_difference_that_is_the_other_way_round_does_not_hold(other: float, word: str) -> None:
    """CDnCNN-B's printed NIQE is above U-SAID's."""
    noise = [0.001 * (-1) ** draw for draw in range(10)]
    whole = {"name": "kodak", "split": "all", "n": 2, "n_official": 2, "subset": None}
    made = {
        name: kodak(name, [niqe + own for own in noise], dataset=whole)
        for name, niqe in (("cdncnn_b", other), ("u_said", 4.2))
    }
    papers = {"niqe_live": "niqe_matlab"}
    as_in_print = {name: Scores(own.rows.rename(columns=papers), own.provenance) for name, own in made.items()}
    found = of_kodak(as_in_print, "niqe_p_value")["cdncnn_b"]
    assert (found.ours < 0.05, found.verdict) == (True, word)
    assert (found.why == "the difference is the other way round") == (word == "does not hold")
