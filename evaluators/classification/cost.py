"""What the CIFAR ResNets cost: the products of their convolutions."""

from evaluators.classification.settings import ClassificationSettings
from usaid.costs import Cost

FLOP_OF_8, FLOP_OF_SIX_LAYERS = 1024 * 24_428, 1024 * 27_648
"""For each 32x32 image, forward: of ResNet-8, and of six layers more, two in each stage (torch's flop counter)."""


def cost(settings: ClassificationSettings, n_images: int) -> Cost:
    """Of the network; what trains passes forward once and backward twice."""
    classifier = settings.classifier
    flop = (FLOP_OF_8 + FLOP_OF_SIX_LAYERS * (classifier.depth - 8) / 6) / 1e12
    recipe, training = classifier.train, {}
    if recipe is not None:
        seen, steps = recipe.epochs * n_images, recipe.epochs * max(1, n_images // recipe.batch)
        training = {"classifier": 3 * flop * seen, "step": float(steps)}
    return Cost(
        pixel={"psnr and ssim": 1e-6},
        image={"classifier": flop},
        training=training,
        weights=4 * 16_000 * classifier.depth,
        memory=500,
        training_memory=0 if recipe is None else 5e4 * classifier.depth * recipe.batch,
    )
