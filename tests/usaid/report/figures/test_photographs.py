"""Figures 3 to 5: pixels where they belong, captions of the archives' numbers, and what is said where there is none."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_archives import (
    DEVIATION,
    PERSON,
    TITLES,
    kodak_pictures,
    labels_of,
    noise,
    picture,
    voc_pictures,
    write_archive,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from usaid.datasets.voc2012 import COLOURS
from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.paper.figures import COLUMNS
from usaid.report.figures import figure_3, figure_4, figure_5, kodak
from usaid.report.figures.drawing import drawing
from usaid.report.figures.panels import Grid
from usaid.report.figures.shown import Shown, rows_of
from usaid.scores.kept_images import Window

LANDSCAPE, UPRIGHT, WIDE = (48, 32), (48, 72), (160, 96)
VOC = {"images": {15: "2007_000033", 25: "2007_000042", 35: "2007_000061"}}
KODAK = {"images": {"35": "kodim23", "15": "kodim15", "25": "kodim24"}}
ONE: dict[str, Any] = {"image": "kodim10", "sigma": 25, "zoom": [3, 5, 20, 16]}
WRITERS = {
    3: (figure_3.write_figure_3, VOC),
    4: (figure_4.write_figure_4, ONE),
    5: (figure_5.write_figure_5, KODAK),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of the clean images and the paper's three denoisers: all that Figures 3 to 5 show."""
    folder = tmp_path_factory.mktemp("images")
    return {name: archive(folder, name) for name in TITLES}


@pytest.fixture
def archives(made: dict[str, Path]) -> dict[str, Path]:
    """A test may put its own paths there, but not write to those that it finds."""
    return dict(made)


def archive(folder: Path, name: str, **changes: Any) -> Path:
    pictures = [
        *kodak_pictures(name, {25.0: "kodim10"}, UPRIGHT),
        *kodak_pictures(name, rows_of(KODAK), LANDSCAPE),
        *voc_pictures(name, rows_of(VOC), WIDE),
    ]
    return write_archive(folder, name, pictures, **changes)


def drawn(number: int, archives: dict[str, Path], settings: dict[str, Any]) -> Figure:
    if number == 3:
        shown = Shown(3, figure_3.BENCHMARK, archives, COLUMNS)
        images = rows_of(settings)
        numbers = shown.numbers(images, {"miou": (figure_3.CONVENTION,)})
        with drawing():
            return figure_3.draw_figure_3(shown, images, numbers)
    shown = Shown(number, kodak.BENCHMARK, archives, COLUMNS)
    images = rows_of(settings) if number == 5 else {25.0: settings["image"]}
    numbers = kodak.numbers_of(shown, images)
    with drawing():
        if number == 5:
            return figure_5.draw_figure_5(shown, images, numbers)
        return figure_4.draw_figure_4(shown, numbers, (settings["image"], 25.0), Window(*settings["zoom"]))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def panels(figure: Figure) -> Iterator[np.ndarray]:
    """What a PNG has at the place of each panel, row by row, lines on its edge left out."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    dots = np.asarray(canvas.buffer_rgba())[..., :3]
    for axes in figure.axes:
        left, bottom, right, top = axes.bbox.extents.round().astype(int)
        yield dots[len(dots) - top : len(dots) - bottom, left:right]


def in_squares(pixels: np.ndarray, size: int) -> np.ndarray:
    return pixels.repeat(size, axis=0).repeat(size, axis=1)


def rows_in(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


# ------------------------------------------------------------------------------------------------ pixels


def test_photographs_of_figure_5_are_drawn_dot_by_dot(archives):
    found = [*panels(drawn(5, archives, KODAK))]
    seeds = [[*TITLES].index(name) * 100 + sigma for sigma in (15, 25, 35) for name in [*COLUMNS, "clean"]]
    assert len(found) == 12
    for dots, seed in zip(found, seeds, strict=True):
        assert np.array_equal(dots, in_squares(noise(seed, LANDSCAPE), 7))


def test_figure_4_magnifies_pixels_by_a_whole_number(archives):
    found = [*panels(drawn(4, archives, {**ONE, "zoom": [3, 5, 20, 16]}))]
    assert len(found) == 8
    for seed, whole, part in zip((125, 225, 325, 25), found[:4], found[4:], strict=True):
        image = noise(seed, UPRIGHT)
        assert np.array_equal(part, in_squares(image[5:21, 3:23], 25))
        image = in_squares(image, 10)
        inside = np.s_[60:200, 40:220]
        assert np.array_equal(whole[inside], image[inside])
        assert not np.array_equal(whole[45:55, 30:230], image[45:55, 30:230])  # the frame


def test_an_image_larger_than_its_panel_is_reduced(tmp_path):
    grey = np.full((1200, 900, 3), 100, np.uint8)
    pictures = [picture("kodak_quality", "kodim15", 15.0, (900, 1200), pixels=grey)]
    figure = drawn(5, {"u_said": write_archive(tmp_path, "u_said", pictures)}, {"images": {15: "kodim15"}})
    ((height, width),) = {axes.images[0].get_size() for axes in figure.axes if axes.images}
    assert width < 400
    assert height == pytest.approx(width * 4 / 3, abs=1)
    assert (next(dots for dots in panels(figure) if dots.shape[1] == width) == 100).all()


def test_label_maps_have_the_colours_of_voc_and_white_void(archives):
    found = [*panels(drawn(3, archives, VOC))]
    assert len(found) == 15
    image, truth, cdncnn_b = found[:3]
    assert np.array_equal(image, in_squares(noise(7, WIDE), 2))
    labels = in_squares(labels_of(WIDE), 2)
    for value, colour in ((0, (0, 0, 0)), (255, (255, 255, 255)), (PERSON, (192, 128, 128))):
        is_it = labels == value
        is_it[48:144, 60:260] = False  # where the name may stand
        assert (truth[is_it] == colour).all()
    assert COLOURS[PERSON] == (192, 128, 128)
    assert np.array_equal(cdncnn_b[:20], np.roll(truth, 2, axis=1)[:20])


def test_classes_are_named_on_the_map_where_there_is_room_and_in_the_legend(archives):
    figure = drawn(3, archives, VOC)
    assert [text.get_text() for text in figure.axes[1].texts] == ["person"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["background", "person", "void (not scored)"]


# ------------------------------------------------------------------------------------------------ captions


def test_captions_are_the_archives_numbers_beside_the_papers(archives):
    found = texts(drawn(5, archives, KODAK))
    assert found.count("(PSNR = 30.12, NIQE = 3.0625)") == 3
    assert "in print: 35.52, 3.0163" in found
    assert {"(a) CDnCNN-B", "(b) S-SAID", "(c) U-SAID", "(d) Ground truth", "σ = 15"} <= {*found}
    assert f"{DEVIATION}." in found
    assert not any("()" in text or "inf" in text for text in found)


def test_figure_4_has_two_digits_of_niqe(archives):
    found = texts(drawn(4, archives, ONE))
    assert "(PSNR = 30.25, NIQE = 3.12)" in found
    assert "in print: 34.02, 2.76" in found


def test_other_images_than_the_papers_have_no_printed_numbers_below_them(archives):
    found = texts(drawn(5, archives, {"images": {25: "kodim10"}}))
    assert "(PSNR = 30.12, NIQE = 3.0625)" in found
    assert not any(text.startswith("in print") for text in found)
    assert any(text.startswith("The paper's figure probably shows kodim15 (σ = 15), kodim24") for text in found)


def test_figure_3_says_what_the_paper_prints_for_other_images(archives):
    found = texts(drawn(3, archives, VOC))
    assert found.count("IoU: 0.5625") == 3
    assert any("σ = 25: 0.5432, 0.8827, 0.8720" in text for text in found)
    assert not any(text.startswith("in print") for text in found)


def test_the_convention_is_said_where_no_deviation_says_it(tmp_path):
    archives = {name: archive(tmp_path, name, provenance={}) for name in TITLES}
    assert "NIQE: niqe_live (the paper's is niqe_matlab)." in texts(drawn(5, archives, KODAK))


def test_a_deviation_of_one_denoiser_is_said_to_be_its(archives, tmp_path):
    archives["s_said"] = archive(tmp_path, "s_said", provenance={"deviations": {"kodak_quality": ["half precision"]}})
    assert "S-SAID: half precision." in texts(drawn(5, archives, KODAK))


# ------------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("number", WRITERS)
def test_files_are_the_same_each_time(number, archives, tmp_path):
    write, settings = WRITERS[number]
    write(archives, settings, tmp_path / "a")
    write(archives, settings, tmp_path / "b")
    names = [f"figure_{number}.{suffix}" for suffix in ("csv", "pdf", "png")]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_png_is_of_a_pages_width_and_pdf_embeds_fonts_and_whole_pixels(archives, tmp_path):
    figure_4.write_figure_4(archives, ONE, tmp_path)
    with Image.open(tmp_path / "figure_4.png") as image:
        assert image.width == 2148
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    content = (tmp_path / "figure_4.pdf").read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert b"/Height 720" in content
    assert b"/Width 480" in content


def test_csv_has_ours_with_all_digits_and_the_papers_as_printed(archives, tmp_path):
    figure_4.write_figure_4(archives, ONE, tmp_path)
    rows = rows_in(tmp_path / "figure_4.csv")
    assert [(row["denoiser"], row["metric"], row["ours"], row["paper"]) for row in rows[:3]] == [
        ("cdncnn_b", "psnr", "30.125", "34.31"),
        ("cdncnn_b", "niqe", "3.0625", "3.01"),
        ("s_said", "psnr", "30.25", "34.02"),
    ]
    assert {row["paper_image"] for row in rows} == {"kodim10"}
    assert {row["convention"] for row in rows} == {"psnr_rgb_float", "niqe_live"}


def test_csv_of_figure_3_says_that_the_papers_images_cannot_be_told(archives, tmp_path):
    figure_3.write_figure_3(archives, VOC, tmp_path)
    rows = rows_in(tmp_path / "figure_3.csv")
    assert len(rows) == 9
    assert [row["paper"] for row in rows[:3]] == ["0.7866", "0.7909", "0.7872"]
    assert {row["paper_image"] for row in rows} == {""}


# ------------------------------------------------------------------------------------------------ what is missing


def test_a_failed_denoiser_leaves_frames_that_say_why(archives, tmp_path):
    archives["s_said"] = tmp_path / "s_said.zip"
    write_marker(archives["s_said"], Failure("keep_images s_said", "weights.pt: is no checkpoint; download it again"))
    figure = drawn(5, archives, KODAK)
    found = texts(figure)
    assert " ".join(found).count("keep_images s_said failed: weights.pt: is no checkpoint; download it again") == 3
    assert "(b) S-SAID" in found
    assert np.array_equal([*panels(figure)][2], in_squares(noise(315, LANDSCAPE), 7))
    figure_5.write_figure_5(archives, KODAK, tmp_path)
    row = next(row for row in rows_in(tmp_path / "figure_5.csv") if row["denoiser"] == "s_said")
    assert row["ours"] == ""
    assert row["reason"].startswith("keep_images s_said failed: weights.pt")


@pytest.mark.parametrize("number", WRITERS)
def test_nothing_kept_is_said_in_every_panel(number, tmp_path):
    write, settings = WRITERS[number]
    write({}, settings, tmp_path)
    assert {row["reason"] for row in rows_in(tmp_path / f"figure_{number}.csv")} == {"no images kept"}
    figure = drawn(number, {}, settings)
    assert texts(figure).count("no images kept") == len(figure.axes)


def test_an_image_that_was_not_kept_is_named(archives):
    found = " ".join(texts(drawn(5, archives, {"images": {15: "kodim01"}})))
    assert "not kept: kodim01 of kodak_quality" in found


def test_a_window_is_not_taken_for_the_image(archives, tmp_path):
    pictures = kodak_pictures("u_said", rows_of(KODAK), LANDSCAPE)
    cut = [replace(it, window=it.window._replace(width=40), pixels=it.pixels[:, :40]) for it in pictures]
    archives["u_said"] = write_archive(tmp_path, "u_said", cut)
    assert len([*drawn(5, archives, KODAK).axes[2].images]) == 0


def test_a_picture_without_label_map_or_score(archives, tmp_path):
    pictures = [replace(it, seen=None, scores={}) for it in voc_pictures("u_said", rows_of(VOC), WIDE)]
    archives["u_said"] = write_archive(tmp_path, "u_said", pictures)
    found = texts(drawn(3, archives, VOC))
    assert found.count("no label map kept") == 3
    assert found.count("IoU: –") == 3


def test_a_damaged_archive_is_an_error_that_names_it(archives, tmp_path):
    archives["u_said"] = tmp_path / "u_said.zip"
    archives["u_said"].write_bytes(b"PK")
    with pytest.raises(UsaidError, match=r"u_said\.zip: no archive of kept images .*; delete it, and run again"):
        figure_5.write_figure_5(archives, KODAK, tmp_path)


@pytest.mark.parametrize("zoom", [[-1, 0, 8, 8], [0, 0, 8, 0], [40, 0, 9, 8], [0, 65, 8, 8]])
def test_a_zoom_outside_the_image_is_an_error(zoom, archives, tmp_path):
    with pytest.raises(UsaidError, match=r"figure_4: zoom \[.*\] is not within kodim10 \(48 x 72 pixels\)"):
        figure_4.write_figure_4(archives, {**ONE, "zoom": zoom}, tmp_path)


def test_a_zoom_too_large_to_be_drawn_is_an_error(archives, tmp_path):
    with pytest.raises(UsaidError, match=r"figure_4: zoom \[0, 0, 600, 20\] is larger than"):
        figure_4.write_figure_4(archives, {**ONE, "zoom": [0, 0, 600, 20]}, tmp_path)


# ------------------------------------------------------------------------------------------------ denoisers of others


HOSTILE = r"$\frac{1}{$ <script>alert(1)</script> \end{document} מסיר רעש 去噪器 " + "W" * 300


def test_hostile_titles_are_drawn_as_they_are_and_within_their_column(archives, tmp_path):
    archives["u_said"] = archive(tmp_path, "u_said", title=HOSTILE)
    figure_5.write_figure_5(archives, KODAK, tmp_path)
    figure = drawn(5, archives, KODAK)
    with drawing():
        FigureCanvasAgg(figure).draw()
        mine = [text for text in figure.texts if text.get_text().startswith((r"(c) \$", "<script>"))]
        assert len(mine) == 2
        assert all(text.get_window_extent().width <= Grid(4, 225).width + 2 for text in mine)
        for text in figure.texts:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1 + 1


def test_other_denoisers_in_another_number_of_columns(archives, tmp_path):
    figure_5.write_figure_5(archives, KODAK, tmp_path, denoisers=["u_said"])
    assert {row["denoiser"] for row in rows_in(tmp_path / "figure_5.csv")} == {"u_said"}


def test_more_denoisers_than_fit_a_page_are_an_error(archives, tmp_path):
    with pytest.raises(UsaidError, match="figure_5: 200 denoisers do not fit a page"):
        figure_5.write_figure_5(archives, KODAK, tmp_path, denoisers=[f"mine_{number}" for number in range(200)])
