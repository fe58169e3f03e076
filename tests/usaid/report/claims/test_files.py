"""``claims.csv``, ``.md`` and ``.tex``: what they say, and that no text in provenance breaks them."""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluators.scoring.record import deviations
from usaid.errors import UsaidError
from usaid.experiment.reading import read_experiment
from usaid.paper.claims import all_claims
from usaid.paper.published import OF_TWO, all_published
from usaid.report.claims.files import write_claims
from usaid.report.claims.render_csv import COLUMNS
from usaid.report.claims.render_tex import PACKAGES
from usaid.report.tables.files import write_index
from usaid.report.tables.printed_p_values import TESTS, moments, p_range
from usaid.report.verdict_words import WORDS
from usaid.scores.files import GENERATED
from usaid_cli import main

ScoreFile = Callable[..., Path]

HOSTILE = r"a | <b> & 50 % of $x_1$ \input{x} [y](z) #{~^`"
BASE = 30 + np.random.default_rng(3).normal(size=24)
NOISE = np.random.default_rng(4).normal(scale=0.01, size=24)
TWO = {"u_said": {"psnr_rgb_float": BASE + 0.1 + NOISE}, "s_said": {"psnr_rgb_float": BASE}}


def kodak(score_file: ScoreFile, **provenance: object) -> list[Path]:
    """Table VI much as printed, on 24 images at three sigmas, with a little noise; S-SAID has the best NIQE at 15."""
    printed = {"cdncnn_b": (0.0, 0.0, 2.8), "s_said": (-0.19, -0.005, 2.4), "u_said": (-0.08, -0.002, 2.6)}
    files = []
    for index, (name, (psnr, ssim, niqe)) in enumerate(printed.items(), 1):
        values = {
            "psnr_rgb_float": BASE + psnr + index * NOISE,
            "ssim_skimage7": 0.9 + ssim + index * NOISE / 100,
            "niqe_matlab": niqe + index * NOISE,
        }
        files.append(score_file("kodak_quality", name, dict.fromkeys((15, 25, 35), values), **provenance))
    return files


def lines_of(folder: Path) -> dict[str, dict[str, str]]:
    with open(folder / "claims.csv", encoding="utf-8", newline="") as file:
        return {line["claim"]: line for line in csv.DictReader(file)}


def test_every_claim_has_a_line_a_row_and_a_row(score_file: ScoreFile, tmp_path: Path) -> None:
    write_claims(kodak(score_file), tmp_path)
    lines = lines_of(tmp_path)
    assert [*lines] == [claim.id for claim in all_claims()]
    assert tuple(next(iter(lines.values()))) == COLUMNS
    markdown, tex = ((tmp_path / f"claims.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex"))
    rows = re.findall(r"^\| (\d+) \|", markdown, flags=re.MULTILINE)
    assert rows == [str(number) for number in range(1, len(lines) + 1)]
    assert tex.count(r"\\") - tex.count("The sentence says &") == len(lines)


def test_verdicts_of_a_data_set_as_printed(score_file: ScoreFile, tmp_path: Path) -> None:
    write_claims(kodak(score_file), tmp_path)
    lines = lines_of(tmp_path)
    holds = ("kodak_best_psnr_ssim", "kodak_s_said_best_niqe", "kodak_close_to_cdncnn_b", "needs_no_labels")
    assert {lines[name]["verdict"] for name in holds} == {"holds"}
    assert lines["kodak_niqe_comparable"]["verdict"] == "not certain"  # worse by the very margin
    assert lines["kodak_s_said_best_niqe"]["print"] == "does not follow"
    best = lines["kodak_best_psnr_ssim"]
    assert (best["parts"], best["parts_as_claimed"], best["units"], best["over"]) == ("12", "12", "images=24", "images")
    assert best["family"] == "claims of made"
    assert float(best["p"]) <= float(best["p_corrected"]) < 0.05
    assert float(best["low"]) <= float(best["effect"]) <= float(best["high"])
    assert lines["k_peak"]["verdict"] == "not tested"
    assert lines["k_peak"]["effect"] == lines["k_peak"]["p"] == ""


def test_counts_stand_on_top_and_what_print_does_not_bear_out_below(score_file: ScoreFile, tmp_path: Path) -> None:
    write_claims(kodak(score_file), tmp_path)
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    verdicts = [line["verdict"] for line in lines_of(tmp_path).values()]
    for word in WORDS:
        assert f"| **{word}** | {verdicts.count(word)} |" in text
    assert "follows | In print: does not follow, by order | In print: does not follow, by our margin only | In" in text
    assert f"| all | {len(verdicts)} | 35 | 5 | 7 | 2 |" in text
    below = text.partition("## Sentences that do not follow from the paper's own tables")[2]
    order, _, margin = below.partition("### Only our margin speaks against it")
    assert "### The printed numbers are in another order" in order
    assert "Table VI, σ = 15: NIQE of S-SAID 2.6288, of U-SAID 2.5690" in order
    assert "By our reading of “remarkably”: Table V, σ = 25: mIoU of U-SAID 0.4047" in margin
    assert "In the paper U-SAID's VOC mean (40.35) is above S-SAID's (40.19), Table V says the opposite." in below


def test_generated_images_are_not_comparable(score_file: ScoreFile, tmp_path: Path) -> None:
    experiment = read_experiment("config/smoke.yaml")
    texts = deviations(experiment, "kodak_quality")
    assert GENERATED in texts
    write_claims(kodak(score_file, deviations=texts), tmp_path)
    lines = lines_of(tmp_path)
    assert lines["kodak_best_psnr_ssim"]["verdict"] == "not comparable"
    assert lines["kodak_best_psnr_ssim"]["p_corrected"] == ""
    assert lines["needs_no_labels"]["verdict"] == "holds"


def test_hostile_texts_break_no_page(score_file: ScoreFile, tmp_path: Path) -> None:
    files = kodak(score_file, deviations=[HOSTILE], title=HOSTILE, experiment=HOSTILE)
    write_claims([*files, failed(score_file, "mlp")], tmp_path)
    markdown, tex = ((tmp_path / f"claims.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex"))
    assert r"a \| \<b\> & 50 % of $x_1$ \\input{x} \[y\](z) #{\~^\`" in markdown
    tables = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {7, 10}
    check_tex(tex)
    assert "nan" not in re.findall(r"\w+", markdown + tex)


def failed(score_file: ScoreFile, name: str) -> Path:
    dataset = {"name": "kodak", "split": "all", "n": 0, "n_official": 24, "subset": None, "ids_sha256": None}
    provenance = {"failure": HOSTILE, "dataset": dataset, "experiment": HOSTILE}
    return score_file("kodak_quality", name, {25: {"psnr_rgb_float": [30.0]}}, **provenance)


def check_tex(text: str) -> None:
    """Braces and environments are closed, and every row has six cells."""
    plain = re.sub(r"\\[{}%&$#_]|%.*", "", text)
    assert plain.count("{") == plain.count("}")
    assert plain.count(r"\begin{") == plain.count(r"\end{")
    rows = [line for line in plain.splitlines() if line.endswith(r"\\")]
    assert {row.count("&") for row in rows} == {5}
    assert plain.count("$") % 2 == 0


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles_without_overfull_boxes(score_file: ScoreFile, tmp_path: Path) -> None:
    deviations = [f"a deviation of some length, number {'i' * number} of seven" for number in range(1, 8)]
    files = kodak(score_file, experiment=HOSTILE, deviations=[HOSTILE, *deviations])
    write_claims([*files, failed(score_file, "mlp")], tmp_path)
    head = rf"\documentclass{{article}}\usepackage[a4paper,margin=25mm]{{geometry}}\usepackage{{{','.join(PACKAGES)}}}"
    document = rf"{head}\begin{{document}}\input{{claims.tex}}\end{{document}}"
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")
    assert [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(points) > 10] == []
    assert "Float too large" not in log


def test_the_same_files_say_the_same_in_any_order(score_file: ScoreFile, tmp_path: Path) -> None:
    files = kodak(score_file)
    write_claims(files, tmp_path / "once")
    write_claims(files, tmp_path / "again")
    for name in ("claims.csv", "claims.md", "claims.tex"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    write_claims(files[::-1], tmp_path / "turned")
    assert lines_of(tmp_path / "turned") == lines_of(tmp_path / "once")


def test_without_scores_only_facts_are_judged(tmp_path: Path) -> None:
    write_claims([], tmp_path)
    lines = lines_of(tmp_path)
    assert {name for name, line in lines.items() if line["verdict"] != "not tested"} == {
        "needs_no_labels",
        "only_s_said_needs_labels",
        "two_are_semantic_aware",
    }
    markdown, tex = ((tmp_path / f"claims.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex"))
    assert markdown.startswith("# The paper's sentences without score files\n")
    assert r"\caption{Sentences on Table I without score files.}" in tex


def test_rows_name_what_differs_by_its_number_and_the_sample(score_file: ScoreFile, tmp_path: Path) -> None:
    texts = [f"a deviation of some length, number {number}" for number in range(9)]
    write_claims(
        [score_file("voc_quality", name, {25: values}, deviations=texts) for name, values in TWO.items()], tmp_path
    )
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert "| 1, 2, 3, 4, 5, 6, 7, 8, 9, 10; 24 of 1,449 images |" in text
    assert "\n1. 24 of 1,449 images.\n2. a deviation of some length, number 0.\n" in text


def test_words_on_print_are_the_same_in_all_files(tmp_path: Path) -> None:
    write_claims([], tmp_path)
    words = [line["print"] for line in lines_of(tmp_path).values()]
    assert {*words} == {"follows", "does not follow", "cannot be told"}
    markdown, tex = ((tmp_path / f"claims.{kind}").read_text(encoding="utf-8") for kind in ("md", "tex"))
    assert re.findall(r"^\| \d+ \|.*\| ([a-z ]+) \|$", markdown, flags=re.MULTILINE) == words
    assert re.findall(r"& ([a-z ]+) \\\\$", tex, flags=re.MULTILINE) == words


def test_lines_say_what_in_print_is_close_to_a_margin_or_contradicts_itself(tmp_path: Path) -> None:
    write_claims([], tmp_path)
    text, lines = (tmp_path / "claims.md").read_text(encoding="utf-8"), lines_of(tmp_path)
    close = "PSNR of U-SAID 32.17, of CDnCNN-B 32.27, worse by 0.10 where 0.1 is allowed"
    assert close in text
    assert lines["kodak_close_to_cdncnn_b"]["print_margin"].endswith(close)
    assert "At σ = 25, where both settings are the same experiment, print gives CBM3D a NIQE of both 2.6152 and" in text
    assert lines["draws_kodak_s_said"]["print_note"].startswith("the rounding of the printed means")


def test_the_note_on_p_values_stands_where_rounding_allows_both_sides(tmp_path: Path) -> None:
    """Of the pooled test, which is the one that all printed p-values fit."""
    pooled = next(test for test in TESTS if test.name == "pooled")
    entries = [entry for entry in all_published() if entry.metric.endswith(OF_TWO)]
    ranges = {}
    for entry in entries:
        pair = entry.denoiser.split("_vs_")
        ranges[entry.group, entry.metric, *pair] = p_range(pooled, *(moments(entry, name) for name in pair))
    both = {key: own for key, own in ranges.items() if own.low < 0.05 <= own.high}
    assert [*both] == [("kodak", "niqe_p_value", "s_said", "u_said")]
    notes = {claim.id: claim.note for claim in all_claims() if claim.over_draws and claim.note}
    (own,) = both.values()
    assert [*notes] == ["draws_kodak_s_said"]
    assert f"any p from {own.low:.2g} to {own.high:.2g}, on both sides of 0.05" in notes["draws_kodak_s_said"]


def test_files_of_two_experiments_are_refused(score_file: ScoreFile, tmp_path: Path) -> None:
    files = kodak(score_file)
    other = score_file("kodak_quality", "mlp", {25: {"psnr_rgb_float": BASE}}, experiment="another")
    with pytest.raises(UsaidError, match="experiments another and made; give those of one"):
        write_claims([*files, other], tmp_path)


def test_scores_by_different_judges_cost_the_claims_on_their_benchmark(score_file: ScoreFile, tmp_path: Path) -> None:
    good = kodak(score_file)
    write_claims(good, tmp_path)
    alone = lines_of(tmp_path)
    values = {25: {"psnr_rgb_float": BASE}}
    bad = [score_file("voc_quality", "s_said", values), score_file("voc_quality", "u_said", values, noise_version=2)]
    write_claims([*good, *bad], tmp_path)
    lines = lines_of(tmp_path)
    reason = "voc_quality/s_said.parquet and voc_quality/u_said.parquet: noise_version is 1 in the first and 2 in the"
    others = {name for name, line in lines.items() if line == alone[name]}
    assert {"kodak_best_psnr_ssim", "needs_no_labels"} <= others
    assert {lines[name]["verdict"] for name in lines.keys() - others} == {"not tested"}
    assert len(lines) > len(others)
    assert all(reason in str(lines[name]) for name in lines.keys() - others)


def test_the_command_says_what_it_wrote(
    score_file: ScoreFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["claims", *map(str, kodak(score_file)), "--to", str(tmp_path / "page")])
    assert capsys.readouterr().out == f"{tmp_path / 'page' / 'claims.md'} written\n"
    assert lines_of(tmp_path / "page")["kodak_best_psnr_ssim"]["verdict"] == "holds"


def test_the_page_of_tables_links_them(tmp_path: Path) -> None:
    pages = ("claims.csv", "tables/classes.csv", "statistics/kodak_quality.csv")
    write_index(tmp_path / "tables/index.md", [], "made", [str(tmp_path / page) for page in pages])
    text = (tmp_path / "tables/index.md").read_text(encoding="utf-8")
    assert "- [Which of the paper's sentences hold](../claims.md) · [CSV](../claims.csv)" in text
    assert "- [Scores of each class](classes.md) · [CSV](classes.csv)" in text
    assert "(../statistics/kodak_quality.md)" in text
