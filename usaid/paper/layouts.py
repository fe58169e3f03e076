"""The tables, the paper's and those of further benchmarks: from which scores each is made, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
            is made from facts, names of :class:`usaid.cards.Facts`. Below each stand those of its benchmarks' metrics
            that are ``printed_as`` it, which are named on the benchmarks' cards alone.
        sigma: the one sigma that it shows, 0-255 scale; None: all.
        settings: what non-blind methods are told: name of the setting in print -> the noise level (0-255 scale), None
            for the true one. It has a group of rows for each setting and sigma, in all other tables they are told the
            truth.
        left_out: methods that it does not show, since another table of its benchmark does; of Table X those that
            it does not show by itself.
        ablated: the method whose number of classes K its columns vary; None: its columns are denoisers.
        over_draws: it is of several noise draws; all but those of the main score files have score files of their own.
        of_print: it is made from nothing but what the paper prints in the table of its number.
        variant: it is that table for a variant of its benchmark, which is called so: ``"stored"``. The printed numbers
            stand beside it, but they are judged by the table itself alone.
    """

    number: int | None
    benchmarks: Mapping[str, str | None]
    metrics: tuple[str, ...]
    sigma: float | None = None
    settings: Mapping[str, float | None] | None = None
    left_out: tuple[str, ...] = ()
    ablated: str | None = None
    over_draws: bool = False
    of_print: bool = False
    variant: str | None = None

    @property
    def name(self) -> str:
        """What files and targets call it: ``"4"``, ``"9_stored"``, ``"10_print"``, or the benchmark that it is of."""
        if self.number is None:
            return next(iter(self.benchmarks))
        return "_".join(filter(None, [str(self.number), self.variant, "print" * self.of_print]))

    @property
    def title(self) -> str:
        """``"Table IV"``, ``"Table IX, stored"``, ``"Table X in print"``, or ``"Benchmark dots_brightness"``."""
        if self.number is None:
            return f"Benchmark {self.name}"
        variant = f", {self.variant.replace('_', ' ')}" if self.variant else ""
        return f"Table {ROMAN[self.number]}{variant}{' in print' * self.of_print}"

    @property
    def is_made_again(self) -> bool:
        """Whether the paper has it, with numbers to be reproduced."""
        return self.number is not None and not self.of_print and self.variant is None


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
        TableSpec(
            10,
            {"voc_segmentation": "voc", "kodak_quality": "kodak", "cifar100_classification": "cifar100"},
            ("miou", "niqe", "top1", "top5"),
            sigma=25,
            left_out=("noisy", "clean", "mlp", "mc_wnnm", "cbm3d"),
            over_draws=True,
        ),
    )
    if spec.number is not None
}
"""The paper's tables, by number."""

DRAWS = 10
"""Noise draws behind each mean and variance of Table X."""

MEANS_TIMES = {"miou": 100.0}
"""Table X prints means of these metrics times this, their variances as they are: mIoU's means are in percent, its
variances of the fraction. Of other metrics both are of the same unit."""

TABLES_OF_PRINT = {spec.name: spec for spec in (TableSpec(10, {}, ("p_value",), sigma=25, of_print=True),)}
"""What follows from the paper's own numbers, by name: Table X's p-values, recomputed."""


def table_of(benchmark: Benchmark) -> TableSpec | None:
    """The table of a benchmark that no table of the paper is made from; None: there is one.

    That of a variant is the one in which the paper prints what it is a variant of, if it does.
    """
    if any(benchmark.name in spec.benchmarks for spec in TABLES.values()):
        return None
    name, of = benchmark.name, benchmark.variant_of
    printed = None if of is None else _in_print(of)
    if of is None or printed is None:
        return TableSpec(None, {name: None}, benchmark.metrics)
    return replace(printed, benchmarks={name: printed.benchmarks[of]}, variant=name_of_variant(benchmark))


def name_of_variant(benchmark: Benchmark) -> str | None:
    """What a variant is called beside the benchmark that it is one of: ``"stored"``; None: it is no variant."""
    of = benchmark.variant_of
    return None if of is None else benchmark.name.removeprefix(f"{of}_")


SIGMAS = (15.0, 25.0, 35.0)
"""The noise levels of the paper's tables that have several, 0-255 scale."""


def table_in_print(benchmark: Benchmark) -> TableSpec | None:
    """The table in which the paper prints the scores of a benchmark for its own denoisers; None: in none.

    Table II varies K, Table IV what others are told, Table X the noise draws. Of a variant it is the variant's own,
    which has the same printed numbers.
    """
    own = table_of(benchmark)
    if own is not None:
        return None if own.number is None else own
    return _in_print(benchmark.name)


def _in_print(benchmark: str) -> TableSpec | None:
    specs = (spec for spec in TABLES.values() if benchmark in spec.benchmarks)
    return next((spec for spec in specs if not (spec.ablated or spec.settings or spec.over_draws)), None)


def sigmas_in_print(benchmark: Benchmark) -> tuple[float, ...]:
    """The noise levels, 0-255 scale, at which the paper scores a benchmark; of one that it lacks, those of most."""
    spec = table_in_print(benchmark)
    return SIGMAS if spec is None or spec.sigma is None else (spec.sigma,)


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
