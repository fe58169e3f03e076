"""The viewer's section: which pictures are in it, exactly as they were kept, and what it says of the rest."""

import base64
import html
import io
import json
import re
from dataclasses import replace

import html5lib
import numpy as np
import pytest
from kept_archives import CLASSES, TITLES, archives, detected, noise, picture, segmented, whole
from PIL import Image

from usaid.failures import Failure, write_marker
from usaid.report.page.viewer.section import viewer_script, viewer_section
from usaid.report.page.viewer.sources import ViewerSource
from usaid.scores.kept_images import KeptImages, Seen, Window, write_kept

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)"> & \u2028 $x$ \u202egnp.exe {{ 7 * 7 }}'


def contents(section):
    return json.loads(re.search(r'<script type="application/json" id="viewer-data">(.*?)</script>', section, re.S)[1])


def decoded(data, number):
    media_type, text = data["images"][number]
    with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as image:
        assert image.get_format_mimetype() == media_type
        return np.asarray(image)


def words(section):
    """What a reader reads, in one line."""
    text = re.sub(r"<script.*?</script>|<[^>]+>", " ", section, flags=re.S)
    return " ".join(html.unescape(text).split())


def size_of(section):
    return sum(len(text) for _, text in contents(section)["images"])


@pytest.fixture
def released(tmp_path):
    return whole(tmp_path)


def parse(section):
    html5lib.HTMLParser(strict=True).parse(
        f'<!DOCTYPE html><html lang="en"><head><title>t</title></head><body>{section}</body></html>'
    )


def test_all_pixels_are_those_of_the_archives(released):
    data = contents(viewer_section([released]))
    (experiment,) = data["experiments"]
    assert len(experiment["scenes"]) == 5
    for scene in experiment["scenes"]:
        assert [*scene["pictures"]] == [*TITLES]
        for name, shown in scene["pictures"].items():
            expected = picture(name, scene["image"], scene["sigma"]).pixels
            np.testing.assert_array_equal(decoded(data, shown["pixels"]), expected)


def test_label_maps_boxes_and_scores_are_those_of_the_archives(released):
    data = contents(viewer_section([released]))
    scenes = {scene["benchmark"]: scene for scene in data["experiments"][0]["scenes"]}
    voc, coco = scenes["voc_segmentation"], scenes["coco_detection"]
    shown = voc["pictures"]["u_said"]["seen"]
    np.testing.assert_array_equal(decoded(data, shown["labels"]), segmented("u_said").seen.labels)
    np.testing.assert_array_equal(decoded(data, voc["truth"]["labels"]), segmented("clean").truth.labels)
    assert tuple(shown["classes"]) == CLASSES
    assert coco["pictures"]["noisy"]["seen"]["boxes"] == [[*box] for box in detected("noisy").seen.boxes]
    assert coco["truth"]["boxes"][0][-1] is None
    assert voc["pictures"]["noisy"]["scores"] == {"miou_per_image": 1.25}
    assert coco["pictures"]["clean"]["scores"]["psnr_rgb_float"] == "Infinity"


def test_scores_are_printed_as_the_cards_of_their_metrics_say(released):
    metrics = contents(viewer_section([released]))["metrics"]
    assert metrics["psnr_rgb_float"]["title"] == "PSNR"
    assert (metrics["psnr_rgb_float"]["unit"], metrics["psnr_rgb_float"]["digits"]) == ("dB", 2)
    assert metrics["miou_per_image"]["title"] == "mIoU per image"
    assert "7x7" in metrics["ssim_skimage7"]["explained"]


def test_equal_pixels_are_embedded_once(tmp_path, released):
    again = whole(tmp_path, "subset")
    one, two = viewer_section([released]), viewer_section([released, again])
    assert contents(one)["images"] == contents(two)["images"]
    assert len(contents(two)["experiments"]) == 2
    kodim01 = [scene for scene in contents(one)["experiments"][0]["scenes"] if scene["image"] == "kodim01"]
    assert len({scene["sigma"] for scene in kodim01}) == 2
    assert len({scene["pictures"]["clean"]["pixels"] for scene in kodim01}) == 1


def test_the_same_archives_give_the_same_bytes(released):
    assert viewer_section([released]) == viewer_section([released])


def test_all_html_is_strict(tmp_path, released):
    for sources in ([released], [released, ViewerSource("new", "New", [])], [ViewerSource("new", "New", [])]):
        parse(viewer_section(sources))


# ------------------------------------------------------------------------------------------------ budget


@pytest.mark.parametrize("budget", [30_000, 90_000, 150_000])
def test_images_are_within_the_budget_and_the_section_says_how_many_there_are(released, budget):
    section = viewer_section([released], budget)
    (experiment,) = contents(section)["experiments"]
    taken = sum(len(scene["pictures"]) for scene in experiment["scenes"])
    assert 0 < size_of(section) <= budget
    assert 0 < taken < 20
    assert f"{taken} of 20 kept pictures" in words(section)
    assert "results/released/images/" in words(section)


def test_a_picture_comes_with_all_its_denoisers(released):
    (experiment,) = contents(viewer_section([released], 90_000))["experiments"]
    assert all([*scene["pictures"]] == [*TITLES] for scene in experiment["scenes"])


def test_figures_come_first_then_benchmarks_in_turn(released):
    order = []
    for scenes_that_fit in (1, 2, 3, 4):
        scenes = contents(viewer_section([released], 40_000 * scenes_that_fit))["experiments"][0]["scenes"]
        order += [key for scene in scenes if (key := (scene["image"], scene["sigma"])) not in order]
    assert order == [("kodim10", 25.0), ("kodim01", 15.0), ("2007_000033", 25.0), ("139", 25.0)]


def test_experiments_share_the_budget(tmp_path):
    sources = []
    for shift, name in enumerate(("released", "subset")):
        kept = {d: [picture(d, f"{name}{i}", why=("first",)) for i in range(4)] for d in TITLES}
        sources.append(ViewerSource(name, name, archives(tmp_path / str(shift), kept)))
    experiments = contents(viewer_section(sources, 160_000))["experiments"]
    assert [len(one["scenes"]) for one in experiments] == [2, 2]


def test_of_200_denoisers_those_that_are_compared_come_first(tmp_path):
    names = ["clean", "noisy", *(f"d{i:03}" for i in range(196)), "u_said", "cdncnn_b"]
    small = {"window": Window(0, 0, 16, 16)}
    kept = {name: [picture(name, pixels=noise(index)[:16, :16], **small)] for index, name in enumerate(names)}
    section = viewer_section([ViewerSource("many", "Many", archives(tmp_path, kept))], 50_000)
    (scene,) = contents(section)["experiments"][0]["scenes"]
    assert {"clean", "noisy", "u_said", "cdncnn_b"} < {*scene["pictures"]}
    assert size_of(section) <= 50_000
    assert "of 200 kept pictures" in words(section)


def test_no_budget_shows_no_picture(released):
    section = viewer_section([released], 0)
    assert "viewer-data" not in section
    assert "0 of 20 kept pictures" in words(section)


# ------------------------------------------------------------------------------------------------ what is missing


def test_without_kept_images_it_says_which_key_to_set():
    section = viewer_section([ViewerSource("released", "Released", [])])
    assert "Set the key keep_images in its experiment file" in words(section)
    assert "viewer-data" not in section


def test_archives_that_failed_are_named_and_the_others_shown(tmp_path):
    paths = archives(tmp_path, {name: [picture(name)] for name in ("clean", "noisy", "u_said")})
    write_marker(paths[1], Failure("keep noisy", "weights are missing"))
    paths[2].write_bytes(paths[2].read_bytes()[:100])
    paths.append(tmp_path / "images" / "gone.zip")
    section = viewer_section([ViewerSource("released", "Released", paths)])
    assert "noisy: keep noisy failed: weights are missing" in words(section)
    assert "no archive of kept images (BadZipFile" in words(section)
    assert "gone: " in words(section)
    assert [one["name"] for one in contents(section)["experiments"][0]["denoisers"]] == ["clean"]


def test_benchmarks_that_archives_left_out_are_named_once(tmp_path):
    paths = []
    for name in ("clean", "noisy"):
        paths.append(tmp_path / f"{name}.zip")
        record = {"left_out": {"coco_detection": "the judge has no weights"}}
        write_kept(paths[-1], KeptImages(name, name, record, (picture(name),)))
    assert words(viewer_section([ViewerSource("a", "A", paths)])).count("coco_detection: the judge has no weights") == 1


def test_another_window_is_another_scene(tmp_path):
    kept = {"clean": [picture("clean")], "u_said": [picture("u_said", window=Window(0, 0, 48, 48))]}
    scenes = contents(viewer_section([ViewerSource("a", "A", archives(tmp_path, kept))]))["experiments"][0]["scenes"]
    assert [[*scene["pictures"]] for scene in scenes] == [["clean"], ["u_said"]]


# ------------------------------------------------------------------------------------------------ hostile texts


def test_hostile_texts_are_texts(tmp_path):
    seen = Seen(labels=segmented("noisy").seen.labels, classes=(HOSTILE,) * 3)
    bad = replace(picture("noisy", HOSTILE), benchmark="kodak_quality", why=(HOSTILE,), seen=seen)
    paths = archives(tmp_path, {"clean": [picture("clean")], "noisy": [bad]}, noisy=HOSTILE)
    paths.append(tmp_path / "<b>gone</b>.zip")
    section = viewer_section([ViewerSource("a", HOSTILE, paths), ViewerSource("b", HOSTILE, [])])
    assert "<script>alert" not in section
    assert "<img" not in section
    assert "<b>" not in section
    assert "\u2028" not in section.split("viewer-data")[1]
    (experiment,) = contents(section)["experiments"]
    assert experiment["title"] == HOSTILE
    parse(section)


def test_two_denoisers_with_one_title_are_told_apart(tmp_path):
    paths = archives(tmp_path, {"a": [picture("a")], "b": [picture("b")]}, a="Same", b="Same")
    (experiment,) = contents(viewer_section([ViewerSource("x", "X", paths)]))["experiments"]
    assert [one["title"] for one in experiment["denoisers"]] == ["Same (a)", "Same (b)"]


def test_the_script_sets_texts_as_text_and_asks_for_nothing():
    script = viewer_script()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "fetch(", "XMLHttpRequest", "http"):
        assert word not in script
