"""The paper's Figure 2: how fast the USA module learns true label maps, and maps that were cut up (section III-C)."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from usaid.datasets.base import Sample
from usaid.errors import UsaidError
from usaid.registries import DATASETS
from usaid.segmentation.encoders import Encoder, build_encoder
from usaid.segmentation.supervisions import Supervision
from usaid.segmentation.usa_module import USAModule, resized
from usaid.tensors import Normalisation
from usaid.training.loop import Run, Task, autocast, finish, fit, generator_for
from usaid.training.losses import cross_entropy
from usaid.training.patches import PatchSampler, labelled_images

if TYPE_CHECKING:
    from usaid.experiment.studies import Convergence

CLASSES = len(DATASETS["voc2012"].classes)

_ORDERS = list(permutations(range(4)))[1:]
"""The 23 orders of four quarters that are not the one they come in."""


def train_convergence(
    samples: Iterable[Sample],
    supervision: Supervision,
    settings: "Convergence",
    run: Run,
    origin: Mapping[str, Any],
) -> None:
    """Train the USA module, its encoder frozen, and write the learning curve; the weights are not kept.

    First weights, crops and their order are the same for all three supervisions.

    Args:
        samples: clean images with VOC label maps. Those smaller than a crop are left out and counted.
        supervision: what the logits, resized to the crop, are held against in a pixel-wise softmax loss.
        settings: how.
        run: where to train. Its curve, ``step,learning_rate,loss``, gets 100 to 199 rows (a row a step in runs shorter
            than that), each the mean loss of the steps since the row before, in nats. When it is whole, the record gets
            settings and provenance.
        origin: of the images, JSON-able, for the record: ``data_source`` and ``subset``, the list of ids that names
            them if they are not the whole split.

    Raises:
        UsaidError: too few images, an image without a label map, an encoder without weights, or as
            :func:`usaid.training.loop.fit`.
    """
    crops = Crops(samples, supervision, settings, run.device)
    size = f"{settings.crop}x{settings.crop}"
    print(f"{run.title}: {len(crops.sampler.ids)} images; left out {crops.n_left_out} that are smaller than {size}")
    encoder = build_encoder(settings.encoder, settings.encoder_weights, run.data_root)
    usa = USAModule(encoder, CLASSES, settings.seed).to(run.device).to(memory_format=torch.channels_last)
    learnt = nn.ModuleDict({"pyramid": usa.pyramid, "head": usa.head})
    log_every = max(1, settings.steps // 100)
    task = Task(
        network=learnt,
        batches=crops,
        loss=PixelwiseLoss(usa.encoder, run.device, settings.precision),
        optimizer=torch.optim.Adam(learnt.parameters(), fused=True),
        learning_rate=lambda step: settings.learning_rate,
        steps=settings.steps,
        log_every=log_every,
        checkpoint_every=10 * log_every,  # a multiple, so that checkpoints add no rows
        precision=settings.precision,
    )
    keys = settings.model_dump(mode="json")
    depends_on = {"supervision": supervision, "images_sha256": crops.images_sha256, "maps_sha256": crops.sampler.sha256}
    depends_on["encoder_sha256"] = encoder.weights_sha256
    fit(task, run, {**keys, **depends_on})
    images = {"n_images": len(crops.sampler.ids), "n_left_out": crops.n_left_out}
    finish(run, None, {"settings": keys, **depends_on, **images, **origin})


class PixelwiseLoss:
    """Pixel-wise softmax loss at full resolution of what is learnt, on top of a frozen encoder."""

    def __init__(self, encoder: Encoder, device: torch.device, precision: str) -> None:
        self.encoder, self.precision = encoder, precision
        self.normalise = Normalisation(encoder.mean, encoder.std, device)

    def __call__(self, learnt: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Mean over the labelled pixels of a batch as :class:`Crops` gives it; ``learnt`` holds pyramid and head."""
        images, labels = batch
        seen = self.normalise(images)
        with autocast(images.device, self.precision):
            with torch.no_grad():
                features = self.encoder(seen)
            logits = learnt["head"](learnt["pyramid"](features)).float()  # type: ignore[index]
        return cross_entropy(resized(logits, labels.shape[1:]), labels), {}


# ------------------------------------------------------------------------------------------------ the crops


class Crops:
    """The batch of each step: the middles of the same images, whatever the supervision.

    Attributes:
        sampler: the images; their fourth channel is the supervision.
        n_left_out: how many more images there are that are smaller than a crop.
        images_sha256: hash of ids, images and true label maps: the same for all three supervisions.
    """

    def __init__(
        self, samples: Iterable[Sample], supervision: Supervision, settings: "Convergence", device: torch.device
    ) -> None:
        """Load the images, cut out their middles and permute the label maps of these.

        Raises:
            UsaidError: an odd crop, fewer large enough images than a batch, or as
                :func:`usaid.training.patches.labelled_images`.
        """
        crop, seed = settings.crop, settings.seed
        if crop % 2:
            raise UsaidError(f"convergence: 'crop' = {crop}: must be even, so that maps have four equal quarters")
        labelled = list(labelled_images(samples, CLASSES))
        images = [(image_id, centre(image, crop)) for image_id, image in labelled if min(image.shape[:2]) >= crop]
        if len(images) < settings.batch:
            few = f"{len(images)} images are at least 'crop' = {crop} pixels wide and high"
            raise UsaidError(f"{few}, fewer than 'batch' = {settings.batch}; lower 'crop' or 'batch', or add images")
        self.settings = settings
        self.n_left_out = len(labelled) - len(images)
        self.images_sha256 = _hash_of(images)
        for image_id, image in images:
            image[..., 3] = permuted(image[..., 3], supervision, seed, image_id)
        self.sampler = PatchSampler(images, crop, device)

    def positions(self, step: int) -> Tensor:
        """Numbers of the images of a step, drawn at random; as :meth:`PatchSampler.gather` takes them."""
        device = self.sampler.pixels.device
        generator = generator_for(device, self.settings.seed, step, 0)
        return torch.randint(self.sampler.positions, (self.settings.batch,), generator=generator, device=device)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step (from 1).

        Returns:
            Images, float32 (B, 3, crop, crop) in [0, 1]; labels, int64 (B, crop, crop), 255 for none.
        """
        positions = self.positions(step)
        crops = self.sampler.gather(positions, torch.zeros_like(positions, dtype=torch.bool))
        return crops[:, :3].float().div_(255), crops[:, 3].long()

    def images_of(self, step: int) -> Sequence[str]:
        """Ids of the images in the batch of a step."""
        return self.sampler.images_of(self.positions(step))


def centre(image: np.ndarray, side: int) -> np.ndarray:
    """The square of ``side`` pixels in the middle of an (H, W, C) image."""
    top, left = ((length - side) // 2 for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def permuted(labels: np.ndarray, supervision: Supervision, seed: int, image_id: str) -> np.ndarray:
    """A label map as a supervision has it.

    Whatever the permutation, the map keeps the number of pixels of each class and of void, hence its entropy.

    Args:
        labels: (H, W), both even.
        supervision: ``ground_truth``: as it is; ``quarters``: its quarters in another order (one of the 23 others, each
            alike: the paper's random order would leave the map whole once in 24); ``pixels``: its pixels in any order.
        seed: together with the image's id, all that the permutation depends on.
        image_id: id of the image.
    """
    if supervision == "ground_truth":
        return labels.copy()
    key = hashlib.sha256(f"usaid-convergence {seed} {image_id}".encode()).digest()
    philox = np.random.Philox(key=int.from_bytes(key[:16], "little"))  # its raw words are the same in every NumPy
    if supervision == "pixels":
        order = philox.random_raw(labels.size).argsort(kind="stable")
        return labels.ravel()[order].reshape(labels.shape)
    quarters = [quarter for half in np.split(labels, 2) for quarter in np.split(half, 2, axis=1)]
    a, b, c, d = (quarters[index] for index in _ORDERS[philox.random_raw() % len(_ORDERS)])
    return np.block([[a, b], [c, d]])


def _hash_of(images: Iterable[tuple[str, np.ndarray]]) -> str:
    digest = hashlib.sha256()
    for image_id, image in images:
        digest.update(f"{image_id} {image.shape} ".encode())
        digest.update(image.data)
    return digest.hexdigest()
