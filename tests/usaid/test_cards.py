"""Cards: plain data, and nothing else."""

import ast
import copy
import dataclasses
import inspect
import json
import pickle

import pytest

from usaid import cards
from usaid.registries import BENCHMARKS, DATASETS, METHODS, METRICS

KINDS = [kind for kind in vars(cards).values() if dataclasses.is_dataclass(kind)]
ALL = [card for registry in (METHODS, DATASETS, BENCHMARKS, METRICS) for card in registry.own.values()]


def test_cards_hold_no_code():
    """Code hashes take cards by their values, not by this module's code."""
    tree = ast.parse(inspect.getsource(cards))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_explained(kind):
    for field in dataclasses.fields(kind):
        assert f"\n    {field.name}: " in inspect.cleandoc(kind.__doc__ or "").replace("\n        ", "\n    ") + "\n"


@pytest.mark.parametrize("card", ALL, ids=lambda card: card.name)
def test_cards_are_frozen_plain_data(card):
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.name = "other"
    assert json.loads(json.dumps(dataclasses.asdict(card)))["name"] == card.name
    assert pickle.loads(pickle.dumps(card)) == card == copy.deepcopy(card)


@pytest.mark.parametrize("card", ALL, ids=lambda card: card.name)
def test_code_is_named_as_module_and_name(card):
    for field in ("denoiser", "recipe", "training", "importer", "reader", "sources", "judge", "settings"):
        name = getattr(card, field, None)
        assert name is None or name.count(":") == 1


def test_needs_of_methods_fit_together():
    for card in METHODS.own.values():
        assert (card.recipe is None) == (card.training is None)
        assert not card.weights_by_sigma or card.importer is not None
        assert card.facts is not None or (card.needs_weights and card.importer is None), "its file tells its facts"
