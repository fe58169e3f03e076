"""Which tables are built, from which benchmark and metrics: data that the builder reads."""

from collections.abc import Mapping
from dataclasses import dataclass

ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
"""The paper's numbers of its tables, by our numbers."""


@dataclass(frozen=True)
class Metric:
    """A row of a table: a metric in the paper's words, and the conventions that score files may hold it in.

    Attributes:
        name: the paper's word, as in CSV files: ``"psnr"``.
        title: as printed.
        conventions: columns of score files that hold it for each image, or names of
            :data:`usaid.scores.whole_set.STATISTICS`, which only a whole data set has. The first is the paper's; a
            table uses the first that all its score files have.
        digits: digits after the point, as the paper prints them.
        scale: factor from a score file's unit to the paper's (100 for an accuracy in percent).
        lower_is_better: which value is marked as best.
        is_category: a yes or no that is printed as a check mark (Table III).
    """

    name: str
    title: str
    conventions: tuple[str, ...] = ()
    digits: int = 0
    scale: float = 1.0
    lower_is_better: bool = False
    is_category: bool = False


@dataclass(frozen=True)
class TableSpec:
    """A table that is made from score files.

    Attributes:
        benchmarks: whose score files it is made from: benchmark -> the group of rows that it fills, named after its
            data set, or None: a group for each sigma of the experiment and the paper.
        metrics: its rows, in the paper's order.
        sigma: the one sigma that it shows; None: all.
        settings: what non-blind methods are told: name of the setting in print -> the noise level (0-255 scale), None
            for the true one. It has a group of rows for each setting and sigma, in all other tables they are told the
            truth.
        left_out: methods that it does not show, since another table of its benchmark does.
        by_classes: its columns are the numbers of classes K that a U-SAID was trained with, not denoisers.
    """

    benchmarks: Mapping[str, str | None]
    metrics: tuple[Metric, ...]
    sigma: float | None = None
    settings: Mapping[str, float | None] | None = None
    left_out: tuple[str, ...] = ()
    by_classes: bool = False


PSNR = Metric("psnr", "PSNR (dB)", ("psnr_rgb_float",), digits=2)
SSIM = Metric("ssim", "SSIM", ("ssim_skimage7",), digits=4)
NIQE = Metric("niqe", "NIQE", ("niqe_matlab", "niqe_live", "niqe_fitted"), digits=4, lower_is_better=True)
TOP1 = Metric("top1", "Top-1 Acc (%)", ("top1",), digits=2, scale=100)
TOP5 = Metric("top5", "Top-5 Acc (%)", ("top5",), digits=2, scale=100)
MIOU = Metric("miou", "mIoU", ("miou_dataset",), digits=4)
MAP = Metric("map", "mAP (AP50)", ("ap50_coco",), digits=4)
AP = Metric("ap", "AP50-95", ("ap50_95_coco",), digits=4)

SETTINGS = {"median_sigma": 25.0, "oracle_sigma": None}
"""Table IV's two settings: always told the median of the three sigmas ("Setting I"), or the truth ("Setting II")."""

SCORE_TABLES = {
    1: TableSpec({"voc_quality": None}, (PSNR, SSIM, NIQE)),
    2: TableSpec({"voc_quality": None}, (NIQE, PSNR), sigma=25, by_classes=True),
    4: TableSpec({"kodak_quality": None}, (NIQE, PSNR), settings=SETTINGS),
    5: TableSpec({"voc_segmentation": None}, (MIOU,)),
    6: TableSpec({"kodak_quality": None}, (PSNR, SSIM, NIQE), left_out=("mlp", "mc_wnnm", "cbm3d")),
    7: TableSpec({"isic_segmentation": "isic2018", "deepglobe_segmentation": "deepglobe"}, (MIOU,), sigma=25),
    8: TableSpec({"cifar100_classification": None}, (PSNR, SSIM, TOP1, TOP5), sigma=25),
    9: TableSpec({"coco_detection": None}, (PSNR, SSIM, MAP, AP)),
}
"""The tables that are made from score files."""

FACTS_TABLE = 3
"""The table that is made from the facts of the methods."""

CATEGORIES = (
    Metric("deep_learning", "Deep learning", is_category=True),
    Metric("semantic_aware", "Semantic-aware", is_category=True),
    Metric("segmentation_annotation", "Segmentation annotation", is_category=True),
)
"""Table III's columns; the names are those of :class:`usaid.denoisers.base.Facts`."""

TITLES = {
    "noisy": "Noisy",
    "cdncnn_b": "CDnCNN-B",
    "s_said": "S-SAID",
    "u_said": "U-SAID",
    "mlp": "MLP",
    "mc_wnnm": "MC-WNNM",
    "cbm3d": "CBM3D",
}
"""What the paper's methods are called in a table whose experiment lacks them."""

REFERENCES = ("noisy", "clean")
"""Denoisers that do not compete: never marked as best, and no rows of Table III."""

NOT_BUILT = {
    10: "Table X (ten noise draws) is not built yet: it needs ten draws of Tables V, VI and VIII",
}
"""Tables of the paper that the suite cannot make yet, each with the reason."""


def built_tables() -> tuple[int, ...]:
    """Numbers of the tables that can be made, ascending."""
    return tuple(sorted([*SCORE_TABLES, FACTS_TABLE]))
