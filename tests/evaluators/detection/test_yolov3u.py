"""The ultralytics detector: its boxes beside the package's own, what its loading refuses, and that it stays quiet."""

import importlib.util
import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from opencv import require_opencv

from evaluators.detection.detector import Detections
from evaluators.detection.yolov3u import Yolov3u, import_ultralytics, letterbox, load_yolov3u
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

if importlib.util.find_spec("ultralytics") is None:  # importing it here would be what these tests are about
    pytest.skip("ultralytics is not installed", allow_module_level=True)
require_opencv()  # which ultralytics imports

CLASSES = 5


def random_model(description: str = "yolov3-tiny", classes: int = CLASSES) -> torch.nn.Module:
    """A network with random weights, whose boxes and scores differ from place to place; 16 bits hold its weights."""
    torch.manual_seed(0)
    package = import_ultralytics()
    (path,) = package.descriptions.parent.glob(f"*/{description}.yaml")
    model = package.detection_model(yaml.safe_load(path.read_text()), nc=classes, verbose=False)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0  # the statistics of one batch, so that no layer fades
    with torch.no_grad():
        model(smooth_images(2, 128, 160))
        for key, value in model.state_dict().items():
            if ".cv2." in key and key.endswith(".2.weight"):
                value.mul_(8)
            elif ".cv3." in key and key.endswith(".2.weight"):
                value.mul_(4)
            elif ".cv3." in key and key.endswith(".2.bias"):
                value.fill_(-5)
    return model.half().float()


def write_checkpoint(path: Path, model: torch.nn.Module, **more: object) -> Path:
    """As ultralytics strips and saves its own."""
    content = {"epoch": -1, "ema": None, "model": deepcopy(model).half(), "optimizer": None, "version": "8.4.0"}
    torch.save(content | {"train_args": {"imgsz": 640}} | more, path)
    return path


@pytest.fixture(scope="module")
def model():
    return random_model().eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, model):
    return write_checkpoint(tmp_path_factory.mktemp("yolov3u") / "yolov3-tinyu.pt", model)


def smooth_images(count: int, height: int, width: int) -> torch.Tensor:
    """Reproducible blobs in [0, 1]."""
    generator = torch.Generator().manual_seed(1)
    small = torch.rand(count, 3, height // 8, width // 8, generator=generator)
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


def test_detections_are_those_of_the_package(model, checkpoint):
    import_ultralytics()
    from ultralytics.utils.nms import non_max_suppression
    from ultralytics.utils.ops import scale_boxes

    images = smooth_images(2, 120, 160)
    boxed = letterbox(images).images
    with torch.inference_mode():
        expected = non_max_suppression(model(boxed), 0.001, 0.7, multi_label=True, max_det=300, max_time_img=1000)
    found = load_yolov3u(checkpoint, sha256_of_file(checkpoint))(images)
    assert isinstance(found[0], Detections)
    assert len(found) == 2
    for one, rows in zip(found, expected, strict=True):
        corners = scale_boxes(boxed.shape[2:], rows[:, :4].clone(), (120, 160), ratio_pad=((4, 4), (16, 16)))
        torch.testing.assert_close(one.scores, rows[:, 4], atol=1e-4, rtol=0)
        torch.testing.assert_close(one.boxes[:, :2], corners[:, :2], atol=0.1, rtol=0)
        torch.testing.assert_close(one.boxes[:, 2:], corners[:, 2:] - corners[:, :2], atol=0.1, rtol=0)
        assert torch.equal(one.classes, rows[:, 5].long())


@pytest.mark.parametrize("size", [(128, 160), (100, 33), (700, 900)])
def test_boxes_lie_inside_the_image(checkpoint, size):
    detector = load_yolov3u(checkpoint)
    assert detector.classes == CLASSES
    (found,) = detector(smooth_images(1, *size) * 3 - 1)  # a denoiser may leave [0, 1]
    assert 0 < len(found.scores) <= 300
    assert found.boxes.shape == (len(found.scores), 4)
    assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (torch.float32, torch.float32, torch.int64)
    assert (found.boxes >= 0).all()
    assert (found.boxes[:, :2] + found.boxes[:, 2:] <= torch.tensor(size[::-1]) + 1e-3).all()
    assert (found.scores.diff() <= 0).all()
    assert set(found.classes.tolist()) <= set(range(CLASSES))


def test_images_without_a_confident_place_have_no_detections():
    class Unsure(torch.nn.Module):
        def forward(self, images):
            predictions = torch.zeros(len(images), 4 + CLASSES, 7)
            predictions[1, 4:] = torch.nan
            return predictions, None

    found = Yolov3u(Unsure(), CLASSES, torch.device("cpu"))(torch.rand(2, 3, 32, 32))
    assert [one.boxes.shape for one in found] == [(0, 4)] * 2
    assert [one.classes.dtype for one in found] == [torch.int64] * 2


def test_boxes_go_back_to_the_pixels_of_the_image():
    """An image of 320x160 fills 640x320 of a canvas of 672x352, from (16, 16) on: twice as large."""

    class Scripted(torch.nn.Module):
        def forward(self, images):
            assert images.shape == (1, 3, 352, 672)
            return torch.tensor([[[16 + 2 * 50.0], [16 + 2 * 60.0], [2 * 20.0], [2 * 30.0], [0.2], [0.7]]]), None

    (found,) = Yolov3u(Scripted(), 2, torch.device("cpu"))(torch.rand(1, 3, 160, 320))
    torch.testing.assert_close(found.boxes, torch.tensor([[40.0, 45.0, 20.0, 30.0]]).expand(2, 4))
    torch.testing.assert_close(found.scores, torch.tensor([0.7, 0.2]))
    assert found.classes.tolist() == [1, 0]


@pytest.mark.parametrize("size", [(480, 640), (427, 640), (500, 375), (640, 640), (96, 160)])
def test_letterbox_is_that_of_the_package(size):
    import_ultralytics()
    from ultralytics.data.augment import LetterBox

    image = (smooth_images(1, *size) * 255).round()[0].permute(1, 2, 0).numpy().astype(np.uint8)
    found = letterbox(torch.from_numpy(image).permute(2, 0, 1)[None] / 255).images
    assert found.shape[2:] == tuple(int(np.ceil(side * 640 / max(size) / 32 + 0.5)) * 32 for side in size)
    expected = LetterBox(tuple(found.shape[2:]), scaleup=False)(image=_longer_side_640(image))
    difference = found[0].permute(1, 2, 0).numpy() * 255 - expected
    assert np.abs(difference).max() < 1.5  # OpenCV computes in 11 bits and rounds


def _longer_side_640(image: np.ndarray) -> np.ndarray:
    import cv2

    height, width = image.shape[:2]
    size = [-(-side * 640 // max(height, width)) for side in (width, height)]
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


# Loading


def refusal(path: Path, **options) -> str:
    with pytest.raises(UsaidError) as error:
        load_yolov3u(path, **options)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value)


def test_bad_files_are_refused(tmp_path, model, checkpoint):
    assert "weights are missing" in refusal(tmp_path / "yolov3u.pt")
    assert "expected 0000" in refusal(checkpoint, sha256="0" * 64)
    cut = tmp_path / "cut.pt"
    for content in (b"", b"not a pickle", b"<html></html>", b"\x80\x02}.", checkpoint.read_bytes()[:-1000]):
        cut.write_bytes(content)
        assert "not a checkpoint of an ultralytics model" in refusal(cut)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    assert "not a checkpoint of an ultralytics model (KeyError: 'model')" in refusal(tmp_path / "state.pt")
    sick = deepcopy(model)
    next(sick.parameters()).data[0] = torch.nan
    assert "holds weights that are not finite" in refusal(write_checkpoint(tmp_path / "sick.pt", sick))
    assert "is a folder" in refusal(tmp_path)
    other = write_checkpoint(tmp_path / "yolov8.pt", random_model("yolov8"))
    assert "another model than YOLOv3u, YOLOv3-SPPu and YOLOv3-tinyu" in refusal(other)
    lying = deepcopy(model)
    lying.yaml["nc"] = CLASSES + 1
    assert "size mismatch" in refusal(write_checkpoint(tmp_path / "lying.pt", lying))


class Bomb:
    """Unpickles by calling a function."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_code_in_a_checkpoint_does_not_run(tmp_path, model):
    victim = tmp_path / "victim"
    mined = write_checkpoint(tmp_path / "mined.pt", model, date=Bomb(open, str(victim), "w"))
    assert load_yolov3u(mined).classes == CLASSES
    with_system = write_checkpoint(tmp_path / "system.pt", model, date=Bomb(os.mkdir, str(victim)))
    assert "not a checkpoint" in refusal(with_system)
    assert not victim.exists()
    with open(mined, "rb") as file:
        torch.load(file, weights_only=False)
    assert victim.exists()


def test_without_the_package(monkeypatch, checkpoint):
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(UsaidError, match=r"^yolov3u: ultralytics does not import \(.*\); pip install 'usaid\[ultra"):
        load_yolov3u(checkpoint)


WATCHED = """
import json, os, sys
import torch
from PIL import Image
import torchvision  # what the suite has imported anyway
from evaluators.detection.yolov3u import load_yolov3u

torch.set_num_threads(1)
events = []
def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if writes or event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "urllib.")):
        events.append([event, *map(str, arguments)])
sys.addaudithook(watch)
before = torch.save, Image.open
found = load_yolov3u(sys.argv[1])(torch.rand(1, 3, 64, 96))
import ultralytics.utils
print(json.dumps({
    "detections": len(found[0].scores),
    "events": events,
    "unchanged": before == (torch.save, Image.open),
    "threads": os.environ.get("OMP_NUM_THREADS"),
    "sync": ultralytics.SETTINGS["sync"],
    "online": ultralytics.utils.ONLINE,
    "installs": ultralytics.utils.AUTOINSTALL,
    "reports": "ultralytics.utils.events" in sys.modules,
}))
"""


@pytest.mark.slow
def test_it_stays_offline_and_leaves_no_files(tmp_path, checkpoint):
    """In a process of its own, because what the package does it does when it is first imported."""
    places = {name: tmp_path / name for name in ("home", "scratch", "work")}
    for place in places.values():
        place.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("YOLO", "XDG", "OMP", "PYTEST"))}
    environment = kept | {
        "HOME": str(places["home"]),
        "TMPDIR": str(places["scratch"]),
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", WATCHED, str(checkpoint)]
    ran = subprocess.run(command, cwd=places["work"], env=environment, capture_output=True, text=True, check=True)
    report = json.loads(ran.stdout)
    assert report.pop("detections") > 0
    found = [event for event in report.pop("events") if event[0] != "open" or str(places["scratch"]) not in event[1]]
    assert found == []
    assert report == {
        "unchanged": True,
        "threads": None,
        "sync": False,
        "online": False,
        "installs": False,
        "reports": False,
    }
    assert [path for place in places.values() for path in place.rglob("*")] == []
    assert ran.stderr == ""
