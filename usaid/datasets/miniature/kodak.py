"""Kodak in miniature: scenes without labels."""

from usaid.datasets.miniature import scenes
from usaid.datasets.miniature.encoding import Files, generator, png


def draw(seed: int) -> Files:
    """Six pictures, two of them portraits."""
    for number in range(1, 7):
        shape = (288, 192) if number in (3, 6) else (192, 288)
        rng = generator(seed, f"kodak/{number}")
        kinds = [scenes.KINDS[kind] for kind in rng.integers(0, len(scenes.KINDS), 3)]
        scene = scenes.object_scene(rng, shape, kinds, (20, 50))
        yield f"kodak/kodim{number:02d}.png", png(scene.photograph(rng.uniform(0.2, 0.4)))
