"""Where the weights of an experiment's denoisers come from: files of others, checked and rewritten, or a training.

What a card names does the work; nothing of it is imported before it is called.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usaid.denoisers.code import code_of
from usaid.errors import UsaidError

if TYPE_CHECKING:
    from usaid.datasets.base import Sample
    from usaid.experiment.experiment import DenoiserEntry
    from usaid.training.loop import Run


def import_weights(entry: "DenoiserEntry", checkpoints: Mapping[str, Path], output: Path) -> None:
    """Check the files that an entry's ``weights`` names and write them as safetensors.

    Args:
        entry: of the denoiser.
        checkpoints: ``""`` -> the single file, or noise level (0-255 scale, as text) -> its file.
        output: safetensors file to write.

    Raises:
        UsaidError: a file that is missing, damaged, of another network or of another hash; or the method has no
            importer, since its weights are handed over as a path.
    """
    importer = entry.card.importer
    if importer is None:
        raise UsaidError(
            f"method {entry.method!r}: has no importer; its weights are handed over as they are, as a path"
        )
    code_of(entry.method, importer)(checkpoints, output, entry.sha256)


def train_denoiser(entry: "DenoiserEntry", samples: "Iterable[Sample]", run: "Run") -> None:
    """Train a denoiser by its entry's recipe.

    Args:
        entry: of the denoiser, with ``train``.
        samples: the clean images that its recipe names.
        run: where to train, and which files to write.

    Raises:
        UsaidError: the entry or the method knows no training, or what the training itself raises; an own ``train`` that
            leaves a file out.
    """
    if entry.train is None:
        raise UsaidError(f"{run.title}: has no recipe; add 'train' to its entry")
    training_of(entry)(samples, entry.train, run)
    for path in (run.weights, run.curve, run.record):
        if not path.is_file():
            cure = "it has to write weights, curve and record, as usaid.training.loop.train does"
            raise UsaidError(f"method {entry.method!r}: its training wrote no {path}; {cure}")


def training_of(entry: "DenoiserEntry") -> Callable[..., Any]:
    """What trains an entry's method: ``train(samples, recipe, run)``.

    A class of a user's own with a static or class method ``train`` trains itself; without one it is a network that the
    suite trains, if its recipe is the suite's.

    Raises:
        UsaidError: it is not trained; or an own class that cannot be imported, or has no ``train`` that can be called
            without an instance and no recipe of the suite's.
    """
    card, method, recipe = entry.card, entry.method, entry.train
    if card.training is None or recipe is None:
        raise UsaidError(f"method {method!r}: is not trained; drop 'train'")
    own_class = code_of(method, card.denoiser) if ":" in method else None
    trains_itself = isinstance(inspect.getattr_static(own_class, "train", None), staticmethod | classmethod)
    if recipe.training is not None and not trains_itself:
        return partial(code_of(method, recipe.training), entry)
    if ":" in method:
        code_of(method, "usaid.denoisers.build:load_class")(method)  # which needs torch
        if not trains_itself:
            cure = (
                "give the class one (usaid.denoisers.base.Denoiser says how; the suite trains a network if 'train' has "
                "'recipe' and 'loss'), or name its 'weights'"
            )
            raise UsaidError(f"{method}: has no static or class method 'train'; {cure}")
    return code_of(method, card.training)
