"""A detection benchmark's entry in an experiment, and how the network that judges is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from usaid.datasets.views import Letterboxed, LetterboxResampling
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.model import (
    Count,
    Flag,
    Integer,
    Milestones,
    NotNegative,
    Number,
    Positive,
    Seed,
    Settings,
    Sha256,
    expanded,
    never,
    refuse,
)

if TYPE_CHECKING:
    from usaid.datasets.base import View

Side = Annotated[Integer, Field(ge=32, le=4096, multiple_of=32)]
"""Of the square input of a network whose largest stride is 32, in pixels."""


class DetectorRecipe(Settings):
    """How a detector is trained; the defaults are those of a small network that has minutes, not days.

    Redmon & Farhadi (2018, section 2.4) name their choices without numbers, which are in their ``yolov3.cfg``: 500,200
    steps of 64 images by SGD, decay after 0.8 and 0.9 of them, weight decay 5e-4. Here Adam (Kingma & Ba 2015, its
    weight decay decoupled) takes the place of SGD and of its 1,000 steps of warm-up. Their training on several scales,
    a new size of the network's input every ten steps, is here a part of the images that is resized to one input size:
    the size of the part is drawn for each step, its place for each image.
    """

    batch: Count = 16
    """Images in a step."""
    steps: Count = 1000
    """Length of the run."""
    learning_rate: Positive = 2e-3
    """Of Adam, at the start."""
    milestones: Milestones = (0.8, 0.9)
    """Where it falls to a tenth: fractions of the run (below 1), or steps; as in `yolov3.cfg`."""
    weight_decay: NotNegative = 5e-4
    """Of all parameters; as in `yolov3.cfg`."""
    jitter: Annotated[Number, Field(ge=0, lt=0.5)] = 0.2
    """The part of an image that is shown is shorter or longer than the image by up to twice this fraction of a side,
    and moved by up to once. In `yolov3.cfg` 0.3, for each edge alone."""
    colour: NotNegative = 0.2
    """Each channel is multiplied by a factor of its own between `1 / (1 + colour)` and `1 + colour`; `yolov3.cfg` has
    factors of up to 1.5 for saturation and exposure, and turns the hue."""
    flip: Flag = True
    """Mirror half of the images left to right, as Darknet does."""
    seed: Seed = 0
    """Of initialisation, order and augmentation."""


class DetectorSettings(Settings):
    """Which network detects."""

    model_config = never(network={"pattern": "^(yolov3u|.*,.*)$"}, train={"type": "object"})

    network: Annotated[str, Field(pattern="^(yolov3u|darknet:[^,]+(,[^,]+)?)$")]
    """`darknet:<cfg>,<weights>`: a network in Darknet's format, read by our own code. `<cfg>` is a file below
    `data_root`, or the name of one that the suite brings (`yolov3`, `miniature`); `<weights>` is a file below
    `data_root` (`.weights`, or `.safetensors` that the suite trained). The paper's is
    `darknet:yolov3,weights/yolov3.weights`, fetched by the workflow. Or `yolov3u`: what ultralytics calls YOLOv3, an
    anchor-free network trained anew with other numbers (`weights/yolov3u.pt`; `pip install 'usaid[ultralytics]'`)."""
    sha256: Sha256 | None = None
    """Expected hash of the weights."""
    letterbox: Flag = True
    """`true`: images keep their aspect ratio; `false`: they are stretched to the network's input, as a fork of Darknet
    does."""
    input_size: Side | None = None
    """Width and height of the network's input, in pixels; null: as its cfg says. With `darknet:<cfg>,<weights>`
    alone."""
    train: DetectorRecipe | None = None
    """With `darknet:<cfg>` alone: train it on COCO train2017 (not fetched: only the demo trains a detector)."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "DetectorSettings":
        if (self.network == "yolov3u" or "," in self.network) != (self.train is None):
            raise refuse("give either 'yolov3u' or 'darknet:<cfg>,<weights>', or 'darknet:<cfg>' with 'train'")
        if self.input_size is not None and "," not in self.network:
            raise refuse("'input_size' belongs to 'darknet:<cfg>,<weights>'; drop it")
        for path in self.network.removeprefix("darknet:").split(","):
            expanded(path)
        return self

    @property
    def weights(self) -> str:
        """The weights that ``network`` names, below ``data_root``."""
        return "weights/yolov3u.pt" if self.network == "yolov3u" else expanded(self.network.partition(",")[2])

    @property
    def shipped_cfg(self) -> str | None:
        """Name of the suite's cfg that ``network`` names; None: it names another file, or none."""
        cfg = self.network.removeprefix("darknet:").partition(",")[0]
        return None if self.network == "yolov3u" or cfg.endswith(".cfg") else cfg

    def cfg(self, data_root: str | Path) -> str | Path:
        """The cfg: a file below ``data_root``, or the name of one of ours."""
        return self.shipped_cfg or Path(data_root, expanded(self.network.removeprefix("darknet:").partition(",")[0]))

    @property
    def name(self) -> str:
        """What to call the detector: ``yolov3u``, or the name of its cfg."""
        return "yolov3u" if self.network == "yolov3u" else Path(self.cfg("")).stem


class DetectionSettings(BenchmarkSettings):
    """How objects are detected in denoised images."""

    of_scoring = frozenset({"noise_on", "letterbox_size", "letterbox_resampling"})

    detector: DetectorSettings
    """The network that judges."""
    noise_on: Literal["stored", "network_input"] = "stored"
    """What noise is added to, denoised and compared. `stored`: images as they are. `network_input`: images fitted into
    a grey square, as a detector has them; the printed PSNR and SSIM are of such images (`docs/protocol.md`). The
    detector gets this square; if its own input has another size, the square is resized once more."""
    letterbox_size: Side = 416
    """With `network_input`: side of the square, in pixels."""
    letterbox_resampling: LetterboxResampling = "pytorch_yolov3_2019"
    """With `network_input`: who fits. `pytorch_yolov3_2019`: a public PyTorch code of the paper's time pads with grey
    128 first, then resizes, bilinearly without antialiasing. `darknet`: Redmon's resizes first, the corners of both
    grids on each other, then pads with 127.5."""

    @model_validator(mode="after")
    def _letterboxed(self) -> "DetectionSettings":
        for key in ("letterbox_size", "letterbox_resampling"):
            if self.noise_on == "stored" and getattr(self, key) != type(self).model_fields[key].default:
                raise refuse(f"'{key}' needs 'noise_on: network_input'; give it, or drop '{key}'")
        return self

    @property
    def view(self) -> "View | None":
        return None if self.noise_on == "stored" else Letterboxed(self.letterbox_size, self.letterbox_resampling)

    @property
    def given_file(self) -> str | None:
        return self.detector.weights

    @property
    def is_trained(self) -> bool:
        return self.detector.train is not None

    @property
    def user_files(self) -> tuple[str, ...]:
        is_darknet = self.detector.network != "yolov3u"
        return (str(self.detector.cfg("")),) if is_darknet and self.detector.shipped_cfg is None else ()

    @property
    def package_data(self) -> tuple[str, ...]:
        cfg = self.detector.shipped_cfg
        return (f"evaluators.detection.darknet:{cfg}.cfg",) if cfg is not None else ()
