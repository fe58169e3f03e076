"""Which part of an image is kept: where the clean image has the most texture, or around a place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.keeping.windows import LONGEST_SIDE, cut, overview_of, window_of
from usaid.scores.kept_images import Window


def test_where_the_texture_is():
    image = np.full((60, 80, 3), 90, np.uint8)
    image[30:46, 50:66] = np.random.default_rng(0).integers(0, 256, (16, 16, 3))
    assert window_of(image, 17) == Window(50, 30, 17, 17)


def test_of_an_even_image_the_upper_left():
    assert window_of(np.zeros((60, 80, 3), np.uint8), 20) == Window(0, 0, 20, 20)


def as_a_loop_finds_it(image: np.ndarray, side: int) -> tuple[int, int]:
    grey = image.astype(int).sum(axis=2)
    texture = np.zeros_like(grey)
    texture[:, 1:] += (grey[:, 1:] - grey[:, :-1]) ** 2
    texture[1:] += (grey[1:] - grey[:-1]) ** 2
    height, width = grey.shape
    best, found = -1, (0, 0)
    for top in range(height - side + 1):
        for left in range(width - side + 1):
            if (value := texture[top : top + side, left : left + side].sum()) > best:
                best, found = value, (left, top)
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 14), st.integers(4, 14), st.integers(1, 4), st.integers(0, 99))
def test_as_a_loop_over_all_places_finds_it(height, width, side, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert window_of(image, side)[:2] == as_a_loop_finds_it(image, side)


@pytest.mark.parametrize(
    ("centre", "corner"), [((40, 30), (30, 20)), ((0, 0), (0, 0)), ((79, 59), (60, 40)), ((999, 30), (60, 20))]
)
def test_around_a_place_as_far_as_the_edges_allow(centre, corner):
    assert window_of(np.zeros((60, 80, 3), np.uint8), 20, centre) == Window(*corner, 20, 20)


def test_an_image_that_is_smaller_than_the_window_is_whole():
    image = np.random.default_rng(0).integers(0, 256, (10, 80, 3), np.uint8)
    assert window_of(image, 32)[2:] == (32, 10)
    assert window_of(image, 128) == window_of(image, None) == window_of(image, None, (3, 3)) == Window(0, 0, 80, 10)


def test_a_cut_is_the_images_own_pixels():
    image = np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)
    assert np.array_equal(cut(image, Window(3, 2, 5, 4)), image[2:6, 3:8])


def test_an_overview_keeps_the_sides_ratio_and_enlarges_nothing():
    assert overview_of(np.zeros((400, 800, 3), np.uint8)).shape == (LONGEST_SIDE // 2, LONGEST_SIDE, 3)
    assert overview_of(np.zeros((32, 16, 3), np.uint8)).shape == (32, 16, 3)
