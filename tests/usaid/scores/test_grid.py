"""The grid of draws and images behind a noise level's rows."""

import math

import numpy as np
import pandas as pd
import pytest

from usaid.scores.grid import Grid


@pytest.fixture
def rows() -> pd.DataFrame:
    """In no order, without one row, with one score that is undefined; the index is that of a larger table."""
    of_rows = [("b", 1, 21.0), ("a", 0, 10.0), ("ä", 0, math.nan), ("b", 0, 20.0), ("ä", 1, 31.0)]
    return pd.DataFrame(of_rows, columns=["image_id", "draw", "psnr"], index=[7, 3, 9, 4, 1])


def test_scores_stand_by_draw_and_image_in_order(rows):
    grid = Grid(rows)
    assert grid.images == ("a", "b", "ä")
    assert grid.image_set == {"a", "b", "ä"}
    assert grid.draws == (0, 1)
    expected = [[10.0, 20.0, math.nan], [math.nan, 21.0, 31.0]]
    assert np.array_equal(grid.values("psnr"), expected, equal_nan=True)


def test_whole_numbers_become_float64(rows):
    rows["top1"] = [1, 0, 1, 1, 0]
    values = Grid(rows).values("top1")
    assert values.dtype == np.float64
    assert values[0].tolist() == [0, 1, 1]


def test_it_is_what_a_pivot_gives():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"image_id": [f"i{n}" for n in range(40)] * 3, "draw": np.repeat([5, 2, 11], 40)})
    rows["psnr"] = rng.normal(size=120)
    rows = rows.sample(frac=1, random_state=1)
    table = rows.pivot(index="draw", columns="image_id", values="psnr").sort_index().sort_index(axis=1)
    grid = Grid(rows)
    assert (grid.draws, grid.images) == (tuple(table.index), tuple(table.columns))
    assert (grid.values("psnr") == table.to_numpy()).all()
