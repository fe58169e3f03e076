"""The viewer in a real browser: its pixels are those of the archives, and all panes move as one."""

from pathlib import Path

import numpy as np
import pytest
from kept_archives import SIDE, SIZE, TITLES, WINDOW, archives, host_page, noise, picture, seen_by, segmented, whole
from PIL import Image

from usaid.report.page.viewer.sources import ViewerSource
from usaid.scores.kept_images import Seen, Window

COUNTING = """
window.decodings = 0;
const original = window.createImageBitmap;
window.createImageBitmap = (...given) => { window.decodings += 1; return original(...given); };
"""
NOTICED = """new Promise((done) => {
    new IntersectionObserver(() => done()).observe(document.querySelector("#viewer-compare"));
})"""
"""Observers are told in the order of their making: after this one, the viewer's knows what is on the screen."""
TALL = '<div style="height: 4000px">Above</div>'
LEFT, RIGHT = "#viewer-layer-left .viewer-pixels", "#viewer-layer-right .viewer-pixels"
PANES = ("#viewer-layer-left", "#viewer-layer-right", "#viewer-difference", "#viewer-strip li:nth-child(3)")


@pytest.fixture
def opened(tmp_path: Path, open_page):
    """A page with some experiments, scrolled to the viewer; by default one of three benchmarks, at kodim01."""

    def open_viewer(*sources: ViewerSource, before: str = "", **options):
        shown = sources or (whole(tmp_path),)
        page = open_page(host_page(tmp_path / "index.html", *shown, before=before), **options)
        if not sources:
            page.select_option("#viewer-image", label="kodim01 (first)")
        return drawn(page)

    return open_viewer


def drawn(page):
    """The page once the panes are drawn; it is scrolled to them."""
    page.locator("#viewer-compare").scroll_into_view_if_needed()
    page.locator("#viewer-difference").scroll_into_view_if_needed()
    page.wait_for_selector("#viewer-compare[data-drawn]")
    page.wait_for_selector("#viewer-difference[data-drawn]")
    return page


def pixels(page, selector: str) -> np.ndarray:
    """RGB of a canvas."""
    width, height, data = page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.width, canvas.height, Array.from(data)];
        }""",
        selector,
    )
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def choose(page, name: str, value: str) -> None:
    page.select_option(f"#viewer-{name}", value)
    drawn(page)


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


# ------------------------------------------------------------------------------------------------ overlays


def test_label_maps_are_cut_to_the_window_and_whole_on_the_overview(opened):
    page = opened()
    choose(page, "benchmark", "voc_segmentation")
    choose(page, "over-left", "prediction")
    choose(page, "over-right", "truth")
    cat, dog, void = [128, 0, 0], [0, 128, 0], [224, 224, 192]
    in_window = seen_by("cdncnn_b").labels[WINDOW.top : WINDOW.top + SIDE, WINDOW.left : WINDOW.left + SIDE]
    left = pixels(page, "#viewer-layer-left .viewer-labels")
    np.testing.assert_array_equal(left, np.where(in_window[..., None] == 1, cat, 0))
    page.locator("#viewer-overviews").scroll_into_view_if_needed()
    page.wait_for_selector("figure:nth-child(2) .viewer-whole[data-drawn]")
    truth = segmented("clean").truth.labels
    whole_map = pixels(page, "#viewer-overviews figure:nth-child(2) .viewer-labels")
    np.testing.assert_array_equal(whole_map, np.where(truth[..., None] == 255, void, dog))
    assert page.locator("#viewer-classes li").all_inner_texts() == ["background", "cat", "dog", "none (void)"]
    assert "reduced, for orientation only" in page.inner_text("#viewer-overviews")
    page.click("#viewer-centre")
    page.locator("#viewer-compare").scroll_into_view_if_needed()
    stage = page.locator("#viewer-layer-left .viewer-stage").bounding_box()
    page.mouse.move(stage["x"] + stage["width"] * 0.25, stage["y"] + stage["height"] / 2)
    page.wait_for_function("() => /, cat; U-SAID .*, dog;/.test(document.querySelector('#viewer-readout').textContent)")
    choose(page, "over-left", "off")
    assert not pixels(page, "#viewer-layer-left .viewer-labels").any()


def test_boxes_are_where_they_are_in_the_image(opened):
    page = opened()
    choose(page, "benchmark", "coco_detection")
    choose(page, "over-left", "prediction")
    choose(page, "over-right", "truth")
    box = page.locator("#viewer-layer-left .viewer-box")
    assert box.count() == 1, "the other one is beyond the window"
    stage = page.locator("#viewer-layer-left .viewer-stage").bounding_box()
    scale = stage["width"] / SIDE
    place = box.bounding_box()
    assert (place["x"] - stage["x"]) / scale == pytest.approx(20 - WINDOW.left, abs=0.1)
    assert (place["y"] - stage["y"]) / scale == pytest.approx(20 - WINDOW.top, abs=0.1)
    assert place["width"] / scale == pytest.approx(12, abs=0.1)
    assert page.inner_text("#viewer-layer-left .viewer-box-label") == "cat 0.75"
    true = page.locator("#viewer-layer-right .viewer-box")
    assert true.evaluate("e => getComputedStyle(e).borderTopStyle") == "dashed"
    assert page.locator("#viewer-classes li").all_inner_texts() == [
        "Boxes in the prediction on CDnCNN-B (1 of 2 reach into the window):",
        *("cat 0.75", "<b>dog</b> 0.50"),
        "Boxes in the truth (1 of 1 reach into the window):",
        "cat (true)",
    ]
    page.locator("#viewer-overviews").scroll_into_view_if_needed()
    page.wait_for_selector("figure:first-child .viewer-whole[data-drawn]")
    assert page.locator("#viewer-overviews figure:first-child .viewer-box").count() == 2


def test_what_a_classifier_says_is_there_in_words(opened, tmp_path):
    kept = {name: [picture(name, seen=Seen(text=f"cat of {name}"), truth=None)] for name in TITLES}
    kept["clean"] = [picture("clean", truth=Seen(text="dog"))]
    page = opened(ViewerSource("a", "A", archives(tmp_path, kept)))
    said = page.locator("#viewer-words p").all_inner_texts()
    assert said == ["CDnCNN-B: cat of cdncnn_b", "U-SAID: cat of u_said", "True: dog"]
    assert page.locator("#viewer-over-left").is_hidden()


def test_what_a_judge_sees_is_laid_over_until_it_is_switched_off(opened):
    page = opened()
    for benchmark in ("voc_segmentation", "coco_detection"):
        choose(page, "benchmark", benchmark)
        assert [page.input_value(f"#viewer-over-{side}") for side in ("left", "right")] == ["prediction"] * 2
    choose(page, "over-left", "off")
    choose(page, "benchmark", "kodak_quality")
    choose(page, "benchmark", "voc_segmentation")
    assert [page.input_value(f"#viewer-over-{side}") for side in ("left", "right")] == ["off", "prediction"]


# ------------------------------------------------------------------------------------------------ choices


@pytest.mark.parametrize(("figures", "shown"), [({1: "figure_4", 2: "figure_3"}, 1), ({3: "figure_5"}, 3), ({}, 0)])
def test_an_image_of_a_figure_is_shown_first(opened, tmp_path, figures, shown):
    why = {index: (figures.get(index, "first"),) for index in range(4)}
    kept = {name: [picture(name, f"kodim0{index}", why=why[index], sigma=15.0) for index in why] for name in TITLES}
    page = opened(ViewerSource("a", "A", archives(tmp_path, kept)))
    assert f"U-SAID of kodim0{shown} at sigma 15" in page.inner_text("#viewer-status")


def test_choices_go_down_from_experiment_to_denoiser(opened, tmp_path):
    page = opened(whole(tmp_path), whole(tmp_path, "subset"))
    page.select_option("#viewer-image", label="kodim01 (first)")
    texts = page.locator("#viewer-experiment option").all_inner_texts()
    assert texts == ["Released", "Subset"]
    assert page.locator("#viewer-image option").all_inner_texts() == ["kodim01 (first)", "kodim10 (Figure 4, worst)"]
    assert page.locator("#viewer-sigma option").all_inner_texts() == ["15", "25"]
    choose(page, "left", "noisy")
    choose(page, "image", page.locator("#viewer-image option").nth(1).get_attribute("value"))
    assert page.input_value("#viewer-left") == "noisy", "a choice that is still there is kept"
    assert page.locator("#viewer-sigma option").all_inner_texts() == ["25"]
    status = page.locator("[role=status]").inner_text()
    assert status.startswith("Noisy and U-SAID of kodim10 at sigma 25: 48 × 48 pixels from (16, 8), of 96 × 72.")
    assert "Kept as: Figure 4; worst by the difference" in status
    choose(page, "experiment", "1")
    assert "kodim10" in page.inner_text("#viewer-status")


def test_the_viewer_follows_the_experiment_of_the_page(opened, tmp_path):
    kept = {name: [picture(name, "other", window=Window(0, 0, SIDE, SIDE))] for name in TITLES}
    sources = (
        ViewerSource("none", "None", [], "none"),
        ViewerSource("mine", "Mine", archives(tmp_path / "mine", {name: [picture(name)] for name in TITLES}), "mine"),
        ViewerSource("other", "Other", archives(tmp_path / "other", kept), "other"),
    )
    options = "".join(f"<option>{source.key}</option>" for source in sources)
    page = opened(*sources, before=f'<label>Experiment <select id="experiment">{options}</select></label>')
    for chosen, shown in (("other", "Other"), ("none", "Other"), ("mine", "Mine"), ("other", "Other")):
        page.select_option("#experiment", chosen)
        assert page.locator("#viewer-experiment option:checked").inner_text() == shown
        image = "other" if shown == "Other" else "kodim01"
        assert f"U-SAID of {image} at" in page.inner_text("#viewer-status")
    np.testing.assert_array_equal(pixels(drawn(page), RIGHT), picture("u_said", "other").pixels)


def test_scores_are_those_of_both_and_their_difference(opened):
    page = opened()
    assert page.locator("#viewer-scores thead th").all_inner_texts() == ["Metric", "CDnCNN-B", "U-SAID", "right − left"]
    assert page.locator("#viewer-scores tbody tr:first-child td").all_inner_texts() == ["28.00", "26.00", "−2.00"]
    assert "PSNR (dB), higher is better" in page.inner_text("#viewer-scores")
    assert "PSNR: psnr_rgb_float, output clamped" in page.inner_text("#viewer-conventions")
    choose(page, "right", "cdncnn_b")
    assert page.locator("#viewer-scores tbody tr:first-child td").all_inner_texts() == ["28.00", "28.00", "0.00"]
    choose(page, "left", "clean")
    assert page.locator("#viewer-scores tbody tr:first-child td").all_inner_texts() == ["infinite", "28.00", "–"]


@pytest.mark.parametrize("names", [("clean", "mine"), ("clean", "noisy", "u_said"), ("mine",), ("clean", "cdncnn_b")])
def test_one_denoiser_is_compared_with_noisy_or_clean(opened, tmp_path, names):
    page = opened(ViewerSource("one", "One", archives(tmp_path, {name: [picture(name)] for name in names})))
    assert page.input_value("#viewer-right") == names[-1]
    assert page.input_value("#viewer-left") == names[-2:][0]
    assert page.locator("#viewer-experiment").is_hidden()


def test_hostile_names_are_texts(opened, tmp_path):
    title = "<img src=x onerror=alert(1)>\u202egnp </script>"
    kept = {"clean": [picture("clean", title)], "noisy": [picture("noisy", title)]}
    page = opened(ViewerSource("x", title, archives(tmp_path, kept, noisy=title)))
    assert page.locator("#viewer-right option").last.inner_text() == title
    assert page.locator("img").count() == 0


# ------------------------------------------------------------------------------------------------ readers


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_nothing(opened, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 800})
    choose(page, "benchmark", "voc_segmentation")
    choose(page, "over-left", "prediction")
    found = axe.run(page).response["violations"]
    assert [(one["id"], [node["html"][:100] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("title", ["U-SAID", "long" * 40])
def test_at_360_pixels_nothing_is_wider_than_the_page(opened, tmp_path, title):
    kept = {name: [picture(name)] for name in TITLES}
    source = ViewerSource("released", title, archives(tmp_path, kept, u_said=title))
    page = opened(source, viewport={"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_dark_pages_have_dark_controls(opened):
    page = opened(color_scheme="dark")
    assert page.locator("#viewer-left").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(20, 23, 27)"


def test_both_sides_are_printed_beside_each_other(opened):
    page = opened()
    page.emulate_media(media="print")
    left, right = (page.locator(f"#viewer-layer-{side}").bounding_box() for side in ("left", "right"))
    assert left["x"] + left["width"] <= right["x"]
    assert left["width"] == pytest.approx(right["width"], abs=1)
    assert page.locator("#viewer-layer-right").evaluate("e => getComputedStyle(e).clipPath") == "none"
    assert page.locator("#viewer-left").is_hidden()


def test_panes_that_were_never_on_the_screen_are_not_printed_empty(open_page, tmp_path):
    page = open_page(host_page(tmp_path / "index.html", whole(tmp_path), before=TALL))
    page.evaluate(NOTICED)
    note = page.get_by_text("open the page to see them")
    assert note.is_hidden()
    page.emulate_media(media="print")
    assert note.is_visible()
    assert page.locator(".viewer-pane:visible, .viewer-whole:visible").count() == 0
    page.emulate_media(media="screen")
    drawn(page).emulate_media(media="print")
    assert note.is_hidden()
    assert page.locator("#viewer-compare, #viewer-difference").evaluate_all(
        "panes => panes.every((p) => p.clientHeight)"
    )


def test_a_whole_image_may_be_kept(opened, tmp_path):
    whole_window = {"window": Window(0, 0, *SIZE), "pixels": np.tile(noise(1), (2, 2, 1))[: SIZE[1], : SIZE[0]]}
    kept = {name: [picture(name, **whole_window, seen=seen_by(name))] for name in TITLES}
    page = opened(ViewerSource("whole", "Whole", archives(tmp_path, kept)))
    np.testing.assert_array_equal(pixels(page, LEFT), whole_window["pixels"])
    assert "at sigma 25: the whole image, of 96 × 72." in page.inner_text("#viewer-status")
    choose(page, "over-right", "prediction")
    assert pixels(page, "#viewer-layer-right .viewer-labels").shape == (SIZE[1], SIZE[0], 3)
