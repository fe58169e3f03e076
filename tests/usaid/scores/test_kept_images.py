"""Archives of kept images: what was written is read, the same bytes each time, and damage is one line."""

import io
import json
import math
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from usaid.errors import UsaidError
from usaid.scores import kept_images
from usaid.scores.kept_images import Box, KeptImages, Picture, Seen, Window, read_kept, write_kept

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SIDES = st.integers(1, 24)
TEXT = st.text(max_size=12)
NUMBERS = st.floats(0, 1e4, allow_nan=False)
SCORES = st.dictionaries(TEXT, st.one_of(st.none(), st.just(math.inf), st.floats(allow_nan=False)), max_size=3)
BOXES = st.builds(Box, NUMBERS, NUMBERS, NUMBERS, NUMBERS, TEXT, st.none() | st.floats(0, 1))


@st.composite
def seens(draw: st.DrawFn, size: tuple[int, int]) -> Seen:
    labels = arrays(np.uint8, size[::-1])
    return draw(
        st.one_of(
            st.builds(Seen, labels, classes=st.lists(TEXT).map(tuple)),
            st.builds(Seen, boxes=st.lists(BOXES, max_size=3).map(tuple)),
            st.builds(Seen, text=TEXT),
        )
    )


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    pixels = draw(arrays(np.uint8, st.tuples(SIDES, SIDES, st.just(3))))
    height, width, _ = pixels.shape
    left, top = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    size = (left + width + 1, top + height)
    return Picture(
        draw(st.sampled_from(["kodak_quality", "coco_detection"])),
        draw(TEXT),
        draw(NUMBERS),
        tuple(draw(st.lists(TEXT, max_size=2))),
        size,
        Window(left, top, width, height),
        pixels,
        draw=draw(st.integers(0, 9)),
        told_sigma=draw(st.none() | NUMBERS),
        scores=draw(SCORES),
        seen=draw(st.none() | seens(size)),
        truth=draw(st.none() | seens(size)),
    )


def same(one: Picture, other: Picture) -> bool:
    """Equal in all but the overview, which is not without loss."""

    def plain(picture: Picture) -> list[object]:
        values = vars(replace(picture, overview=None, seen=None, truth=None, pixels=np.array(0))).values()
        return [value for value in values if not isinstance(value, np.ndarray)]

    def same_seen(one: Seen | None, other: Seen | None) -> bool:
        if one is None or other is None:
            return one is other
        without = replace(one, labels=None) == replace(other, labels=None)
        return without and np.array_equal(np.array(one.labels), np.array(other.labels))

    return (
        plain(one) == plain(other)
        and np.array_equal(one.pixels, other.pixels)
        and same_seen(one.seen, other.seen)
        and same_seen(one.truth, other.truth)
    )


@MANY
@given(st.lists(pictures(), max_size=3), TEXT)
def test_what_was_written_is_read(tmp_path, made, title):
    kept = KeptImages("u_said", title, {"git": {"commit": None}, "left_out": {}}, tuple(made))
    write_kept(tmp_path / "a.zip", kept)
    found = read_kept(tmp_path / "a.zip")
    assert (found.denoiser, found.title, found.provenance) == (kept.denoiser, kept.title, kept.provenance)
    assert len(found.pictures) == len(made)
    assert all(map(same, found.pictures, made))


def picture(**changed: object) -> Picture:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    made = Picture("kodak_quality", "kodim01", 25.0, ("first",), (90, 60), Window(4, 5, 30, 20), pixels)
    return replace(made, **changed)  # type: ignore[arg-type]


def write(folder: Path, *made: Picture) -> Path:
    path = folder / "results/images/u_said.zip"
    write_kept(path, KeptImages("u_said", "U-SAID", {}, made))
    return path


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    labels = np.arange(600, dtype=np.uint8).reshape(20, 30) % 21
    made = picture(seen=Seen(labels, classes=("a", "b")), overview=np.zeros((6, 9, 3), np.uint8))
    first = write(tmp_path, made).read_bytes()
    assert write(tmp_path, made).read_bytes() == first


def test_an_overview_is_small_and_need_not_be_exact(tmp_path):
    overview = np.full((6, 9, 3), 200, np.uint8)
    (found,) = read_kept(write(tmp_path, picture(overview=overview))).pictures
    assert found.overview is not None
    assert np.abs(found.overview.astype(int) - overview).max() < 8


def test_what_pictures_of_one_image_have_in_common(tmp_path):
    assert picture().key == ("kodak_quality", "kodim01", 25.0)


def test_no_pictures_at_all(tmp_path):
    assert read_kept(write(tmp_path)).pictures == ()


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_a_damaged_archive_is_one_line_with_the_cure(keep, tmp_path):
    path = write(tmp_path, picture())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UsaidError, match=r"u_said\.zip: no archive of kept images \(.*\); delete it, and run again"):
        read_kept(path)


def test_a_missing_archive(tmp_path):
    with pytest.raises(UsaidError, match="no archive of kept images"):
        read_kept(tmp_path / "absent.zip")


def rewritten(path: Path, name: str, content: bytes) -> Path:
    """The archive with another file in place of one of its files."""
    with zipfile.ZipFile(path) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for entry, own in (files | {name: content}).items():
            archive.writestr(entry, own)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pictures.json", b"[]"),
        ("pictures.json", b"{"),
        ("pictures.json", json.dumps({"version": 2}).encode()),
        ("kodak_quality/000.webp", b"no image"),
        ("kodak_quality/000.webp", b""),
    ],
)
def test_other_content_is_one_line(name, content, tmp_path):
    with pytest.raises(UsaidError, match="no archive of kept images"):
        read_kept(rewritten(write(tmp_path, picture()), name, content))


def set_in(contents: dict[str, Any], value: Any, *keys: str) -> None:
    """Set a value of the first picture; without keys, of the contents themselves."""
    *before, last = keys
    place = contents["pictures"][0]
    for key in before:
        place = place[key]
    place[last] = value


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("sigma",), math.nan),
        (("sigma",), "25 dB"),
        (("sigma",), None),
        (("sigma",), [25]),
        (("told_sigma",), math.inf),
        (("draw",), None),
        (("window",), [0, 0, 5, 5]),
        (("window",), [-4, 5, 30, 20]),
        (("window",), [80, 5, 30, 20]),
        (("window",), [4, 5, 0, 0]),
        (("size",), [20, 10]),
        (("why",), None),
        (("seen", "boxes"), [[1, 2, math.nan, 4, "cat", 0.5]]),
        (("seen", "boxes"), [[1, 2, 3, 4, "cat", math.nan]]),
        (("seen", "boxes"), [[1, 2, 3]]),
        (("overview",), "pictures.json"),
    ],
)
def test_pictures_that_fit_nothing_are_refused(keys, value, tmp_path):
    path = write(tmp_path, picture(seen=Seen(boxes=())))
    with zipfile.ZipFile(path) as archive:
        contents = json.loads(archive.read("pictures.json"))
    set_in(contents, value, *keys)
    with pytest.raises(UsaidError, match="no archive of kept images"):
        read_kept(rewritten(path, "pictures.json", json.dumps(contents).encode()))


@pytest.mark.parametrize(
    "changed", [{"pixels": np.zeros((1, 1, 3), np.uint8)}, {"seen": Seen(np.zeros((3, 3), np.uint8))}]
)
def test_images_of_another_size_are_refused(changed, tmp_path):
    with pytest.raises(UsaidError, match="no archive of kept images"):
        read_kept(write(tmp_path, picture(**changed)))


def test_an_image_in_other_colours_is_refused(tmp_path):
    grey = io.BytesIO()
    Image.new("L", (30, 20)).save(grey, "PNG")
    with pytest.raises(UsaidError, match="is L, not RGB"):
        read_kept(rewritten(write(tmp_path, picture()), "kodak_quality/000.webp", grey.getvalue()))


def test_an_archive_that_unpacks_to_very_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_images, "LARGEST", 100)
    with pytest.raises(UsaidError, match=r"pictures\.json has [\d,]+ bytes"):
        read_kept(write(tmp_path, picture()))


def test_boxes_without_finite_numbers_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path, picture(seen=Seen(boxes=(Box(1, 2, 3, 4, "cat", math.nan),))))


def test_another_version_says_which(tmp_path):
    with pytest.raises(UsaidError, match="version 2, this one reads 1"):
        read_kept(rewritten(write(tmp_path, picture()), "pictures.json", b'{"version": 2}'))
