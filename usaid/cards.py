"""Cards: what can be added to the suite, as plain data - its names, facts, and where its code is (``"module:name"``).

A card stands at the door of a thing's room: in the folder's ``__init__.py``, or in a file that imports nothing heavy.
Its module offers it in a tuple ``CARDS``; :mod:`usaid.registries` names the modules. Reading all cards imports no torch
and no code that a card names. Code hashes (:mod:`usaid.code_hash`) take a card by its values, so this module holds no
code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Facts:
    """What is known of a method (Table III and the tables' footnotes).

    Attributes:
        title: name in tables.
        blind: needs no noise level.
        deep_learning: is a neural network.
        semantic_aware: was trained with a high-level loss.
        segmentation_annotation: needs segmentation labels to train.
        licence: SPDX identifier or a short statement, of the implementation in use.
        citation: paper that describes the method.
    """

    title: str
    blind: bool = True
    deep_learning: bool = False
    semantic_aware: bool = False
    segmentation_annotation: bool = False
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True)
class Method:
    """A kind of denoiser.

    Attributes:
        name: what an experiment calls it: ``"cdncnn_b"``.
        facts: for tables; None: the class says them itself (a user's own).
        denoiser: ``"module:Class"`` of its :class:`usaid.denoisers.base.Denoiser`.
        recipe: ``"module:Class"`` of the :class:`usaid.experiment.model.TrainingRecipe` that its ``train`` is checked
            against; None: it is not trained.
        training: ``"module:function"`` that trains it, as :class:`usaid.training.loop.Run` describes.
        importer: ``"module:function"`` that checks the files which ``weights`` names and writes them as safetensors;
            None: ``weights`` is handed to the denoiser as a path.
        needs_weights: it cannot do without ``weights`` or ``train``.
        weights_by_sigma: ``weights`` may be a mapping of noise levels to files.
        packages: optional packages that it imports; provenance records their versions.
        given_clean: it is handed the clean images in place of the noisy ones. Only the suite's own cards may say so.
        cost: ``"module:function"`` that says what it costs: (options, recipe or None, name, number of training images)
            -> :class:`usaid.costs.Cost`; None: nobody knows, and a plan says so.
    """

    name: str
    facts: Facts | None
    denoiser: str
    recipe: str | None = None
    training: str | None = None
    importer: str | None = None
    needs_weights: bool = False
    weights_by_sigma: bool = False
    packages: tuple[str, ...] = ()
    given_clean: bool = False
    cost: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A data set with official splits.

    Attributes:
        name: what experiments and the noise's key call it: ``"voc2012"``.
        title: its name in tables.
        reader: ``"module:Class"`` of its :class:`usaid.datasets.base.Dataset`.
        splits: split -> number of its images in the official release.
        classes: names of the classes of its label maps, in the order of their numbers; empty: it has no label maps.
        left_out: those of them that a mean over classes leaves out.
        sources: ``"package:file"`` of the YAML that says where to get it (``usaid/datasets/sources/``); None: it is
            placed by hand.
        package_data: ``"package:file"`` of what else the reader reads that an installed package brings.
        pixels: mean number of pixels of an image of the split that benchmarks score, for estimates of time; the card's
            module says where it comes from. None: unknown.
    """

    name: str
    title: str
    reader: str
    splits: Mapping[str, int]
    classes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    sources: str | None = None
    package_data: tuple[str, ...] = ()
    pixels: int | None = None


@dataclass(frozen=True)
class Benchmark:
    """A data set with a judge.

    Attributes:
        name: what an experiment calls it: ``"voc_segmentation"``.
        dataset: name of the data set.
        split: the split that is scored.
        judge: ``"module:function"`` that makes the :class:`evaluators.judge.Judge` of an experiment.
        settings: ``"module:Class"`` of the :class:`usaid.experiment.benchmark.BenchmarkSettings` that its entry in an
            experiment is checked against.
        metrics: names of the metrics that its score files hold, further conventions of printed ones among them.
        training: ``"module:function"`` that trains the network that judges; None: nothing is trained.
        network: the paper's network for it, as its settings name it; None: no network judges.
        shown: ``"module:function"`` that says what the judge sees in an image, and what is true of it: (judge, data
            set, what ``judge.look`` returned for a batch of this image, its target) -> two
            :class:`usaid.scores.kept_images.Seen`; None: nothing that can be shown.
        cost: ``"module:function"`` that says what the judge costs: (settings, number of training images) ->
            :class:`usaid.costs.Cost`; None: nobody knows, and a plan says so.
        variant_of: the benchmark that it is, for other settings beside it in one experiment; such a card is made by
            ``dataclasses.replace``. It has a table of its own, beside the same printed numbers, whose verdicts are not
            counted. None: it is no variant.
    """

    name: str
    dataset: str
    split: str
    judge: str
    settings: str
    metrics: tuple[str, ...]
    training: str | None = None
    network: str | None = None
    shown: str | None = None
    cost: str | None = None
    variant_of: str | None = None


@dataclass(frozen=True)
class Convention:
    """One way to compute a metric, by name.

    Attributes:
        name: the column of score files that holds it for each image, or the name of the score that only a whole data
            set has.
        compute: ``"module:name"``: a function (denoised, clean) -> (B,) of float batches (B, 3, H, W), or an object
            whose method ``made(files, device)`` makes that function; for a score of a whole data set its
            :class:`usaid.scores.whole_set.Statistic`; None: a judge gives the column.
        of_whole_set: it is not a mean over images, but made from statistics of all of them.
        files: what it reads, below ``data_root``, as ``made`` is given them. Where one is missing, tables show dashes.
        package: the optional package that it imports, which is also the name of the suite's extra; None: none.
        smallest_side: of images that it is defined for, in pixels; None: any.
    """

    name: str
    compute: str | None = None
    of_whole_set: bool = False
    files: tuple[str, ...] = ()
    package: str | None = None
    smallest_side: int | None = None


@dataclass(frozen=True)
class Metric:
    """What is measured, in the field's word.

    Attributes:
        name: the word in CSV files: ``"psnr"``.
        title: as printed.
        unit: ``"dB"``, ``"%"``; empty: none.
        better: which values are better.
        digits: digits after the point, as the paper prints them.
        conventions: ways to compute it; the first is the paper's. A table uses the first that all its score files have.
        scale: factor from a score file's unit to the paper's (100 for an accuracy in percent).
        over_classes: a page lists the scores of the classes that it is a mean over.
        by_network: it is made by the network that judges, so that another network makes another number.
        tolerance: by how much ours may differ from a printed number that holds, in the paper's unit; None: none is set.
        printed_as: the metric that it computes in another way, to see what hangs on the way. Tables show it right below
            that one, beside the same printed numbers, where score files have what it is made from. It has no verdicts,
            and its tests are a family of their own. None: it is what its name says.
    """

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    digits: int
    conventions: tuple[Convention, ...] = field(default=())
    scale: float = 1.0
    over_classes: bool = False
    by_network: bool = False
    tolerance: float | None = None
    printed_as: str | None = None
