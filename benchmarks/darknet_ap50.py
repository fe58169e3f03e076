"""Are the Darknet detectors read rightly: AP50 on the clean COCO images at hand, beside what their authors report.

    python benchmarks/darknet_ap50.py --data-root data [--fit letterbox] [--draw FOLDER] [--device cuda]

Scores the two small networks below `weights/darknet` with pycocotools on exactly the images at hand, and on those of
them whose annotations are complete, with images letterboxed and stretched into the network's input. A mistake in the
reader, the boxes or the suppression shows as a number far from the authors', who scored all 5,000 images. `--draw`
writes the first images with their boxes above a score of 0.3.
"""

import argparse
import contextlib
import io
import time
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from pycocotools.coco import COCO as Annotations
from pycocotools.cocoeval import COCOeval

from evaluators.detection.darknet.network import DarknetDetector, load_darknet
from evaluators.detection.detector import Detections
from usaid.datasets.base import read_id_list
from usaid.datasets.coco import COCO
from usaid.datasets.loading import load
from usaid.devices import pick_device
from usaid.tensors import to_uint8, to_unit_range

REPORTED = {"MobileNetV2-YOLOv3-Nano-coco": 30.1, "yolo-fastest-1.1-xl": 34.3}
FITS = {"letterbox": True, "stretch": False}
COMPLETE = "subsets/coco_val2017_full_annotations.txt"


def main() -> None:
    """Score each network, each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--fit", choices=FITS, nargs="+", default=list(FITS))
    parser.add_argument("--draw", type=Path, help="folder for three images with their boxes")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    coco, device = load("coco", options.data_root, "val"), pick_device(options.device)
    assert isinstance(coco, COCO)
    ids = coco.ids_on_disk()
    complete = read_id_list(options.data_root / COMPLETE)
    with contextlib.redirect_stdout(io.StringIO()):
        annotations = Annotations(str(coco.annotation_file))
    images = {image_id: to_unit_range(coco[image_id].image).to(device) for image_id in ids}
    print(f"AP50 and AP50-95 in percent on n = {len(ids)} of {coco.n_official} images, and on {len(complete)} of them")
    for network, reported in REPORTED.items():
        cfg, weights = (options.data_root / "weights/darknet" / f"{network}.{suffix}" for suffix in ("cfg", "weights"))
        for fit in options.fit:
            detector = load_darknet(cfg, weights, device=device, letterbox=FITS[fit])
            start = time.perf_counter()
            found = {image_id: detector(image)[0] for image_id, image in images.items()}
            rate = len(ids) / (time.perf_counter() - start)
            scores = [average_precisions(annotations, coco, found, chosen) for chosen in (ids, complete)]
            numbers = ", ".join(f"{ap50:.1f} / {ap:.1f}" for ap50, ap in scores)
            print(f"{network:30}{fit:10} {numbers}; authors' AP50 {reported} of 5,000; {rate:.1f} images/s")
            if options.draw:
                draw(options.draw, f"{network}_{fit}", coco, detector, ids[:3])


def average_precisions(
    annotations: Annotations, coco: COCO, found: dict[str, Detections], ids: list[str]
) -> tuple[float, float]:
    """AP50 and AP50-95 of some images, in percent."""
    categories = sorted(coco.categories)
    results = [
        {"image_id": int(image_id), "category_id": categories[label], "bbox": box, "score": score}
        for image_id in ids
        for box, score, label in zip(*(values.tolist() for values in found[image_id]), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(annotations, annotations.loadRes(results), "bbox")
        evaluation.params.imgIds = [int(image_id) for image_id in ids]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * evaluation.stats[1], 100 * evaluation.stats[0]


def draw(folder: Path, title: str, coco: COCO, detector: DarknetDetector, ids: list[str]) -> None:
    """Write images with the boxes, names and scores of what is found in them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [coco.categories[category] for category in sorted(coco.categories)]
    for image_id in ids:
        image = to_unit_range(coco[image_id].image)
        picture = Image.fromarray(to_uint8(image)[0])
        pen = ImageDraw.Draw(picture)
        detections = detector(image.to(detector.device))[0]
        for (x, y, width, height), score, label in zip(*(values.tolist() for values in detections), strict=True):
            if score > 0.3:
                pen.rectangle((x, y, x + width, y + height), outline="red", width=2)
                pen.text(
                    (x + 3, y + 2), f"{names[label]} {score:.2f}", fill="yellow", stroke_width=1, stroke_fill="black"
                )
        picture.save(folder / f"{title}_{image_id}.png")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
