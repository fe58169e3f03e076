"""What is laid over pictures in the viewer, what is chosen in it, and how it is read and printed."""

import numpy as np
import pytest
from kept_archives import SIDE, SIZE, TITLES, WINDOW, archives, host_page, noise, picture, seen_by, segmented, whole
from viewer_pages import LEFT, NOTICED, RIGHT, TALL, choose, drawn, pixels

from usaid.report.page.viewer.sources import ViewerSource
from usaid.scores.kept_images import Seen, Window

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
