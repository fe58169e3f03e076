"""Tests of usaid.segmentation.convergence: what is permuted and what is not, and curves that survive a kill."""

import json
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from usaid.datasets.base import Sample
from usaid.denoisers.training.losses import entropy
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment
from usaid.experiment.studies import Convergence
from usaid.segmentation import convergence
from usaid.segmentation.convergence import Crops, permuted, train_convergence
from usaid.segmentation.supervisions import SUPERVISIONS, read_record, record_beside
from usaid.training.loop import Run, Task

CPU = torch.device("cpu")
SIDE = 48
TINY = Convergence(encoder="efficientnet_lite0", crop=32, batch=4, steps=30)


def replace(settings: Convergence, **changes: object) -> Convergence:
    return settings.model_copy(update=changes)


def train(supervision: str, settings: Convergence, curve: Path, **origin: object) -> None:
    """Train on the CPU with six images; writes a curve and its record."""
    run = Run(curve, CPU, title=f"convergence, {supervision}", name=supervision)
    train_convergence(samples(), supervision, settings, run, origin)


def two_halves(index: int, height: int = SIDE, width: int = SIDE) -> Sample:
    """A red half of class 12 and a blue half of class 0, parted by a line of void: another line in each image."""
    y, x = np.mgrid[0:height, 0:width] - 24.5
    distance = math.cos(2.4 * index) * x + math.sin(2.4 * index) * y
    image = np.where(distance[..., None] > 0, (200, 60, 40), (40, 90, 180))
    image += np.random.default_rng(index).integers(0, 30, image.shape)
    labels = np.where(distance > 0, 12, 0)
    labels[np.abs(distance) < 1] = 255
    return Sample(f"halves{index}", image.astype(np.uint8), labels.astype(np.uint8))


def samples(count: int = 6) -> list[Sample]:
    return [two_halves(index) for index in range(count)]


@pytest.fixture
def labels() -> np.ndarray:
    """uint8 (36, 50): a map with several classes and void, and four different quarters."""
    labels = np.zeros((36, 50), np.uint8)
    labels[3:20, 5:30] = 15
    labels[10:30, 33:48] = 7
    labels[2:4] = 255
    return labels


def test_paper_holds_the_entropy_of_the_maps_equal(labels):
    maps = [permuted(labels, supervision, 0, "image") for supervision in SUPERVISIONS]
    for each in maps:
        assert (each.shape, each.dtype) == (labels.shape, labels.dtype)
        assert np.array_equal(np.bincount(each.ravel(), minlength=256), np.bincount(labels.ravel(), minlength=256))
    assert np.array_equal(maps[0], labels)
    assert not np.array_equal(maps[1], labels)
    assert not np.array_equal(maps[2], labels)
    logits_of_label = torch.randn(256, 21, generator=torch.Generator().manual_seed(0))
    losses = [entropy(logits_of_label[torch.from_numpy(each).long()].permute(2, 0, 1)[None]) for each in maps]
    assert losses[0] > 1
    torch.testing.assert_close(torch.stack(losses), losses[0].expand(3))


def numbered_quarters(height: int = 6, width: int = 10) -> np.ndarray:
    """A map whose pixels all differ; pixels // 15 is the quarter they come from."""
    quarters = np.arange(height * width).reshape(4, height // 2, width // 2)
    return np.block([[quarters[0], quarters[1]], [quarters[2], quarters[3]]])


def test_quarters_are_moved_whole_and_never_all_back_to_their_place():
    whole = numbered_quarters()
    orders = set()
    for image in range(300):
        moved = permuted(whole, "quarters", 0, f"image{image}")
        found = [moved[row : row + 3, column : column + 5] for row, column in product((0, 3), (0, 5))]
        order = tuple(int(quarter[0, 0]) // 15 for quarter in found)
        for place, quarter in zip(order, found, strict=True):
            assert np.array_equal(quarter, np.arange(15 * place, 15 * place + 15).reshape(3, 5))
        orders.add(order)
    assert (0, 1, 2, 3) not in orders
    assert len(orders) == 23


def test_pixels_go_anywhere():
    whole = numbered_quarters(30, 40)
    moved = permuted(whole, "pixels", 0, "image")
    assert np.array_equal(np.sort(moved.ravel()), np.arange(1200))
    assert (moved == whole).mean() < 0.01
    places = np.bincount(moved[:15, :20].ravel() // 300, minlength=4)  # of each quarter's pixels, in the first quarter
    assert np.all(np.abs(places - 75) < 30)


@pytest.mark.parametrize("supervision", ["quarters", "pixels"])
def test_permutation_depends_on_seed_and_image_alone(supervision):
    whole = numbered_quarters(30, 40)
    first = permuted(whole, supervision, 0, "2007_000032")
    np.random.default_rng(3).random(5)
    assert np.array_equal(permuted(whole, supervision, 0, "2007_000032"), first)
    other_seeds = {permuted(whole, supervision, seed, "2007_000032").tobytes() for seed in range(6)}
    other_images = {permuted(whole, supervision, 0, f"2007_{number:06d}").tobytes() for number in range(6)}
    assert min(len(other_seeds), len(other_images)) > 2


def test_all_supervisions_see_the_same_crops():
    odd = [two_halves(index, 41 + index, 53 - index) for index in range(6)]
    crops = {name: Crops(odd, name, TINY, CPU) for name in SUPERVISIONS}
    assert len({each.images_sha256 for each in crops.values()}) == 1
    assert len({each.sampler.sha256 for each in crops.values()}) == 3
    for step in (1, 2, 30):
        images, maps = zip(*(each(step) for each in crops.values()), strict=True)
        assert torch.equal(images[0], images[1])
        assert torch.equal(images[0], images[2])
        assert not torch.equal(maps[0], maps[1])
        assert not torch.equal(maps[0], maps[2])
        assert len({tuple(each.images_of(step)) for each in crops.values()}) == 1
    assert images[0].shape == (4, 3, 32, 32)
    assert maps[0].shape == (4, 32, 32)
    assert not torch.equal(crops["pixels"](1)[0], crops["pixels"](2)[0])


def test_true_labels_stay_on_their_pixels():
    images, maps = Crops(samples(), "ground_truth", TINY, CPU)(1)
    red = images[:, 0] > images[:, 2]
    known = maps != 255
    assert known.any()
    assert torch.equal(red[known], maps[known] == 12)


def test_crop_is_the_middle_of_the_image():
    image = np.arange(5 * 8 * 4, dtype=np.uint8).reshape(5, 8, 4)
    assert np.array_equal(convergence.centre(image, 4), image[0:4, 2:6])
    assert np.array_equal(convergence.centre(image, 2), image[1:3, 3:5])


def test_odd_crop_is_refused():
    with pytest.raises(UsaidError, match="'crop' = 33: must be even"):
        Crops(samples(4), "pixels", replace(TINY, crop=33), CPU)


def test_images_smaller_than_a_crop_are_left_out_and_counted():
    small = [two_halves(index, *size) for index, size in enumerate([(33, 31), (32, 32), (33, 33), (31, 60)], start=10)]
    crops = Crops([*small, *samples(2)], "pixels", TINY, CPU)
    assert crops.sampler.ids == ("halves11", "halves12", "halves0", "halves1")
    assert crops.n_left_out == 2
    with pytest.raises(UsaidError) as error:
        Crops([*small, *samples(1)], "pixels", TINY, CPU)
    expected = "3 images are at least 'crop' = 32 pixels wide and high, fewer than 'batch' = 4; lower 'crop' or 'batch'"
    assert expected in str(error.value)


def losses_of(curve: Path) -> np.ndarray:
    return pd.read_csv(curve)["loss"].to_numpy()


def test_true_maps_are_learnt_faster_than_permuted_pixels(tmp_path, capsys):
    found = {}
    for name in ("ground_truth", "pixels"):
        train(name, TINY, tmp_path / f"{name}.csv", data_source="miniature", subset="some.txt")
        found[name] = losses_of(tmp_path / f"{name}.csv")
        assert len(found[name]) == TINY.steps
    assert found["ground_truth"][0] == pytest.approx(math.log(21), abs=0.1), "the first weights are a uniform guess"
    assert found["pixels"][0] == pytest.approx(math.log(21), abs=0.1)
    assert found["ground_truth"][-5:].mean() < 0.3
    assert found["pixels"][-5:].mean() > 0.6, "ln 2 is the entropy of halves"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".csv", ".json", ".json"], (
        "no checkpoint left"
    )
    record = read_record(tmp_path / "pixels.csv")
    assert record["settings"] == TINY.model_dump()
    known = {key: record[key] for key in ("supervision", "n_images", "n_left_out", "data_source", "subset")}
    assert known == {
        "supervision": "pixels",
        "n_images": 6,
        "n_left_out": 0,
        "data_source": "miniature",
        "subset": "some.txt",
    }
    assert "convergence, pixels: 6 images; left out 0 that are smaller than 32x32" in capsys.readouterr().out


def test_long_curves_have_a_hundred_rows_or_more(tmp_path, monkeypatch):
    tasks: list[Task] = []
    monkeypatch.setattr(convergence, "fit", lambda task, run, depends_on: tasks.append(task))
    for steps, every in ((5, 1), (199, 1), (200, 2), (2000, 20)):
        train("pixels", replace(TINY, steps=steps), tmp_path / "curve.csv")
        assert tasks[-1].steps == steps
        assert tasks[-1].log_every == every
        assert tasks[-1].checkpoint_every % every == 0


def test_interrupted_run_gives_the_same_curve(tmp_path, monkeypatch):
    settings = replace(TINY, steps=13)
    whole, interrupted = tmp_path / "whole.csv", tmp_path / "interrupted.csv"
    train("quarters", settings, whole)

    class UntilStep12(Crops):
        def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
            if step == 12:
                raise KeyboardInterrupt
            return super().__call__(step)

    with monkeypatch.context() as patch:
        patch.setattr(convergence, "Crops", UntilStep12)
        with pytest.raises(KeyboardInterrupt):
            train("quarters", settings, interrupted)
    assert not record_beside(interrupted).exists()
    interrupted.unlink()  # as a workflow does with a killed job's outputs
    with pytest.raises(
        UsaidError, match=r"another training: maps_sha256 .* supervision \(quarters there, pixels here\)"
    ):
        train("pixels", settings, interrupted)

    train("quarters", settings, interrupted)
    assert interrupted.read_bytes() == whole.read_bytes()
    assert len(losses_of(whole)) == 13


def test_encoder_stays_as_it_is(monkeypatch, tmp_path):
    encoders = []
    build = convergence.build_encoder

    def built(*arguments):
        encoders.append(build(*arguments))
        return encoders[-1]

    monkeypatch.setattr(convergence, "build_encoder", built)
    train("pixels", replace(TINY, steps=2), tmp_path / "curve.csv")
    fresh = build("efficientnet_lite0", None, "data").state_dict()
    for key, value in encoders[0].state_dict().items():
        assert torch.equal(value, fresh[key]), key


def test_records_of_older_runs_are_read_alike(tmp_path):
    """Their settings stand beside the provenance, not below ``training``."""
    older = {"settings": {"steps": 3}, "device": "cpu", "n_images": 6}
    (tmp_path / "old.json").write_text(json.dumps(older))
    (tmp_path / "new.json").write_text(json.dumps({"device": "cpu", "training": {**older, "code_hash": "0123"}}))
    assert read_record(tmp_path / "old.csv") == older
    assert read_record(tmp_path / "new.csv") == {**older, "code_hash": "0123"}


def test_a_curve_without_a_record_is_unfinished(tmp_path):
    with pytest.raises(UsaidError, match=r"curve\.json: missing, so curve\.csv may be unfinished; train it again$"):
        read_record(tmp_path / "curve.csv")


def test_an_experiment_gives_the_settings():
    experiment = {
        "experiment": "test",
        "data_root": "data",
        "denoisers": {"noisy": {"method": "noisy"}},
        "benchmarks": {"kodak_quality": {"sigmas": [25]}},
        "convergence": {},
    }
    assert checked_experiment(experiment).convergence == Convergence()
    changes = {"encoder": "efficientnet_lite0", "crop": 96}
    assert checked_experiment(experiment | {"convergence": changes}).convergence == Convergence(**changes)
    del experiment["convergence"]
    assert checked_experiment(experiment).convergence is None


@pytest.mark.parametrize("target", [np.full((SIDE, SIDE), 21, np.uint8), None])
def test_what_is_no_label_map_is_refused(target):
    def unlabelled() -> Iterator[Sample]:
        yield Sample("strange", two_halves(0).image, target)

    with pytest.raises(UsaidError, match="image 'strange' has "):
        Crops(unlabelled(), "pixels", TINY, CPU)
