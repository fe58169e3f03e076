"""What the paper prints in Figures 3 to 5, and the images that the committed scores tell."""

from pathlib import Path

import pandas as pd
import pytest

from usaid.paper.figures import COLUMNS, figure_notes, how_told, printed_row, printed_rows

SCORES = Path(__file__).parents[3] / "results/reference/released/scores/kodak_quality"

ROWS = [(figure, row) for figure in (4, 5) for row in printed_rows(figure)]


def test_numbers_keep_their_digits():
    assert printed_row(4, 25).number("niqe", "cdncnn_b") == "3.01"
    assert printed_row(5, 35).number("psnr", "u_said") == "33.63"
    assert [*printed_row(3, 15).numbers["miou"].values()] == ["0.7866", "0.7909", "0.7872"]


def test_rows_of_figure_3_that_print_has_twice_are_said_to_be():
    assert printed_row(3, 25).numbers == printed_row(3, 35).numbers
    assert "same three numbers" in str(figure_notes(3))
    assert figure_notes(4) is None


def test_what_print_lacks():
    row = printed_row(4, 15)
    assert (row.number("psnr", "u_said"), row.image_id) == ("", None)
    assert printed_row(4, 25).number("psnr", "noisy") == printed_row(4, 25).number("ssim", "u_said") == ""
    assert {row.image_id for row in printed_rows(3)} == {None}


def distances(sigma: float, numbers: dict[str, str]) -> pd.Series:
    """Of the 24 images: by how much their PSNR differs from print at most, nearest first."""
    apart = {}
    for denoiser in COLUMNS:
        scores = pd.read_parquet(SCORES / f"{denoiser}.parquet")
        psnr = scores[scores["sigma"] == sigma].set_index("image_id")["psnr_rgb_float"]
        apart[denoiser] = (psnr - float(numbers[denoiser])).abs()
    return pd.DataFrame(apart).max(axis=1).sort_values()


@pytest.mark.parametrize(("figure", "row"), ROWS, ids=lambda value: getattr(value, "image_id", str(value)))
def test_images_are_the_nearest_in_psnr_of_all(figure, row):
    found = distances(row.sigma, dict(row.numbers["psnr"]))
    assert len(found) == 24
    assert found.index[0] == row.image_id
    assert f"{found.iloc[0]:.2f}" in how_told(figure)
    assert f"{found.iloc[1]:.2f}" in how_told(figure)
