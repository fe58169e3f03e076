"""The miniature data sets: official layouts, labels that fit the pictures, natural statistics, whole or redone."""

import hashlib
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import maximum_filter
from scipy.stats import kurtosis

from usaid.datasets.loading import load
from usaid.datasets.miniature import coco, deepglobe, isic2018, kodak, scenes, voc2012, writer
from usaid.datasets.miniature.writer import write_miniature
from usaid.datasets.status import status
from usaid.errors import UsaidError

VOC = "VOCdevkit/VOC2012"
OFFICIAL_COCO_KEYS = {"info", "licenses", "images", "annotations", "categories"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("miniature")
    write_miniature(directory)
    return directory


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), float)


def ids(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split()


def stems(folder: Path, suffix: str) -> list[str]:
    return sorted(path.name.removesuffix(suffix) for path in folder.iterdir() if path.name.endswith(suffix))


# Layout


def test_voc_layout(built: Path) -> None:
    root = built / VOC
    train, val = (ids(root / f"ImageSets/Segmentation/{split}.txt") for split in ("train", "val"))
    assert (len(train), len(val)) == (48, 12)
    assert not set(train) & set(val)
    assert stems(root / "JPEGImages", ".jpg") == stems(root / "SegmentationClass", ".png") == sorted(train + val)
    sizes = set()
    for image_id in train + val:
        with (
            Image.open(root / f"JPEGImages/{image_id}.jpg") as image,
            Image.open(root / f"SegmentationClass/{image_id}.png") as mask,
        ):
            assert image.size == mask.size
            assert (image.mode, mask.mode) == ("RGB", "P")
            assert {component[1:3] for component in image.layer} == {(1, 1)}  # no chroma subsampling
            sizes.add(image.size)
    assert sizes == {(224, 160), (160, 224), (192, 192)}


def test_voc_palette() -> None:
    palette = voc2012.colour_map()
    assert palette[:6].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128]]
    assert palette[20].tolist() == [0, 64, 128]
    assert palette[255].tolist() == [224, 224, 192]


def test_kodak_layout(built: Path) -> None:
    files = sorted((built / "kodak").iterdir())
    assert [path.name for path in files] == [f"kodim0{number}.png" for number in range(1, 7)]
    assert Counter(pixels(path).shape for path in files) == {(192, 288, 3): 4, (288, 192, 3): 2}


@pytest.mark.parametrize(("split", "count"), [("Training", 32), ("Validation", 8)])
def test_isic_layout_and_lesions(built: Path, split: str, count: int) -> None:
    images = built / f"isic2018/ISIC2018_Task1-2_{split}_Input"
    masks = built / f"isic2018/ISIC2018_Task1_{split}_GroundTruth"
    assert stems(images, ".jpg") == stems(masks, "_segmentation.png")
    assert len(stems(images, ".jpg")) == count
    for image_id in stems(images, ".jpg"):
        image, mask = grey(images / f"{image_id}.jpg"), pixels(masks / f"{image_id}_segmentation.png")
        assert image.shape == mask.shape == (96, 96)
        assert set(np.unique(mask)) == {0, 255}
        assert image[mask == 255].mean() < image[mask == 0].mean() - 8  # pigment is darker than skin


def test_deepglobe_layout_and_colours(built: Path) -> None:
    train, val = (ids(built / f"subsets/deepglobe_{split}.txt") for split in ("train", "val"))
    folder = built / "deepglobe/land-train"
    assert (len(train), len(val)) == (12, 4)
    assert stems(folder, "_sat.jpg") == stems(folder, "_mask.png") == sorted(train + val)
    official = {tuple(colour) for colour in deepglobe.COLOURS.tolist()}
    for split in (train, val):
        seen = set()
        for image_id in split:
            mask = pixels(folder / f"{image_id}_mask.png")
            assert mask.shape == pixels(folder / f"{image_id}_sat.jpg").shape == (128, 128, 3)
            seen |= {tuple(colour) for colour in np.unique(mask.reshape(-1, 3), axis=0).tolist()}
        assert official - {(0, 0, 0)} <= seen <= official


def test_the_readers_count_and_read_all_of_it(built: Path) -> None:
    rows = status(built)
    assert {(row.name, row.split): row.found for row in rows}.items() >= {
        ("voc2012", "train"): 48,
        ("voc2012", "val"): 12,
        ("kodak", "all"): 6,
        ("isic2018", "train"): 32,
        ("isic2018", "val"): 8,
        ("deepglobe", "train"): 16,
        ("deepglobe", "val"): 16,
        ("deepglobe", "test"): 16,
        ("cifar100", "train"): 1500,
        ("cifar100", "test"): 400,
        ("coco", "train"): 48,
        ("coco", "val"): 16,
    }.items()
    for row in rows:
        assert not row.problem
        assert sum(sample.image.size > 0 for sample in load(row.name, built, row.split)) == row.found


# CIFAR-100


@pytest.mark.parametrize(("split", "count"), [("train", 1500), ("test", 400)])
def test_cifar_is_a_python_2_pickle_of_balanced_classes(built: Path, split: str, count: int) -> None:
    content = (built / "cifar-100-python" / split).read_bytes()
    assert content[:2] == b"\x80\x02"
    assert b"_codecs" not in content  # bytes of Python 3 would be
    assert set(pickle.loads(content, encoding="latin1")) >= {"data", "fine_labels"}
    rows: dict[bytes, Any] = pickle.loads(content, encoding="bytes")
    assert set(rows) == {b"data", b"fine_labels", b"coarse_labels", b"filenames", b"batch_label"}
    assert rows[b"data"].dtype == np.uint8
    assert rows[b"data"].shape == (count, 3072)
    assert Counter(rows[b"fine_labels"]) == dict.fromkeys(range(0, 100, 10), count // 10)
    assert rows[b"coarse_labels"] == [label // 5 for label in rows[b"fine_labels"]]
    assert len(set(rows[b"filenames"])) == count


def test_cifar_label_names(built: Path) -> None:
    names = pickle.loads((built / "cifar-100-python/meta").read_bytes(), encoding="bytes")
    assert (len(set(names[b"fine_label_names"])), len(set(names[b"coarse_label_names"]))) == (100, 20)
    assert names[b"fine_label_names"][70] == b"striped_square"
    assert names[b"coarse_label_names"][14] == b"striped_square"


def test_cifar_rows_are_planes_of_colour(built: Path) -> None:
    rows = pickle.loads((built / "cifar-100-python/test").read_bytes(), encoding="bytes")
    planes = rows[b"data"].reshape(-1, 3, 32, 32)[..., 12:20, 12:20].mean((2, 3))
    discs, squares = (planes[np.array(rows[b"fine_labels"]) == label].mean(0) for label in (0, 70))
    assert discs[0] > 1.5 * discs[2]  # ochre
    assert squares[2] > 1.5 * squares[0]  # blue


def test_some_classes_differ_by_texture_only() -> None:
    looks = Counter((kind.outline, kind.colour) for kind in scenes.KINDS)
    assert sum(count for count in looks.values() if count > 1) >= 5
    assert len({(kind.outline, kind.pattern) for kind in scenes.KINDS}) == len(scenes.KINDS)


# Labels


def test_voc_labels_use_five_classes_with_void_around_them(built: Path) -> None:
    seen: Counter[int] = Counter()
    void_near, void_all = 0, 0
    for image_id in ids(built / VOC / "ImageSets/Segmentation/train.txt"):
        labels = pixels(built / VOC / f"SegmentationClass/{image_id}.png")
        seen.update(np.unique(labels).tolist())
        void, thing = labels == 255, (labels > 0) & (labels < 255)
        for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
            assert ((a == b) | (a == 255) | (b == 255)).all()  # void lies between all that differs
        void_near, void_all = void_near + (void & maximum_filter(thing, 7)).sum(), void_all + void.sum()
        assert 0.005 < void.mean() < 0.15
    assert void_near > 0.99 * void_all  # the rest are thin remains of objects
    assert set(seen) == {0, 1, 2, 3, 4, 5, 255}
    assert min(seen.values()) >= 8


def test_void_is_two_pixels_wide() -> None:
    owner = np.zeros((6, 8), int)
    owner[:, 4:] = 1
    expected = [[0, 0, 0, 255, 255, 7, 7, 7]] * 6
    assert voc2012.labels_of(owner, np.array([0, 7])).tolist() == expected


def test_mask_is_what_was_painted() -> None:
    rng = np.random.default_rng(0)
    scene = scenes.Scene(np.zeros((40, 50, 3)), rng)
    white = scenes.Surface(np.ones(3), np.zeros(2), scenes.plain, 0.0, 0.0, np.zeros(2, int))
    black = scenes.Surface(np.zeros(3), np.zeros(2), scenes.plain, 0.0, 0.0, np.zeros(2, int))
    scene.add(scenes.star, white, scenes.Pose(18, 25, 15, 0.3), owner=1)
    scene.add(scenes.disc, black, scenes.Pose(20, 22, 6, 0))  # in front of the star
    scene.add(scenes.square, white, scenes.Pose(2, 48, 9, 0.5), owner=2)  # partly outside
    light = scene.light[..., 0]
    inner = (light < 0.05) | (light > 0.95)  # elsewhere two soft edges may lie over each other
    assert ((light > 0.5) == (scene.owner > 0))[inner].all()
    assert inner.mean() > 0.85
    assert (scene.owner == 1).sum() > 100
    assert (scene.owner == 2).sum() > 30


@pytest.mark.parametrize("kind", scenes.KINDS, ids=lambda kind: kind.name)
def test_shapes_fit_the_unit_disc(kind: scenes.Kind) -> None:
    v, u = np.mgrid[-1.5:1.5:200j, -1.5:1.5:200j]
    inside = kind.outline(u, v) < 0
    assert np.hypot(u, v)[inside].max() <= 1
    assert np.hypot(u, v)[inside].max() > 0.95
    assert np.abs(kind.pattern(u, v)).max() <= 1


def filled(polygons: list[list[float]], height: int, width: int) -> np.ndarray:
    """How many polygons along pixel edges cover each pixel."""
    count = np.zeros((height, width), int)
    for polygon in polygons:
        corners = np.array(polygon).reshape(-1, 2).astype(int)
        inside = np.zeros((height, width), bool)
        for (x, y), (next_x, next_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            assert x == next_x or y == next_y
            inside[min(y, next_y) : max(y, next_y), x:] ^= True
        count += inside
    return count


def test_polygons_cover_just_the_mask() -> None:
    rng = np.random.default_rng(0)
    for density in (0.2, 0.5, 0.8, 0.9) * 10:
        mask = rng.random((9, 12)) < density
        assert (filled(coco.polygons(mask), 9, 12) == mask).all()


@pytest.mark.parametrize(("split", "count"), [("train", 48), ("val", 16)])
def test_coco_boxes_and_areas_are_those_of_the_masks(built: Path, split: str, count: int) -> None:
    content = json.loads((built / f"coco/annotations/instances_{split}2017.json").read_text(encoding="utf-8"))
    assert set(content) == OFFICIAL_COCO_KEYS
    assert [entry["id"] for entry in content["categories"]] == [1, 3, 17, 18, 62]
    files = {entry["id"]: built / f"coco/{split}2017" / entry["file_name"] for entry in content["images"]}
    assert sorted(files.values()) == sorted((built / f"coco/{split}2017").iterdir())
    assert len(files) == count
    assert all(pixels(path).shape == (128, 160, 3) and int(path.stem) == key for key, path in files.items())
    covered = {image_id: np.zeros((128, 160), int) for image_id in files}
    for annotation in content["annotations"]:
        mask = filled(annotation["segmentation"], 128, 160)
        assert mask.max() == 1
        assert annotation["area"] == mask.sum()
        (top, *_, bottom), (left, *_, right) = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert annotation["bbox"] == [left, top, right + 1 - left, bottom + 1 - top]
        assert annotation["iscrowd"] == 0
        covered[annotation["image_id"]] += mask
    assert all(mask.max() == 1 for mask in covered.values())  # visible masks do not overlap
    assert len({annotation["id"] for annotation in content["annotations"]}) == len(content["annotations"])
    objects = Counter(annotation["image_id"] for annotation in content["annotations"])
    assert set(objects.values()) == {1, 2, 3, 4}
    assert {annotation["category_id"] for annotation in content["annotations"]} == {1, 3, 17, 18, 62}


# Statistics


def spectral_slope(image: np.ndarray) -> float:
    """Exponent of a power law fitted to the radially averaged power spectrum, 0.02-0.4 cycles a pixel."""
    height, width = image.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    band = np.digitize(frequency, np.geomspace(0.02, 0.4, 12))
    means = [(frequency[band == b].mean(), power[band == b].mean()) for b in range(1, 12)]
    return float(np.polyfit(*np.log(means).T, 1)[0])


@pytest.mark.parametrize("pattern", [f"{VOC}/JPEGImages/*", "kodak/*", "coco/val2017/*"])
def test_statistics_are_near_those_of_natural_images(built: Path, pattern: str) -> None:
    images = [grey(path) for path in sorted(built.glob(pattern))]
    slopes = [spectral_slope(image) for image in images]
    tails = [kurtosis(np.diff(image, axis=1), axis=None) for image in images]
    assert -2.8 < np.mean(slopes) < -1.6
    assert min(slopes) > -3.1
    assert max(slopes) < -1.6
    assert min(tails) > 3  # excess over a Gaussian
    assert 80 < np.mean(images[0]) < 180
    assert 20 < np.mean([image.std() for image in images]) < 70


def test_a_flat_field_of_noise_would_fail() -> None:
    noise = np.random.default_rng(0).normal(size=(192, 192))
    assert abs(spectral_slope(noise)) < 0.2
    assert abs(kurtosis(np.diff(noise, axis=1), axis=None)) < 0.2


# The same pixels, always; whole or redone


@pytest.mark.parametrize("dataset", [voc2012, kodak, isic2018, coco])
def test_drawn_again_the_bytes_are_the_same(built: Path, dataset: ModuleType) -> None:
    for name, content in islice(dataset.draw(0), 2):
        assert (built / name).read_bytes() == content


def test_pixels_do_not_depend_on_the_machine(built: Path) -> None:
    image = pixels(built / "kodak/kodim03.png")
    assert hashlib.sha256(image.tobytes()).hexdigest()[:16] == "34bf9ccd80b8068b"


def test_seeds_differ() -> None:
    (name, content), (other_name, other_content) = next(isic2018.draw(0)), next(isic2018.draw(1))
    assert name == other_name
    assert content != other_content


def test_it_is_small_and_all_of_it_is_recorded(built: Path) -> None:
    record = json.loads((built / "miniature.json").read_text(encoding="utf-8"))
    files = [path for path in built.rglob("*") if path.is_file()]
    assert {str(path.relative_to(built)) for path in files} == {*record["files"], "miniature.json"}
    assert sum(path.stat().st_size for path in files) < 15e6
    name = "kodak/kodim01.png"
    assert record["files"][name] == hashlib.sha256((built / name).read_bytes()).hexdigest()


def test_a_finished_directory_is_left_alone(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "all_files", lambda seed: pytest.fail("drawn again"))
    digests = write_miniature(built)
    assert len(digests) > 300


def few_files(seed: int) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", writer.README.encode()
    yield from islice(isic2018.draw(seed), 4)


def test_an_interrupted_run_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seed: int) -> Iterator[tuple[str, bytes]]:
        yield from islice(few_files(seed), 3)
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "all_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_miniature(tmp_path)
    assert not (tmp_path / "miniature.json").exists()
    monkeypatch.setattr(writer, "all_files", few_files)
    assert set(write_miniature(tmp_path)) == {name for name, _ in few_files(0)}
    assert all((tmp_path / name).read_bytes() == content for name, content in few_files(0))
    assert (tmp_path / "miniature.json").exists()


@pytest.mark.parametrize("harm", ["lost", "changed", "marker damaged", "other version"])
def test_a_damaged_directory_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    monkeypatch.setattr(writer, "all_files", few_files)
    *_, name = digests = write_miniature(tmp_path)
    match harm:
        case "lost":
            (tmp_path / name).unlink()
        case "changed":
            (tmp_path / name).write_bytes(b"half a fi")
        case "marker damaged":
            (tmp_path / "miniature.json").write_text('{"version"', encoding="utf-8")
        case "other version":
            monkeypatch.setattr(writer, "VERSION", writer.VERSION + 1)
            (tmp_path / name).write_bytes(b"of old")
    assert write_miniature(tmp_path) == digests
    assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digests[name]


def test_another_seed_replaces_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "all_files", few_files)
    assert write_miniature(tmp_path, seed=0) != write_miniature(tmp_path, seed=1)
    assert json.loads((tmp_path / "miniature.json").read_text(encoding="utf-8"))["seed"] == 1


def test_real_data_is_never_overwritten(tmp_path: Path) -> None:
    real = tmp_path / "kodak/kodim01.png"
    real.parent.mkdir()
    real.write_bytes(b"a photograph")
    with pytest.raises(UsaidError, match="no miniature data sets; name an empty or a new folder"):
        write_miniature(tmp_path)
    with pytest.raises(UsaidError, match="is a file"):
        write_miniature(real)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["kodim01.png"]
    assert real.read_bytes() == b"a photograph"
