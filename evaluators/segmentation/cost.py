"""What segmenters cost: the products of their convolutions."""

from evaluators.segmentation.settings import SegmentationSettings
from usaid.costs import Cost

FLOP = {
    ("fpn", "resnet101"): 387_000,
    ("fpn", "efficientnet_lite0"): 76_600,
    ("fpn_plain", "resnet101"): 485_000,
    ("fpn_plain", "efficientnet_lite0"): 175_000,
    ("pspnet", "resnet101"): 1_427_000,
    ("pspnet", "efficientnet_lite0"): 107_500,
}
"""For each pixel, forward (torch's flop counter, 128x128, 21 classes)."""

WEIGHTS = {"resnet101": 190e6, "efficientnet_lite0": 20e6}
"""Bytes."""

ACTIVATIONS = {"resnet101": 8000, "efficientnet_lite0": 4000}
"""Bytes for each pixel of a training's step, whose batches are kept until the end."""


def cost(settings: SegmentationSettings, n_images: int) -> Cost:
    """Of the network, or of a checkpoint as the dearest one; what trains passes forward once and backward twice."""
    segmenter = settings.segmenter
    flop = FLOP[segmenter.network or "pspnet", segmenter.encoder] / 1e12
    recipe, training, memory = segmenter.train, {}, 0.0
    if recipe is not None:
        pixels = recipe.steps * recipe.accumulate * recipe.batch * recipe.crop**2
        training = {"segmenter": 3 * flop * pixels, "step of a judge": float(recipe.steps)}
        training["image read"] = float(n_images)
        memory = ACTIVATIONS[segmenter.encoder] * recipe.accumulate * recipe.batch * recipe.crop**2
    pixel, image = {"segmenter": flop}, {"call of a segmenter": 1.0}
    if (size := settings.segmenter_size) is not None:
        pixel, image = {}, {**image, "segmenter": flop * size[0] * size[1]}
    return Cost(
        pixel=pixel,
        image=image,
        training=training,
        weights=WEIGHTS[segmenter.encoder],
        memory=2000,
        training_memory=memory,
    )
