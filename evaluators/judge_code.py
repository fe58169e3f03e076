"""The code that judges a benchmark: what computes its metrics, and a hash of it that score files record."""

from typing import TYPE_CHECKING

from usaid.code_hash import hash_of_code
from usaid.registries import METRICS

if TYPE_CHECKING:
    from usaid.cards import Benchmark, Convention
    from usaid.experiment.benchmark import BenchmarkSettings


def conventions_of_images(card: "Benchmark", settings: "BenchmarkSettings") -> dict[str, list["Convention"]]:
    """The conventions of a benchmark's metrics that are numbers of one image, by metric.

    Those of a whole data set are computed from score files, and change none; a further convention of a printed metric
    that has no other is left out.

    Args:
        card: of the benchmark.
        settings: its entry in an experiment, which may name further metrics.
    """
    names = dict.fromkeys([*card.metrics, *settings.further_metrics])
    of_images = {name: [c for c in METRICS[name].conventions if not c.of_whole_set] for name in names}
    return {name: own for name, own in of_images.items() if own or METRICS[name].printed_as is None}


def metrics_scored(card: "Benchmark", of_images: dict[str, list["Convention"]]) -> tuple[str, ...]:
    """The metrics on a benchmark's card that score files are made for: not what follows from these files anyway.

    Args:
        card: of the benchmark.
        of_images: :func:`conventions_of_images` of it.
    """
    return tuple(name for name in card.metrics if name in of_images)


def code_of_judge(card: "Benchmark", settings: "BenchmarkSettings") -> str:
    """Hash of the version of the evaluator: judge, metrics and what they read of the suite; nothing of a denoiser.

    Args:
        card: of the benchmark.
        settings: its entry in an experiment.

    Returns:
        16 hexadecimal digits.
    """
    of_images = conventions_of_images(card, settings)
    cards = ((card.judge, metrics_scored(card, of_images), card.network), *of_images.items())
    return hash_of_code(card.judge, *computed(of_images), cards=cards, package_data=settings.package_data)


def computed(of_images: dict[str, list["Convention"]]) -> list[str]:
    """The functions, ``"module:name"``, behind conventions by metric; a judge gives the others by itself."""
    return [c.compute for conventions in of_images.values() for c in conventions if c.compute is not None]
