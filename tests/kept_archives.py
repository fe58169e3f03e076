"""Archives of kept images made by hand, and a page with nothing but the viewer on it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from usaid.report.page.viewer.section import viewer_script, viewer_section, viewer_style
from usaid.report.page.viewer.sources import ViewerSource
from usaid.scores.kept_images import Box, KeptImages, Picture, Seen, Window, write_kept

TITLES = {"clean": "Clean", "noisy": "Noisy", "cdncnn_b": "CDnCNN-B", "u_said": "U-SAID"}
CLASSES = ("background", "cat", "dog")
SIDE = 48
WINDOW = Window(16, 8, SIDE, SIDE)
SIZE = (96, 72)

HOST = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:">
<title>Viewer</title><style>
:root {{ --fg: #1f2328; --bg: #fff; --accent: #0b62b0; --muted: #59636e; --line: #d0d4d9; color-scheme: light dark; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --fg: #e6e9ed; --bg: #14171b; --accent: #6cb2f5; --muted: #a0a8b2; --line: #3a4149; }}
}}
body {{ max-width: 72rem; margin: 0 auto; padding: 1rem; color: var(--fg); background: var(--bg);
  font: 1rem/1.5 sans-serif; }}
{style}</style></head>
<body><main><h1>Report</h1>{before}{section}</main><script>{first}</script><script>{script}</script></body></html>
"""


def noise(seed: int) -> np.ndarray:
    """uint8 (SIDE, SIDE, 3): no two alike."""
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def seen_by(denoiser: str) -> Seen:
    """A label map of the whole image: background, and a cat on the left of a column that tells denoisers apart."""
    labels = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    labels[:, : 30 + 2 * len(denoiser)] = 1
    return Seen(labels=labels, classes=CLASSES)


def picture(denoiser: str, image_id: str = "kodim01", sigma: float = 25.0, **changed: Any) -> Picture:
    """A picture of Kodak; the clean one is the same under each sigma."""
    seed = crc32(f"{image_id}/{denoiser}/{0 if denoiser == 'clean' else sigma}".encode())
    scores = {"psnr_rgb_float": float("inf") if denoiser == "clean" else 20.0 + len(denoiser), "ssim_skimage7": 0.5}
    made = Picture("kodak_quality", image_id, sigma, ("first",), SIZE, WINDOW, noise(seed), scores=scores)
    if denoiser == "clean":
        made = replace(made, overview=np.full((36, 48, 3), 99, np.uint8))
    return replace(made, **changed)


def segmented(denoiser: str) -> Picture:
    """A picture of VOC with label maps."""
    truth = None
    if denoiser == "clean":
        labels = np.full((SIZE[1], SIZE[0]), 2, np.uint8)
        labels[:, 40:44] = 255
        truth = Seen(labels=labels, classes=CLASSES)
    changed = {"seen": seen_by(denoiser), "truth": truth, "scores": {"miou_per_image": 0.25 * len(denoiser)}}
    return picture(denoiser, "2007_000033", benchmark="voc_segmentation", why=("worst",), **changed)


def detected(denoiser: str) -> Picture:
    """A picture of COCO with one box in the window and one beyond it."""
    boxes = (Box(20.0, 20.0, 12.0, 10.0, "cat", 0.75), Box(80.0, 60.0, 10.0, 10.0, "<b>dog</b>", 0.5))
    truth = Seen(boxes=(Box(22.0, 21.0, 12.0, 10.0, "cat"),)) if denoiser == "clean" else None
    return picture(denoiser, "139", benchmark="coco_detection", why=("median",), seen=Seen(boxes=boxes), truth=truth)


def archives(folder: Path, kept: Mapping[str, Iterable[Picture]], **titles: str) -> list[Path]:
    """Write the archives of an experiment, one a denoiser."""
    paths = []
    for name, pictures in kept.items():
        title = titles.get(name, TITLES.get(name, name))
        paths.append(folder / "images" / f"{name}.zip")
        write_kept(paths[-1], KeptImages(name, title, {}, tuple(pictures)))
    return paths


def whole(folder: Path, name: str = "released") -> ViewerSource:
    """An experiment with images of three benchmarks."""
    kept = {
        denoiser: [
            *(picture(denoiser, sigma=sigma) for sigma in (15.0, 25.0)),
            picture(denoiser, "kodim10", why=("figure_4", "worst")),
            segmented(denoiser),
            detected(denoiser),
        ]
        for denoiser in TITLES
    }
    return ViewerSource(name, name.title(), archives(folder / name, kept))


def host_page(path: Path, *sources: ViewerSource, before: str = "", first: str = "") -> Path:
    """A page that holds the viewer as the report does."""
    section = viewer_section(sources)
    content = HOST.format(style=viewer_style(), section=section, script=viewer_script(), before=before, first=first)
    path.write_text(content, encoding="utf-8")
    return path
