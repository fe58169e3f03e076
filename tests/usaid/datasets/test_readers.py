"""The readers on small files in each data set's official layout, and what they say to files that are not right."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from usaid.datasets import DATASETS, format_status, load, load_for, read_sources, status, subset_for
from usaid.datasets.base import read_id_list
from usaid.datasets.cifar100 import CIFAR100, read_pickle
from usaid.datasets.coco import COCO, Instance
from usaid.datasets.deepglobe import SPLIT_LISTS, UNKNOWN, classes_of_colours
from usaid.errors import UsaidError

VOC = "VOCdevkit/VOC2012"
ISIC_IMAGES, ISIC_MASKS = "isic2018/ISIC2018_Task1-2_Training_Input", "isic2018/ISIC2018_Task1_Training_GroundTruth"
LAND = "deepglobe/land-train"
ANNOTATIONS = "coco/annotations/instances_val2017.json"
HEIGHT, WIDTH = 6, 8


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    if palette:
        picture.putpalette([value for index in range(256) for value in (index, 255 - index, index // 2)])
    picture.save(path)


def save_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_voc2012(root: Path) -> None:
    save_text(root / VOC / "ImageSets/Segmentation/train.txt", "2007_000002\n2007_000001\n2007_000003\n")
    save_text(root / VOC / "ImageSets/Segmentation/val.txt", "2007_000009\n")
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[0], mask[1] = 20, 255
    for number in (1, 2):
        save(root / VOC / f"JPEGImages/2007_00000{number}.jpg", image(number))
        save(root / VOC / f"SegmentationClass/2007_00000{number}.png", mask, palette=True)


def write_kodak(root: Path) -> None:
    for number in (3, 1, 24, 25):
        save(root / f"kodak/kodim{number:02d}.png", image(number))


def write_isic2018(root: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[2:4] = 255
    for number in (7, 5):
        save(root / ISIC_IMAGES / f"ISIC_000000{number}.jpg", image(number))
        save(root / ISIC_MASKS / f"ISIC_000000{number}_segmentation.png", mask)
    save_text(root / ISIC_IMAGES / "LICENSE.txt", "CC-0")


def write_deepglobe(root: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask[0], mask[1] = (3, 250, 130), (255, 255, 127)
    for number in (119, 855):
        save(root / LAND / f"{number}_sat.jpg", image(number))
        save(root / LAND / f"{number}_mask.png", mask)


def cifar_rows(n: int = 3, **changes: Any) -> dict[str, Any]:
    data = np.random.default_rng(n).integers(0, 256, (n, 3072), dtype=np.uint8)
    return {"data": data, "fine_labels": [99, 0, 42][:n], "filenames": ["a.png"] * n} | changes


def write_pickle(path: Path, content: Any, protocol: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))


def write_cifar100(root: Path) -> None:
    write_pickle(root / "cifar-100-python/test", cifar_rows())
    write_pickle(root / "cifar-100-python/meta", {"fine_label_names": [f"thing {n}" for n in range(100)]})


def coco_content() -> dict[str, Any]:
    return {
        "images": [{"id": number, "width": WIDTH, "height": HEIGHT} for number in (1000, 139, 285)],
        "categories": [{"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}],
        "annotations": [
            {"id": 5, "image_id": 139, "category_id": 90, "bbox": [1, 2.5, 3, 2], "iscrowd": 0, "area": 4.5},
            {"id": 6, "image_id": 139, "category_id": 1, "bbox": [0, 0, 8, 6], "iscrowd": 1, "area": 48},
        ],
    }


def write_coco(root: Path) -> None:
    save_text(root / ANNOTATIONS, json.dumps(coco_content()))
    for number in (139, 1000):
        save(root / f"coco/val2017/{number:012d}.jpg", image(number))


WRITERS: dict[str, Callable[[Path], None]] = {
    "voc2012": write_voc2012,
    "kodak": write_kodak,
    "isic2018": write_isic2018,
    "deepglobe": write_deepglobe,
    "cifar100": write_cifar100,
    "coco": write_coco,
}
SPLIT = {
    "voc2012": "train",
    "kodak": "all",
    "isic2018": "train",
    "deepglobe": "train",
    "cifar100": "test",
    "coco": "val",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for write in WRITERS.values():
        write(tmp_path)
    return tmp_path


def test_every_data_set_of_the_paper_has_a_reader() -> None:
    assert set(DATASETS) == set(WRITERS)
    assert {name: sum(reader.official_counts.values()) for name, reader in DATASETS.items()} == {
        "voc2012": 1464 + 1449,
        "kodak": 24,
        "isic2018": 2594 + 100,
        "deepglobe": 803,
        "cifar100": 60_000,
        "coco": 118_287 + 5000,
    }


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("voc2012", ("2007_000002", "2007_000001", "2007_000003")),
        ("kodak", ("kodim01", "kodim03", "kodim24")),
        ("isic2018", ("ISIC_0000005", "ISIC_0000007")),
        ("deepglobe", ("119", "855")),
        ("cifar100", ("test_00000", "test_00001", "test_00002")),
        ("coco", ("139", "285", "1000")),
    ],
)
def test_ids_are_in_official_order(root: Path, name: str, ids: tuple[str, ...]) -> None:
    assert load(name, root, SPLIT[name]).ids == ids


@pytest.mark.parametrize("name", DATASETS)
def test_samples_keep_the_contract(root: Path, name: str) -> None:
    dataset = load(name, root, SPLIT[name])
    for image_id in dataset.ids_on_disk():
        sample = dataset[image_id]
        assert sample.id == image_id
        assert sample.image.dtype == np.uint8
        assert sample.image.shape == ((32, 32, 3) if name == "cifar100" else (HEIGHT, WIDTH, 3))


@pytest.mark.parametrize("name", DATASETS)
def test_a_subset_keeps_the_order_of_the_split(root: Path, name: str) -> None:
    first, last = (ids := load(name, root, SPLIT[name]).ids)[0], ids[-1]
    save_text(root / "subsets/two.txt", f"{last}\n\n{first}\n")
    dataset = load(name, root, SPLIT[name], "subsets/two.txt")
    assert dataset.ids == (first, last)
    assert dataset.n_official == DATASETS[name].official_counts[SPLIT[name]]


@pytest.mark.parametrize("name", DATASETS)
def test_an_id_that_the_split_lacks_is_named(root: Path, name: str) -> None:
    save_text(root / "subsets/wrong.txt", "nowhere_1\n")
    with pytest.raises(UsaidError, match=r"wrong\.txt.*nowhere_1"):
        load(name, root, SPLIT[name], "subsets/wrong.txt")


@pytest.mark.parametrize("name", DATASETS)
def test_nothing_on_disk_is_a_named_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsaidError, match=str(tmp_path)):
        load(name, tmp_path, SPLIT[name])


@pytest.mark.parametrize(("name", "split"), [("imagenet", "val"), ("kodak", "test")])
def test_unknown_names_are_refused(root: Path, name: str, split: str) -> None:
    with pytest.raises(UsaidError, match="one of"):
        load(name, root, split)


def test_voc_masks_are_palette_indices(root: Path) -> None:
    target = load("voc2012", root, "train")["2007_000001"].target
    assert target.dtype == np.uint8
    assert target[:3, 0].tolist() == [20, 255, 0]


def test_voc_image_that_is_listed_but_missing(root: Path) -> None:
    dataset = load("voc2012", root, "train")
    assert dataset.ids_on_disk() == ["2007_000002", "2007_000001"]
    with pytest.raises(UsaidError, match=r"2007_000003\.jpg: missing; .*subset"):
        dataset["2007_000003"]


def test_isic_masks_become_0_and_1(root: Path) -> None:
    target = load("isic2018", root, "train")["ISIC_0000005"].target
    assert (target.dtype, target[:, 0].tolist()) == (np.uint8, [0, 0, 1, 1, 0, 0])


def test_deepglobe_colours_are_binarised_at_128(root: Path) -> None:
    target = load("deepglobe", root, "train")["119"].target
    assert (target.dtype, target[:3, 0].tolist()) == (np.uint8, [0, 1, UNKNOWN])


def test_deepglobe_colours_of_the_challenge() -> None:
    colours = [[0, 255, 255], [255, 255, 0], [255, 0, 255], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]]
    assert classes_of_colours(np.array([colours], dtype=np.uint8)).tolist() == [[0, 1, 2, 3, 4, 5, 6]]


def test_deepglobe_splits_come_from_lists_where_there_are_any(root: Path) -> None:
    save_text(root / "deepglobe/val.txt", "855\n")
    assert load("deepglobe", root, "val").ids == ("855",)
    assert load("deepglobe", root, "train").ids == ("119", "855")


def test_deepglobe_has_the_published_splits_where_all_images_are_on_disk(tmp_path: Path) -> None:
    lists = {name: read_id_list(SPLIT_LISTS / f"{name}.txt") for name in ("train", "test")}
    assert {name: len(set(ids)) for name, ids in lists.items()} == {"train": 454, "test": 142}
    assert not set(lists["train"]) & set(lists["test"])
    (tmp_path / LAND).mkdir(parents=True)
    for image_id in [*lists["train"], *lists["test"], *(str(n) for n in range(2_000_000, 2_000_207))]:
        (tmp_path / LAND / f"{image_id}_sat.jpg").touch()
    splits = {split: load("deepglobe", tmp_path, split).ids for split in ("train", "val", "test")}
    assert {split: len(ids) for split, ids in splits.items()} == {"train": 454, "val": 207, "test": 142}
    assert len({image_id for ids in splits.values() for image_id in ids}) == 803
    assert set(splits["test"]) == set(lists["test"])
    (tmp_path / LAND / f"{lists['test'][0]}_sat.jpg").unlink()
    assert len(load("deepglobe", tmp_path, "val").ids) == 802


def test_large_images_are_made_smaller_with_their_label_maps(root: Path) -> None:
    as_stored = load("isic2018", root, "train")["ISIC_0000005"]
    small = load("isic2018", root, "train", longest_side=WIDTH // 2)["ISIC_0000005"]
    assert small.image.shape == (HEIGHT // 2, WIDTH // 2, 3)
    assert small.target.shape == (HEIGHT // 2, WIDTH // 2)
    assert set(np.unique(small.target)) <= {0, 1}
    assert abs(small.image.mean() - as_stored.image.mean()) < 8
    for side in (WIDTH, 1000):
        same = load("isic2018", root, "train", longest_side=side)["ISIC_0000005"]
        assert np.array_equal(same.image, as_stored.image)
        assert np.array_equal(same.target, as_stored.target)


def test_a_benchmark_can_have_a_list_of_its_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_text(root / "all.txt", "ISIC_0000005\nISIC_0000007\n")
    save_text(root / "elsewhere/one.txt", "ISIC_0000007\n")
    experiment = {
        "data_root": str(root),
        "subsets": {"isic2018/train": "all.txt"},
        "benchmarks": {"isic_segmentation": {"subset": "one.txt", "longest_side": WIDTH // 2}},
    }
    assert len(load_for(experiment, "isic2018", "train")) == 2
    assert len(load_for(experiment, "isic2018", "train", "isic_segmentation")) == 2  # what it is trained on
    assert load_for(experiment, "isic2018", "train", "isic_segmentation").longest_side == WIDTH // 2
    assert subset_for(experiment, "isic2018", "val", "isic_segmentation") == "one.txt"
    monkeypatch.chdir(root / "elsewhere")
    assert load("isic2018", root, "train", "one.txt").ids == ("ISIC_0000007",)
    with pytest.raises(UsaidError, match=r"two\.txt: list of ids is missing"):
        load("isic2018", root, "train", "two.txt")


def test_only_label_maps_can_be_resized(root: Path) -> None:
    coco = load("coco", root, "val", longest_side=4)
    with pytest.raises(UsaidError, match="only images with label maps can be resized; drop 'longest_side'"):
        coco[coco.ids[0]]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_cifar_pixels_and_labels(root: Path, protocol: int) -> None:
    rows = cifar_rows()
    write_pickle(root / "cifar-100-python/test", rows, protocol)
    dataset = CIFAR100(root, "test")
    sample = dataset["test_00002"]
    assert (sample.target, type(sample.target)) == (42, int)
    assert sample.image[5, 7].tolist() == [rows["data"][2][channel * 1024 + 5 * 32 + 7] for channel in range(3)]
    assert (dataset.images.shape, dataset.images.dtype) == ((3, 32, 32, 3), np.uint8)
    assert (dataset.labels.tolist(), dataset.labels.dtype) == ([99, 0, 42], np.int64)
    assert dataset.class_names[99] == "thing 99"


def test_cifar_file_as_python_2_wrote_it(tmp_path: Path) -> None:
    """The official files hold byte strings and name numpy's modules of 2009."""
    data = bytes(range(256)) * 12
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01bt\x52"
        b"(I1\n(I1\nI3072\ntcnumpy\ndtype\n(U\x02u1I0\nI1\nt\x52(I3\nU\x01|NNNI-1\nI-1\nI0\ntb"
        b"I00\nT" + len(data).to_bytes(4, "little") + data + b"tb"
    )
    (tmp_path / "cifar-100-python").mkdir()
    (tmp_path / "cifar-100-python/test").write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x0bfine_labels](I42\neu.")
    dataset = CIFAR100(tmp_path, "test")
    assert dataset.labels.tolist() == [42]
    assert dataset.images[0, 0, :3].tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
    assert int(dataset.images[0, 31, 31, 2]) == 255


def test_cifar_arrays_follow_a_subset(root: Path) -> None:
    save_text(root / "one.txt", "test_00002\n")
    whole, part = CIFAR100(root, "test"), CIFAR100(root, "test", "one.txt")
    assert part.labels.tolist() == [42]
    assert np.array_equal(part.images[0], whole.images[2])
    assert np.array_equal(part["test_00002"].image, whole["test_00002"].image)
    with pytest.raises(UsaidError, match="test_00000"):
        part["test_00000"]


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_not_run(root: Path, protocol: int) -> None:
    witness = root / "witness"
    write_pickle(root / "cifar-100-python/test", cifar_rows() | {"batch_label": Malicious(witness)}, protocol)
    with pytest.raises(UsaidError, match=r"test: pickle asks for \w+\.system"):
        load("cifar100", root, "test")
    assert not witness.exists()


@pytest.mark.parametrize("name", ["getattr", "eval", "__import__"])
def test_builtins_are_not_importable_by_a_pickle(tmp_path: Path, name: str) -> None:
    path = tmp_path / "test"
    path.write_bytes(f"cbuiltins\n{name}\n.".encode())
    with pytest.raises(UsaidError, match=f"builtins.{name}"):
        read_pickle(path)


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(cifar_rows())[:2000], pickle.dumps([1])])
def test_a_damaged_pickle_is_named(root: Path, content: bytes) -> None:
    (root / "cifar-100-python/test").write_bytes(content)
    with pytest.raises(UsaidError, match=r"cifar-100-python/test: .*fetch cifar100 again"):
        load("cifar100", root, "test")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (cifar_rows(fine_labels=[0, 100, 1]), "label 100 of row 1"),
        (cifar_rows(fine_labels=[0, 1, -1]), "label -1 of row 2"),
        (cifar_rows(fine_labels=[0, 1]), "3 images with labels of shape"),
        (cifar_rows(fine_labels=[0.5, 1, 2]), "float64"),
        (cifar_rows(data=np.zeros((3, 3000), np.uint8)), "3072"),
        (cifar_rows(data=np.zeros((3, 3072))), "uint8"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "fine_labels"),
        (cifar_rows(data=np.zeros((10_001, 3072), np.uint8), fine_labels=[0] * 10_001), "at most 10000"),
    ],
)
def test_wrong_cifar_rows_are_named(root: Path, content: dict[str, Any], reason: str) -> None:
    write_pickle(root / "cifar-100-python/test", content)
    with pytest.raises(UsaidError, match=reason):
        load("cifar100", root, "test")


def test_cifar_meta_of_another_data_set(root: Path) -> None:
    write_pickle(root / "cifar-100-python/meta", {"fine_label_names": ["cat"]})
    with pytest.raises(UsaidError, match="meta: does not list 100"):
        _ = CIFAR100(root, "test").class_names


def test_coco_instances(root: Path) -> None:
    dataset = COCO(root, "val")
    assert dataset["139"].target == [
        Instance(category_id=90, bbox=(1.0, 2.5, 3.0, 2.0), iscrowd=False, area=4.5),
        Instance(category_id=1, bbox=(0.0, 0.0, 8.0, 6.0), iscrowd=True, area=48.0),
    ]
    assert dataset["1000"].target == []
    assert dataset.annotation_file == root / ANNOTATIONS
    assert dataset.categories == {1: "person", 90: "toothbrush"}


def test_fetching_coco_is_about_its_validation_split(root: Path) -> None:
    cures = {row.split: row.cure for row in status(root) if row.name == "coco"}
    assert cures["val"] == f"usaid data fetch coco --data-root {root}"
    assert cures["train"].startswith("only training a detector needs it: unpack annotations_trainval2017.zip")
    assert cures["train"].endswith(f"{root}/coco")


def test_coco_has_a_training_split_of_its_own(root: Path) -> None:
    with pytest.raises(UsaidError, match=r"instances_train2017\.json: missing; `usaid data status` says"):
        load("coco", root, "train")
    content = coco_content() | {"images": [{"id": 7, "width": WIDTH, "height": HEIGHT}], "annotations": []}
    save_text(root / "coco/annotations/instances_train2017.json", json.dumps(content))
    save(root / "coco/train2017/000000000007.jpg", image())
    assert [sample.id for sample in load("coco", root, "train")] == ["7"]
    assert load("coco", root, "val").ids == ("139", "285", "1000")


def test_coco_image_that_is_listed_but_missing(root: Path) -> None:
    with pytest.raises(UsaidError, match=r"000000000285\.jpg: missing"):
        load("coco", root, "val")["285"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_id": 140}, "annotation 5 names image 140"),
        ({"category_id": 2}, "annotation 5 names category 2"),
        ({"bbox": [0, 0, -1, 2]}, "annotation 5 has the impossible box"),
        ({"bbox": [0, 0, float("nan"), 2]}, "annotation 5 has the impossible box"),
        ({"bbox": [0, 0, 1]}, "not a COCO instances file"),
        ({"area": None}, "not a COCO instances file"),
    ],
)
def test_wrong_coco_annotations_are_named(root: Path, change: dict[str, Any], reason: str) -> None:
    content = coco_content()
    content["annotations"][0] |= change
    save_text(root / ANNOTATIONS, json.dumps(content))
    with pytest.raises(UsaidError, match=rf"instances_val2017\.json: {reason}"):
        load("coco", root, "val")


@pytest.mark.parametrize("text", ['{"images": [', "[]", '{"images": []}'])
def test_a_damaged_annotation_file_is_named(root: Path, text: str) -> None:
    save_text(root / ANNOTATIONS, text)
    with pytest.raises(UsaidError, match=r"instances_val2017\.json: .*fetch coco again"):
        load("coco", root, "val")


def test_coco_image_of_another_size_than_its_boxes(root: Path) -> None:
    save(root / "coco/val2017/000000000139.jpg", image()[:4])
    with pytest.raises(UsaidError, match=r"139\.jpg: image is 8x4 pixels, its boxes were drawn on 8x6"):
        load("coco", root, "val")["139"]


IMAGE_FILES = {
    "voc2012": ("2007_000001", f"{VOC}/JPEGImages/2007_000001.jpg"),
    "kodak": ("kodim01", "kodak/kodim01.png"),
    "isic2018": ("ISIC_0000005", f"{ISIC_IMAGES}/ISIC_0000005.jpg"),
    "deepglobe": ("119", f"{LAND}/119_sat.jpg"),
    "coco": ("139", "coco/val2017/000000000139.jpg"),
}
MASK_FILES = {
    "voc2012": f"{VOC}/SegmentationClass/2007_000001.png",
    "isic2018": f"{ISIC_MASKS}/ISIC_0000005_segmentation.png",
    "deepglobe": f"{LAND}/119_mask.png",
}


@pytest.mark.parametrize("name", IMAGE_FILES)
def test_an_image_that_does_not_decode_is_named(root: Path, name: str) -> None:
    image_id, path = IMAGE_FILES[name]
    (root / path).write_bytes((root / path).read_bytes()[:60])
    with pytest.raises(UsaidError, match=rf"{Path(path).name}: does not decode"):
        load(name, root, SPLIT[name])[image_id]


@pytest.mark.parametrize("name", MASK_FILES)
def test_a_mask_that_is_missing_is_named(root: Path, name: str) -> None:
    image_id, path = IMAGE_FILES[name][0], MASK_FILES[name]
    (root / path).unlink()
    dataset = load(name, root, SPLIT[name])
    assert image_id not in dataset.ids_on_disk()
    with pytest.raises(UsaidError, match=rf"{Path(path).name}: missing"):
        dataset[image_id]


@pytest.mark.parametrize("name", MASK_FILES)
def test_a_mask_of_another_size_is_named(root: Path, name: str) -> None:
    path = root / MASK_FILES[name]
    with Image.open(path) as mask:
        mask.resize((WIDTH, HEIGHT - 1), Image.Resampling.NEAREST).save(path)
    with pytest.raises(UsaidError, match=rf"{path.name}: mask is 8x5 pixels, its image 8x6"):
        load(name, root, SPLIT[name])[IMAGE_FILES[name][0]]


@pytest.mark.parametrize(
    ("name", "pixels", "reason"),
    [
        ("voc2012", np.full((HEIGHT, WIDTH), 77, np.uint8), "mask value 77"),
        ("voc2012", np.full((HEIGHT, WIDTH), 21, np.uint8), "mask value 21"),
        ("voc2012", np.zeros((HEIGHT, WIDTH, 3), np.uint8), "mode RGB"),
        ("isic2018", np.full((HEIGHT, WIDTH), 254, np.uint8), "mask value 254"),
        ("isic2018", np.full((HEIGHT, WIDTH), 1, np.uint8), "mask value 1 "),
        ("deepglobe", np.full((HEIGHT, WIDTH, 3), (255, 0, 0), np.uint8), "red"),
        ("deepglobe", np.zeros((HEIGHT, WIDTH), np.uint8), "mode L"),
    ],
)
def test_labels_out_of_range_are_named(root: Path, name: str, pixels: np.ndarray, reason: str) -> None:
    save(root / MASK_FILES[name], pixels)
    with pytest.raises(UsaidError, match=rf"{Path(MASK_FILES[name]).name}: mask .*{reason.removeprefix('mask ')}"):
        load(name, root, SPLIT[name])[IMAGE_FILES[name][0]]


def test_status_counts_images_that_have_their_targets(root: Path) -> None:
    (root / MASK_FILES["isic2018"]).unlink()
    found = {(row.name, row.split): (row.found, row.official) for row in status(root)}
    assert found == {
        ("voc2012", "train"): (2, 1464),
        ("voc2012", "val"): (0, 1449),
        ("kodak", "all"): (3, 24),
        ("isic2018", "train"): (1, 2594),
        ("isic2018", "val"): (0, 100),
        ("deepglobe", "train"): (2, 454),
        ("deepglobe", "val"): (2, 207),
        ("deepglobe", "test"): (2, 142),
        ("cifar100", "train"): (0, 50_000),
        ("cifar100", "test"): (3, 10_000),
        ("coco", "train"): (0, 118_287),
        ("coco", "val"): (2, 5000),
    }


def test_status_where_nothing_is_there(tmp_path: Path) -> None:
    rows = status(tmp_path / "nowhere")
    assert all(row.found == 0 and not row.complete and row.cure and not row.problem for row in rows)
    report = format_status(rows)
    assert f"usaid data fetch kodak --data-root {tmp_path / 'nowhere'}" in report
    assert f"unpack it at {tmp_path / 'nowhere'}/deepglobe/land-train" in report
    assert "usaid data fetch deepglobe" not in report


def test_a_complete_split_needs_no_cure(tmp_path: Path) -> None:
    for number in range(1, 25):
        save(tmp_path / f"kodak/kodim{number:02d}.png", image())
    (row,) = (row for row in status(tmp_path) if row.name == "kodak")
    assert (row.complete, row.cure) == (True, "")
    assert "fetch kodak" not in format_status([row])


def test_status_tells_why_a_folder_cannot_be_read(root: Path) -> None:
    save_text(root / ANNOTATIONS, "{")
    assert f"{root / ANNOTATIONS}: is not JSON" in format_status(status(root))


def test_sources_are_well_formed() -> None:
    sources = read_sources()
    assert set(sources) == {*DATASETS, "released", "resnet101", "yolov3", "yolov3u", "niqe_live", "niqe_matlab"}
    for name, source in sources.items():
        assert len(source.keys() & {"archives", "files", "by_hand"}) == 1, name
        assert ("splits" in source) == ("other_splits" in source), name
        assert source.keys() <= {"archives", "files", "by_hand", "splits", "other_splits"}, name
        for entry in source.get("archives", []) + source.get("files", []):
            assert set(entry) - {"only"} in (
                {"urls", "sha256", "size", "place_at"},
                {"urls", "sha256", "size", "unpack_to"},
            )
            assert all(url.startswith(("http://", "https://")) for url in entry["urls"])
            digits = 8 if name == "resnet101" else 64
            assert entry["sha256"] is None or len(entry["sha256"]) == digits
            assert entry["sha256"] is None or bytes.fromhex(entry["sha256"])


def test_sources_place_kodak_where_the_reader_looks() -> None:
    places = [entry["place_at"] for entry in read_sources()["kodak"]["files"]]
    assert places == [f"kodak/kodim{number:02d}.png" for number in range(1, 25)]
