"""The viewer in a real browser: its pixels are those of the archives, and all panes move as one."""

from pathlib import Path

import numpy as np
import pytest
from kept_archives import SIDE, WINDOW, archives, host_page, noise, picture
from PIL import Image
from viewer_pages import LEFT, NOTICED, RIGHT, TALL, choose, drawn, pixels

from usaid.report.page.viewer.sources import ViewerSource
from usaid.scores.kept_images import Window

COUNTING = """
window.decodings = 0;
const original = window.createImageBitmap;
window.createImageBitmap = (...given) => { window.decodings += 1; return original(...given); };
"""
PANES = ("#viewer-layer-left", "#viewer-layer-right", "#viewer-difference", "#viewer-strip li:nth-child(3)")


def stages(page) -> list[tuple[str, str, str]]:
    """Size and place of the stage in each kind of pane."""
    return [
        tuple(
            page.locator(f"{pane} .viewer-stage").evaluate(
                "e => { const s = getComputedStyle(e); return [s.width, s.height, s.transform]; }"
            )
        )
        for pane in PANES
    ]


def split(page) -> float:
    """Where the right layer begins, in percent of the pane."""
    clip = page.locator("#viewer-layer-right").evaluate("e => getComputedStyle(e).clipPath")
    return float(clip.removesuffix("%)").split()[-1])


# ------------------------------------------------------------------------------------------------ pixels


def test_pixels_are_those_of_the_archive(opened):
    page = opened()
    np.testing.assert_array_equal(pixels(page, LEFT), picture("cdncnn_b").pixels)
    np.testing.assert_array_equal(pixels(page, RIGHT), picture("u_said").pixels)
    choose(page, "left", "clean")
    choose(page, "sigma", "15")
    np.testing.assert_array_equal(pixels(page, LEFT), picture("clean").pixels)
    np.testing.assert_array_equal(pixels(page, RIGHT), picture("u_said", sigma=15.0).pixels)


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
def test_pixels_on_the_screen_are_whole_multiples(opened, ratio):
    page = opened(device_scale_factor=ratio)
    for zoom in (1, 2, 4, 8):
        page.click(f'[data-zoom="{zoom}"]')
        width = float(stages(page)[0][0].removesuffix("px"))
        assert width * ratio / SIDE == pytest.approx(round(zoom * ratio + 1e-9), abs=1e-3)
    assert page.locator(LEFT).evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"


def test_one_pixel_at_1x_is_one_on_the_screen(opened, tmp_path):
    page = opened()
    page.click('[data-zoom="1"]')
    page.evaluate("document.querySelector('#viewer-slider').value = 0")
    page.locator("#viewer-slider").dispatch_event("input")
    page.add_style_tag(content=".viewer-divider, .viewer-tag { display: none; }")
    stage = page.locator("#viewer-layer-right .viewer-stage")
    shot = screenshot(stage, tmp_path)
    first = (shot.shape[0] - SIDE, shot.shape[1] - SIDE)  # the page may lay the pane out between two rows
    starts = [(y, x) for y in range(first[0] + 1) for x in range(first[1] + 1)]
    assert any(np.array_equal(shot[y : y + SIDE, x : x + SIDE], picture("u_said").pixels) for y, x in starts)


def screenshot(locator, folder: Path) -> np.ndarray:
    locator.screenshot(path=folder / "shot.png")
    with Image.open(folder / "shot.png") as image:
        return np.asarray(image.convert("RGB"))


def test_a_picture_is_not_decoded_before_it_is_needed(open_page, tmp_path):
    names = ["clean", "noisy", "cdncnn_b", "u_said", *(f"d{index}" for index in range(196))]
    small = {"window": Window(0, 0, 16, 16)}
    kept = {name: [picture(name, pixels=noise(index)[:16, :16], **small)] for index, name in enumerate(names)}
    source = ViewerSource("many", "Many", archives(tmp_path, kept))
    page = open_page(host_page(tmp_path / "index.html", source, before=TALL, first=COUNTING))
    page.evaluate(NOTICED)
    assert page.evaluate("decodings") == 0
    drawn(page)
    assert 2 <= page.evaluate("decodings") < 50
    assert page.locator("#viewer-left option").count() == 200
    page.locator("#viewer-strip li").last.scroll_into_view_if_needed()
    page.wait_for_selector('[data-denoiser="d195"][data-drawn]')


# ------------------------------------------------------------------------------------------------ difference map


def test_the_difference_map_is_exact(opened):
    page = opened()
    left, right = (picture(name).pixels.astype(int) for name in ("cdncnn_b", "u_said"))
    absolute = np.abs(right - left).sum(axis=2) / 3
    for scale in (8, 16, 32, 64):
        choose(page, "scale", str(scale))
        expected = np.floor(255 * np.minimum(absolute / scale, 1) + 0.5)
        for channel in range(3):
            np.testing.assert_array_equal(pixels(page, "#viewer-difference canvas")[..., channel], expected)
        assert f"{scale} of 255" in page.inner_text("#viewer-legend")
    assert f"mean {absolute.mean():.2f}" in page.inner_text("#viewer-sum")


def test_the_signed_map_is_exact(opened):
    page = opened()
    choose(page, "mode", "signed")
    choose(page, "scale", "64")
    left, right = (picture(name).pixels.astype(int) for name in ("cdncnn_b", "u_said"))
    share = np.clip((right - left) @ [299, 587, 114] / 1000 / 64, -1, 1)[..., None]
    end = np.where(share < 0, [0, 90, 181], [194, 88, 0])
    expected = np.floor(247 + np.abs(share) * (end - 247) + 0.5)
    np.testing.assert_allclose(pixels(page, "#viewer-difference canvas"), expected, atol=1)
    assert "right darker" in page.inner_text("#viewer-legend")


def test_a_denoiser_differs_nowhere_from_itself(opened):
    page = opened()
    choose(page, "left", "u_said")
    assert not pixels(page, "#viewer-difference canvas").any()


@pytest.mark.parametrize(("beyond", "said"), [(0, "0.0 %"), (2, "< 0.1 %"), (3, "0.1 %")])
def test_few_pixels_beyond_the_scale_are_not_said_to_be_none(opened, tmp_path, beyond, said):
    some = np.zeros((SIDE, SIDE, 3), np.uint8)
    other = some.copy()
    other[0, :beyond] = 9
    kept = {"clean": [picture("clean", pixels=some)], "u_said": [picture("u_said", pixels=other)]}
    page = opened(ViewerSource("a", "A", archives(tmp_path, kept)))
    assert f"; {said} of the pixels are beyond the scale." in page.inner_text("#viewer-sum")


# ------------------------------------------------------------------------------------------------ slider, zoom, pan


def test_the_slider_is_moved_by_keyboard(opened):
    page = opened()
    assert split(page) == 50
    page.focus("#viewer-slider")
    page.keyboard.press("ArrowRight")
    assert split(page) == 51
    page.keyboard.press("Home")
    assert split(page) == 0
    page.keyboard.press("End")
    assert split(page) == 100
    assert page.get_by_role("slider", name="Divider between left and right").input_value() == "100"


def test_the_slider_is_dragged_by_mouse(opened):
    page = opened()
    before = stages(page)
    box = page.locator("#viewer-compare").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, y, steps=4)
    page.mouse.up()
    assert split(page) == pytest.approx(25, abs=1)
    assert stages(page) == before, "the divider moves the pictures"


def test_the_slider_is_dragged_by_touch(opened):
    page = opened(has_touch=True)
    box = page.locator("#viewer-compare").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 10, "y": y}]),
        ("touchMove", [{"x": box["x"] + 0.75 * box["width"], "y": y}]),
        ("touchEnd", []),
    ):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert split(page) == pytest.approx(75, abs=1)


def test_all_panes_zoom_and_pan_as_one(opened):
    page = opened()
    seen = set()
    compare = page.locator("#viewer-compare")

    def in_step() -> None:
        places = stages(page)
        assert len({*places}) == 1
        assert places[0] not in seen, "nothing has moved"
        seen.add(places[0])

    in_step()
    page.click('[data-zoom="2"]')
    in_step()
    page.click("#viewer-in")
    in_step()
    compare.focus()
    for key in ("ArrowRight", "ArrowDown", "-", "ArrowLeft"):
        page.keyboard.press(key)
        in_step()
    for pane in ("#viewer-compare", "#viewer-difference", "#viewer-strip li:nth-child(2) .viewer-pane"):
        page.locator(pane).scroll_into_view_if_needed()
        box = page.locator(pane).bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 100)
        page.mouse.down()
        page.mouse.move(box["x"] + 33, box["y"] + 107, steps=3)
        page.mouse.up()
        in_step()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function("() => document.querySelector('[data-zoom=\"4\"]').getAttribute('aria-pressed') === 'true'")
    in_step()


def test_a_wheel_without_ctrl_scrolls_the_page(opened):
    page = opened(viewport={"width": 1000, "height": 500})
    before, at = stages(page), page.evaluate("scrollY")
    page.locator("#viewer-compare").hover(position={"x": 30, "y": 60})
    page.mouse.wheel(0, 100)
    page.wait_for_function(f"() => scrollY !== {at}")
    assert stages(page) == before


def test_a_pixel_is_read_under_the_pointer(opened):
    page = opened()
    page.click('[data-zoom="4"]')
    stage = page.locator("#viewer-layer-left .viewer-stage").bounding_box()
    page.mouse.move(stage["x"] + 4 * 7 + 2, stage["y"] + 4 * 5 + 2)
    values = " ".join(map(str, picture("cdncnn_b").pixels[5, 7]))
    expected = f"Pixel ({WINDOW.left + 7}, {WINDOW.top + 5}): CDnCNN-B {values}; U-SAID"
    page.wait_for_function(f"() => document.querySelector('#viewer-readout').textContent.startsWith({expected!r})")
