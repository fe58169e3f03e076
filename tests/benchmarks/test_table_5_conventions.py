"""Table V by three conventions: the committed page is of the committed scores, and says what PROTOCOL was told."""

import csv
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from usaid.errors import UsaidError
from usaid.scores.files import Scores

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "results/reference/conventions/table_5_conventions"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import table_5_conventions

    return table_5_conventions


def committed() -> dict[tuple[str, str, str, str], str]:
    """(segmenter, sigma, convention, denoiser) -> its committed score."""
    with PAGE.with_suffix(".csv").open() as file:
        rows = [row for row in csv.DictReader(file) if not row["minus"]]
    return {(row["segmenter"], row["sigma"], row["convention"], row["denoiser"]): row["value"] for row in rows}


def test_the_committed_page_is_of_the_committed_scores(script):
    segmenter, run = script.read_run(ROOT / script.COMMITTED)
    found = {
        (segmenter, f"{sigma:g}", convention, name): f"{statistic.of_data_set(rows, run[name][1]):.6f}"
        for sigma in (15.0, 25.0, 35.0)
        for name, rows in script.at(run, sigma).items()
        for convention, statistic in script.CONVENTIONS.items()
    }
    assert found == {key: value for key, value in committed().items() if key[0] == segmenter}
    assert "".join(PAGE.with_suffix(".md").open()).count("| print |") == 6


def test_the_mean_of_images_has_the_printed_order_by_the_segmenter_of_the_protocol_and_not_by_the_next(script):
    """PROTOCOL section 5 speaks of the scores before these; the same recipe, seed and images gave another order."""
    of_protocol = {"noisy": 0.215, "cdncnn_b": 0.319, "s_said": 0.342, "u_said": 0.333, "clean": 0.387}
    scores = {
        segmenter: {name: float(committed()[segmenter, "25", "miou_per_image", name]) for name in script.TITLES}
        for segmenter in ("88081e29", "c7f00197")
    }
    assert scores["88081e29"] == pytest.approx(of_protocol, abs=6e-4)
    assert script.in_order(scores["88081e29"]) == "S-SAID > U-SAID > CDnCNN-B > noisy"
    assert script.in_order(scores["c7f00197"]) == "U-SAID > S-SAID > CDnCNN-B > noisy"


def test_details_of_the_mean_of_an_image_by_hand(script):
    """Background 2 of 3 and a cat that is none; then background 1 of 2 and a cat, 1 of 2."""
    pandas = pytest.importorskip("pandas")
    rows = pandas.DataFrame({"confusion": [[2, 1, 0, 0], [1, 0, 1, 1]]})
    expected = {(False, True): (1 / 3 + 1 / 2) / 2, (False, False): (0 + 1 / 2) / 2}
    expected |= {(True, True): (2 / 3 + 1 / 2) / 2, (True, False): 1 / 2}
    for (of_truth, background), mean in expected.items():
        assert script.mean_of_images(rows, of_truth, background) == pytest.approx(mean)


def with_judges(monkeypatch: pytest.MonkeyPatch, script: ModuleType, names: str, sigma: float = 25) -> None:
    """Score files of two classes and one image, by segmenters of one letter each."""
    judges = dict(zip(script.TITLES, names, strict=True))
    rows = pd.DataFrame({"image_id": "a", "sigma": sigma, "draw": 0, "confusion": [[2, 1, 0, 1]]})

    def read_scores(path: Path) -> Scores:
        return Scores(rows, {"failure": None, "judge": {"weights_sha256": judges[path.stem]}})

    monkeypatch.setattr(script, "read_scores", read_scores)


def test_scores_that_cannot_be_compared_are_one_line(script, monkeypatch):
    with_judges(monkeypatch, script, "ssrss")
    with pytest.raises(UsaidError, match=r"^one: judged by several segmenters, r, s; score all by one$"):
        script.read_run(Path("one"))
    with_judges(monkeypatch, script, "sssss", sigma=50)
    with pytest.raises(UsaidError, match=r"^one: has not all rows at sigma 25"):
        script.read_run(Path("one"))
    with_judges(monkeypatch, script, "sssss")
    _, run = script.read_run(Path("one"))
    rows, record = run["noisy"]
    run["noisy"] = rows.assign(image_id="b"), record
    with pytest.raises(UsaidError, match=r"^score files of different images at sigma 25"):
        script.at(run, 25)
