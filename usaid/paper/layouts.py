"""The tables, the paper's and those of further benchmarks: from which scores each is made, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from usaid.cards import Benchmark

ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
"""The paper's numbers of its tables, by our numbers."""


@dataclass(frozen=True)
class TableSpec:
    """A table.

    Attributes:
        number: 1 to 10 in the paper; None: it is of a benchmark that the paper does not have.
        benchmarks: whose score files it is made from: benchmark -> the group of rows that it fills, named after its
            data set, or None: a group for each sigma of the experiment and the paper. None of them: it is made from the
            methods' facts.
        metrics: names of its rows, in the paper's order, as :data:`usaid.registries.METRICS` has them; of a table that
            is made from facts, names of :class:`usaid.cards.Facts`.
        sigma: the one sigma that it shows, 0-255 scale; None: all.
        settings: what non-blind methods are told: name of the setting in print -> the noise level (0-255 scale), None
            for the true one. It has a group of rows for each setting and sigma, in all other tables they are told the
            truth.
        left_out: methods that it does not show, since another table of its benchmark does.
        ablated: the method whose number of classes K its columns vary; None: its columns are denoisers.
    """

    number: int | None
    benchmarks: Mapping[str, str | None]
    metrics: tuple[str, ...]
    sigma: float | None = None
    settings: Mapping[str, float | None] | None = None
    left_out: tuple[str, ...] = ()
    ablated: str | None = None

    @property
    def name(self) -> str:
        """What files and targets call it: its number, ``"4"``, or the benchmark that it is of."""
        return next(iter(self.benchmarks)) if self.number is None else str(self.number)

    @property
    def title(self) -> str:
        """``"Table IV"``, or ``"Benchmark dots_brightness"``."""
        return f"Benchmark {self.name}" if self.number is None else f"Table {ROMAN[self.number]}"


SETTINGS = {"median_sigma": 25.0, "oracle_sigma": None}
"""Table IV's two settings: always told the median of the three sigmas ("Setting I"), or the truth ("Setting II")."""

TABLES: dict[int, TableSpec] = {
    spec.number: spec
    for spec in (
        TableSpec(1, {"voc_quality": None}, ("psnr", "ssim", "niqe")),
        TableSpec(2, {"voc_quality": None}, ("niqe", "psnr"), sigma=25, ablated="u_said"),
        TableSpec(3, {}, ("deep_learning", "semantic_aware", "segmentation_annotation")),
        TableSpec(4, {"kodak_quality": None}, ("niqe", "psnr"), settings=SETTINGS),
        TableSpec(5, {"voc_segmentation": None}, ("miou",)),
        TableSpec(6, {"kodak_quality": None}, ("psnr", "ssim", "niqe"), left_out=("mlp", "mc_wnnm", "cbm3d")),
        TableSpec(7, {"isic_segmentation": "isic2018", "deepglobe_segmentation": "deepglobe"}, ("miou",), sigma=25),
        TableSpec(8, {"cifar100_classification": None}, ("psnr", "ssim", "top1", "top5"), sigma=25),
        TableSpec(9, {"coco_detection": None}, ("psnr", "ssim", "map", "ap")),
    )
    if spec.number is not None
}
"""The paper's tables that can be made, by number."""


def table_of(benchmark: Benchmark) -> TableSpec | None:
    """The table of a benchmark that no table of the paper is made from; None: there is one."""
    if any(benchmark.name in spec.benchmarks for spec in TABLES.values()):
        return None
    return TableSpec(None, {benchmark.name: None}, benchmark.metrics)


NOT_BUILT = {
    10: "Table X (ten noise draws) is not built yet: it needs ten draws of Tables V, VI and VIII",
}
"""Tables of the paper that the suite cannot make yet, each with the reason."""

TITLES = {
    "noisy": "Noisy",
    "cdncnn_b": "CDnCNN-B",
    "s_said": "S-SAID",
    "u_said": "U-SAID",
    "mlp": "MLP",
    "mc_wnnm": "MC-WNNM",
    "cbm3d": "CBM3D",
}
"""What the paper's columns are called in a table whose experiment lacks them."""

REFERENCES = ("noisy", "clean")
"""Denoisers that do not compete: never marked as best, and no rows of Table III."""
