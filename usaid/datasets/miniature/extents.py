"""How many images the generated data sets have, and how many pixels an image: known before any is drawn."""

EXTENTS: dict[str, tuple[int, int]] = {
    "voc2012/train": (48, 35_840),
    "voc2012/val": (12, 35_840),
    "kodak/all": (6, 288 * 192),
    "isic2018/train": (32, 96 * 96),
    "isic2018/val": (8, 96 * 96),
    "deepglobe/train": (12, 128 * 128),
    "deepglobe/val": (4, 128 * 128),
    "cifar100/train": (1500, 32 * 32),
    "cifar100/test": (400, 32 * 32),
    "coco/train": (48, 160 * 128),
    "coco/val": (16, 160 * 128),
}
"""``<data set>/<split>`` -> images, and the mean of their pixels within a tenth (those of VOC have three shapes)."""
