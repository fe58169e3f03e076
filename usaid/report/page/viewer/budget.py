"""Which pictures a page has room for: those that matter most, as long as there is room."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from usaid.report.page.viewer.pixels import PixelStore
from usaid.report.page.viewer.sources import FIRST, Experiment, Scene

BUDGET = 3_400_000
"""Of all embedded images, in bytes of base64: a page with them is under 5 MB."""

_COMPARED = (*FIRST, "u_said", "cdncnn_b")
"""Denoisers that a picture is worth little without."""

Item = TypeVar("Item")


def within_budget(
    experiments: Sequence[Experiment], budget: int = BUDGET
) -> tuple[tuple[tuple[Scene, ...], ...], PixelStore]:
    """Take scenes in turn from experiments, benchmarks, and rules, as long as they fit.

    A scene is taken with all its denoisers or not at all; but if even the first does not fit, as many of its denoisers
    as do are taken, those that are compared first.

    Args:
        experiments: what there is.
        budget: bytes of base64 for all images together; equal images count once.

    Returns:
        The scenes of each experiment, most important first, and their images.
    """
    store = PixelStore()
    taken: list[list[Scene]] = [[] for _ in experiments]
    orders = [[(index, scene) for scene in _ordered(one.scenes)] for index, one in enumerate(experiments)]
    for index, scene in _in_turn(orders):
        if store.add_within(budget, *scene.pictures.values()):
            taken[index].append(scene)
            continue
        if not any(taken) and (part := _in_part(scene, store, budget)).pictures:
            taken[index].append(part)
        break
    return tuple(map(tuple, taken)), store


def _in_part(scene: Scene, store: PixelStore, budget: int) -> Scene:
    """A scene with as many of its denoisers as fit."""
    names = sorted(scene.pictures, key=lambda name: _COMPARED.index(name) if name in _COMPARED else len(_COMPARED))
    fitting = {name: scene.pictures[name] for name in names if store.add_within(budget, scene.pictures[name])}
    return replace(scene, pictures={name: fitting[name] for name in scene.pictures if name in fitting})


def _ordered(scenes: Iterable[Scene]) -> list[Scene]:
    """Scenes by importance: those of figures and those of each benchmark in turn; of a benchmark, each rule in turn."""
    of_benchmarks = _grouped(scenes, lambda scene: "figure" if _is_of_figure(scene) else f"of {scene.benchmark}")
    of_rules = [_in_turn(_grouped(group, lambda scene: scene.why[:1])) for group in of_benchmarks]
    return _in_turn(sorted(of_rules, key=lambda group: not _is_of_figure(group[0])))


def _is_of_figure(scene: Scene) -> bool:
    return any(reason.startswith("figure") for reason in scene.why)


def _grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _in_turn(groups: Iterable[Sequence[Item]]) -> list[Item]:
    """The first of each group, then the second of each, and so on."""
    lists = list(groups)
    longest = max(map(len, lists), default=0)
    return [group[index] for index in range(longest) for group in lists if index < len(group)]
