"""The committed reference runs: their tables come out of their scores again, and what they say."""

import json
import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from doc_pages import pages, prose_of

from evaluators.dag.dag import Dag
from evaluators.judge import trained_on_a_part
from usaid.checkpoints import stored_record
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import read_experiment
from usaid.files import sha256_of_file
from usaid.registries import METRICS as CARDS
from usaid.report.claims.files import write_claims
from usaid.report.figures.draw import draw_figure
from usaid.report.figures.figure_2 import ordering, write_figure_2
from usaid.report.statistics.pages import write_statistics
from usaid.report.tables.cells import Cell
from usaid.report.tables.classes import write_classes
from usaid.report.tables.files import make_table, write_index, write_provenance, write_table, write_verdicts
from usaid.report.tables.render_json import read_table
from usaid.scores.files import read_provenance, read_scores
from usaid.scores.kept_images import read_kept
from usaid.segmentation.supervisions import SUPERVISIONS

ROOT = Path(__file__).parents[1]
SUBSET = ROOT / "results/reference/subset"
RELEASED = ROOT / "results/reference/released"
METRICS = ROOT / "results/reference/metrics"

RUNS = {
    "released": ("config/released.yaml", "config/reference_released.yaml"),
    "subset": ("config/subset.yaml",),
    "table_4": ("config/reference_table_4.yaml",),
    "metrics": ("config/reference_metrics.yaml",),
    "training": ("config/reference_training.yaml",),
}
"""The committed runs, and what each was asked for."""


def committed(run: str) -> Experiment:
    """The experiment of a committed run, without the benchmarks and further draws that have no committed scores.

    The run of the released checkpoints was asked for DeepGlobe too, of which three images were at hand: no sample.
    """
    experiment = read_experiment(*(ROOT / path for path in RUNS[run]))
    scored = {n: own for n, own in experiment.benchmarks.items() if (ROOT / experiment.results / "scores" / n).is_dir()}
    draws = experiment.draws if any((ROOT / experiment.results).glob("scores/*/draws")) else None
    return experiment.model_copy(update={"benchmarks": scored, "draws": draws})


def rebuild(run: str, folder: Path) -> None:
    """Make the tables, statistics and claims of a committed run anew, from its scores.

    The working folder has to be the repository's root.
    """
    dag, tables, statistics = Dag(committed(run)), folder / "tables", folder / "statistics"
    for table in dag.tables:
        job = dag.table(table)
        write_table(table, job.files.get("scores", []), tables, job.settings.get("own_methods"))
    if f"{dag.results}/tables/classes.csv" in dag.pages:
        write_classes(dag.classes().files["scores"], tables)
    for benchmark in dag.experiment.benchmarks:
        files = dag.statistics_page(benchmark).files
        write_statistics(benchmark, files["scores"], statistics, files["ablation"])
    files = dag.claims().files
    write_claims(files["scores"], folder, files["ablation"])
    index = dag.index()
    files = [tables / Path(table).name for table in index.files["tables"]]
    pages = [folder / Path(page).relative_to(dag.results) for page in index.files["pages"]]
    write_index(tables / "index.md", files, dag.experiment.experiment, pages)
    write_verdicts(tables / "verdicts.csv", files)
    write_provenance(tables / "provenance.json", index.files["scores"])


@pytest.mark.parametrize("run", RUNS)
def test_committed_pages_come_out_of_the_committed_scores_byte_by_byte(run, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    rebuild(run, tmp_path)
    folder = ROOT / "results/reference" / run
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.*") if path.suffix != ".html"}
    parts = ("tables/*", "statistics/*", "claims.*")
    assert made == {path.relative_to(folder) for part in parts for path in folder.glob(part)}
    assert [path for path in made if (tmp_path / path).read_bytes() != (folder / path).read_bytes()] == []


@pytest.mark.parametrize(
    "path",
    sorted(ROOT.glob("results/reference/*/tables/table_*.json")),
    ids=lambda path: f"{path.parts[-3]}/{path.stem}",
)
def test_committed_numbers_name_score_files_whose_provenance_is_committed(path):
    known = json.loads(path.with_name("provenance.json").read_text(encoding="utf-8"))
    table = read_table(path)
    assert {name for cell in table["cells"] for name in cell["scores"]} <= {*known}
    with_numbers = [cell for cell in table["cells"] if cell["convention"]]
    assert all(cell["scores"] for cell in with_numbers)
    assert with_numbers or table["name"] in ("3", "10_print")


def test_committed_figure_2_comes_out_of_the_committed_curves(tmp_path):
    """The CSV file byte by byte; the pictures depend on the version of what draws them."""
    write_figure_2({name: SUBSET / f"figures/convergence_{name}.csv" for name in SUPERVISIONS}, tmp_path)
    assert (tmp_path / "figure_2.csv").read_bytes() == (SUBSET / "figures/figure_2.csv").read_bytes()


@pytest.mark.parametrize("figure", ["reproduction", "differences", "sigma"])
@pytest.mark.parametrize("run", [run for run in RUNS if run != "metrics"])  # plots show the paper's metrics alone
def test_committed_plots_show_the_committed_numbers(run, figure, tmp_path, monkeypatch):
    """Their CSV files byte by byte; the pictures depend on the version of what draws them."""
    monkeypatch.chdir(ROOT)
    draw_figure(figure, Dag(committed(run)).figure(figure).files, {}, tmp_path)
    name = f"figure_{figure}.csv"
    assert (tmp_path / name).read_bytes() == (ROOT / "results/reference" / run / "figures" / name).read_bytes()


def test_committed_images_are_of_the_committed_scores():
    """PSNR of the kept images is that of their score files, up to what another convolution may change."""
    kept = [read_kept(path) for path in RELEASED.glob("images/*.zip")]
    assert {images.denoiser for images in kept} == {"clean", "noisy", "cdncnn_b", "s_said", "u_said"}
    for images in kept:
        rows = read_scores(RELEASED / f"scores/kodak_quality/{images.denoiser}.parquet").rows
        psnr = rows.set_index(["image_id", "sigma"])["psnr_rgb_float"]
        of_kodak = [picture for picture in images.pictures if picture.benchmark == "kodak_quality"]
        assert len(of_kodak) >= 13 - 3
        for picture in of_kodak:
            expected = psnr[picture.image_id, picture.sigma]
            assert picture.scores["psnr_rgb_float"] == pytest.approx(expected, abs=1e-4)


# What they say


def test_network_learns_true_maps_faster_than_quarters_and_those_faster_than_pixels():
    means = ordering(pd.read_csv(SUBSET / "figures/figure_2.csv"))
    assert means.last_tenth["ground_truth"] < means.last_tenth["quarters"] < means.last_tenth["pixels"]
    assert means.all_steps["ground_truth"] < means.all_steps["quarters"] < means.all_steps["pixels"]


def test_statistics_over_seeds_say_what_the_seeds_said_before_there_were_other_sources(tmp_path):
    """Mean, interval and raw p of the page that stood here when seeds were the only source of chance."""
    write_statistics("kodak_quality", sorted(SUBSET.glob("scores/kodak_quality/*.parquet")), tmp_path)
    rows = pd.read_csv(tmp_path / "kodak_quality.csv", dtype=str, keep_default_na=False)
    of_seeds = rows[(rows["table"] == "6") & (rows["over"] == "seeds") & (rows["group"] == "25")]
    found = of_seeds.set_index(["metric", "denoiser", "other"])[["value", "low", "high", "p"]].agg(tuple, axis=1)
    assert len(found) == 3 * (4 + 6)
    assert found["niqe", "cdncnn_b", ""] == ("3.424035", "2.884709", "3.963360", "")
    assert found["niqe", "u_said", "cdncnn_b"] == ("-0.295512", "-0.689933", "0.098910", "0.0842")
    assert found["ssim", "u_said_detached", "cdncnn_b"] == ("0.003309", "0.000447", "0.006171", "0.0381")


@pytest.mark.parametrize(
    "scores", sorted(SUBSET.glob("scores/*/*.parquet")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_scores_were_made_from_the_committed_weights(scores):
    provenance = read_provenance(scores)
    assert provenance["failure"] is None
    weights = SUBSET / f"weights/{scores.stem}.safetensors"
    if provenance["entry"]["method"] == "noisy":
        assert not weights.exists()
        return
    if not weights.exists():  # the first seed's are kept
        assert provenance["entry"]["train"]["seed"] > 0
        return
    assert provenance["weights_sha256"] == sha256_of_file(weights)
    facts = stored_record(weights)
    for key in ("recipe", "seed", "steps", "batch"):
        assert facts[key] == provenance["entry"]["train"][key], key


def test_a_table_can_tell_how_many_images_a_denoiser_was_trained_on():
    weights = SUBSET / "weights/u_said.safetensors"
    assert trained_on_a_part(weights) == ["trained on 311 of the 1,464 images of voc2012/train"]


# Table VI: the released checkpoints on all of Kodak


def test_psnr_of_the_released_checkpoints_holds_but_for_one_that_is_off_by_a_tenth():
    files = [RELEASED / f"scores/kodak_quality/{name}.parquet" for name in ("noisy", "cdncnn_b", "s_said", "u_said")]
    cells = {c.place: c for c in make_table(6, files).cells if c.place.metric == "psnr" and c.paper is not None}
    beyond = [place for place, cell in cells.items() if abs(cell.ours - cell.paper) > 0.05]
    assert len(cells) == 9
    assert beyond == [("35", "u_said", "psnr")]
    assert [place for place, cell in cells.items() if cell.verdict != "holds"] == beyond
    assert cells[beyond[0]].verdict == "does not hold"


# Table IV: the non-blind methods on all of Kodak


@cache
def table_4() -> dict[tuple[str, str, str], Cell]:
    """The cells of the committed run's Table IV, as the builder makes them from its scores."""
    return {cell.place: cell for cell in make_table(4, RELEASED.glob("scores/kodak_quality/*.parquet")).cells}


def ours(setting: str, sigma: int, denoiser: str, metric: str = "psnr") -> tuple[float, float]:
    """Our value and the paper's in a cell of Table IV."""
    cell = table_4()[f"{setting}/{sigma}", denoiser, metric]
    assert cell.n == 24
    assert cell.ours is not None
    assert cell.paper is not None
    return cell.ours, cell.paper


def test_mc_wnnm_lands_where_the_paper_has_it():
    value, paper = ours("oracle_sigma", 25, "mc_wnnm")
    assert paper == 31.35
    assert abs(value - paper) < 0.3


@pytest.mark.parametrize("sigma", [15, 25, 35])
@pytest.mark.parametrize("setting", ["median_sigma", "oracle_sigma"])
def test_cbm3d_lands_where_the_paper_has_it(setting, sigma):
    value, paper = ours(setting, sigma, "cbm3d")
    assert abs(value - paper) < 0.3


@pytest.mark.parametrize("denoiser", ["mlp", "mc_wnnm", "cbm3d"])
def test_the_true_sigma_is_worth_more_than_the_median(denoiser):
    assert ours("oracle_sigma", 25, denoiser) == ours("median_sigma", 25, denoiser)
    if denoiser != "mlp":  # which has one model only
        for sigma in (15, 35):
            assert ours("oracle_sigma", sigma, denoiser)[0] > ours("median_sigma", sigma, denoiser)[0]


@pytest.mark.parametrize("denoiser", ["mlp", "mc_wnnm", "cbm3d"])
def test_every_told_level_has_its_rows_and_equal_cells_one(denoiser):
    scores = read_scores(RELEASED / f"scores/kodak_quality/{denoiser}.parquet")
    told = scores.rows.groupby(["sigma", "told_sigma"]).size()
    assert dict(told) == {(15, 15): 24, (15, 25): 24, (25, 25): 24, (35, 25): 24, (35, 35): 24}


# Further metrics, computed by pyiqa


@pytest.mark.parametrize("denoiser", ["noisy", "clean", "cdncnn_b", "s_said", "u_said"])
def test_further_metrics_are_of_the_images_of_the_released_run(denoiser):
    """PSNR, SSIM and NIQE of both runs, up to what another order of sums may change."""
    keys = ["image_id", "image_sha256", "sigma", "draw"]
    runs = [read_scores(run / f"scores/kodak_quality/{denoiser}.parquet") for run in (METRICS, RELEASED)]
    assert runs[0].provenance["judge"]["packages"] == {"pyiqa": "0.1.16"}
    assert runs[0].provenance["git"]["dirty"] is False
    both = runs[0].rows.merge(runs[1].rows, on=keys, suffixes=("", "_released"), validate="one_to_one")
    assert len(both) == len(runs[0].rows)
    for metric, tolerance in (("psnr_rgb_float", 1e-4), ("ssim_skimage7", 1e-6), ("niqe_live", 3e-3)):
        pd.testing.assert_series_equal(
            both[metric], both[f"{metric}_released"], check_names=False, rtol=0, atol=tolerance
        )


@pytest.mark.parametrize(("group", "undecided"), [(15, {"fsim", "vif"}), (25, set()), (35, set())])
def test_the_lead_in_niqe_holds_in_most_further_metrics_but_not_in_nlpd(group, undecided):
    """U-SAID - CDnCNN-B, by metrics of which the sign is that of "better"."""
    lines = pd.read_csv(METRICS / "statistics/kodak_quality.csv", dtype={"group": str})
    lines = lines.query("table == 6 and kind == 'difference' and group == @group", local_dict={"group": str(group)})
    lines = lines.query("denoiser == 'u_said' and other == 'cdncnn_b'").set_index("metric")
    assert {*lines[lines["verdict"] != "differ"].index} == undecided
    is_higher_better = [CARDS[metric].better == "higher" for metric in lines.index]
    leads = (lines["value"] > 0) == is_higher_better
    assert {*leads[leads].index} == {"niqe", "fsim", "vsi", "gmsd", "vif", "piqe"}
    assert {*leads[~leads].index} == {"psnr", "ssim", "nlpd"}


# What README and the pages say of them; test_findings.py traces those of the findings, section by section

INTERVAL = re.compile(r"([-+]?[0-9.]+) \[([-+]?[0-9.]+), ([-+]?[0-9.]+)\]")


def test_every_interval_on_the_pages_is_a_line_of_a_committed_statistics_file():
    lines = [pd.read_csv(path) for path in sorted(ROOT.glob("results/reference/*/statistics/*.csv"))]
    written = pd.concat(lines)[["value", "low", "high"]].dropna().to_numpy()
    others = [page for page in pages() if str(page) != "docs/findings.md"]
    quoted = [(page, numbers) for page in others for numbers in INTERVAL.findall(prose_of(page))]  # commands' are apart
    assert quoted
    for page, numbers in quoted:
        half_units = [0.501 * 10.0 ** -len(number.partition(".")[2]) for number in numbers]
        fits = (abs(written - [float(number) for number in numbers]) <= half_units).all(axis=1)
        assert fits.any(), f"{page} has {numbers[0]} [{numbers[1]}, {numbers[2]}]"
