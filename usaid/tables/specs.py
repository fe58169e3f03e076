"""Which tables are built, from which benchmark and metrics: data that the builder reads."""

from dataclasses import dataclass

ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
"""The paper's numbers of its tables, by our numbers."""


@dataclass(frozen=True)
class Metric:
    """A row of a table: a metric in the paper's words, and the conventions that score files may hold it in.

    Attributes:
        name: the paper's word, as in CSV files: ``"psnr"``.
        title: as printed.
        conventions: columns of score files that hold it. The first is the paper's; a table uses the first that all
            its score files have.
        digits: digits after the point, as the paper prints them.
        scale: factor from a score file's unit to the paper's (100 for an accuracy in percent).
        is_category: a yes or no that is printed as a check mark (Table III).
    """

    name: str
    title: str
    conventions: tuple[str, ...] = ()
    digits: int = 0
    scale: float = 1.0
    is_category: bool = False


@dataclass(frozen=True)
class TableSpec:
    """A table of means over images.

    Attributes:
        benchmark: whose score files it is made from.
        metrics: its rows, in the paper's order.
        sigma: the one sigma that it shows; None: a group of rows for each sigma of the experiment and the paper.
        by_classes: its columns are the numbers of classes K that a U-SAID was trained with, not denoisers.
    """

    benchmark: str
    metrics: tuple[Metric, ...]
    sigma: float | None = None
    by_classes: bool = False


PSNR = Metric("psnr", "PSNR (dB)", ("psnr_rgb_float",), digits=2)
SSIM = Metric("ssim", "SSIM", ("ssim_skimage7",), digits=4)
NIQE = Metric("niqe", "NIQE", ("niqe_matlab", "niqe_live", "niqe_fitted"), digits=4)
TOP1 = Metric("top1", "Top-1 Acc (%)", ("top1",), digits=2, scale=100)
TOP5 = Metric("top5", "Top-5 Acc (%)", ("top5",), digits=2, scale=100)

SCORE_TABLES = {
    1: TableSpec("voc_quality", (PSNR, SSIM, NIQE)),
    2: TableSpec("voc_quality", (NIQE, PSNR), sigma=25, by_classes=True),
    6: TableSpec("kodak_quality", (PSNR, SSIM, NIQE)),
    8: TableSpec("cifar100_classification", (PSNR, SSIM, TOP1, TOP5), sigma=25),
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
    4: "Table IV (non-blind methods on Kodak) is not built yet: it needs MLP, MC-WNNM and CBM3D",
    5: "Table V (segmentation, VOC 2012) is not built yet: it needs the benchmark voc_segmentation",
    7: "Table VII (segmentation, ISIC 2018 and DeepGlobe) is not built yet: "
    "it needs the benchmarks isic_segmentation and deepglobe_segmentation",
    9: "Table IX (detection, COCO) is not built yet: it needs the benchmark coco_detection",
    10: "Table X (ten noise draws) is not built yet: it needs voc_segmentation and ten draws",
}
"""Tables of the paper that the suite cannot make yet, each with the reason."""


def built_tables() -> tuple[int, ...]:
    """Numbers of the tables that can be made, ascending."""
    return tuple(sorted([*SCORE_TABLES, FACTS_TABLE]))
