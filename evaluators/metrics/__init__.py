"""The metrics of the paper's tables, each with the conventions that score files may hold it in."""

from typing import Any, Literal

from usaid.cards import Convention, Metric

PSNR = Convention("psnr_rgb_float", "evaluators.metrics.psnr_ssim:psnr_rgb_float")
SSIM = Convention("ssim_skimage7", "evaluators.metrics.psnr_ssim:ssim_skimage7")
NIQE = tuple(Convention(name) for name in ("niqe_matlab", "niqe_live", "niqe_fitted"))
TOP1, TOP5 = Convention("top1"), Convention("top5")
MIOU = Convention("miou_dataset", "usaid.scores.whole_set:MIOU_DATASET", of_whole_set=True)
MIOU_PER_IMAGE = Convention("miou_per_image", "usaid.scores.whole_set:MIOU_PER_IMAGE", of_whole_set=True)
MIOU_FOREGROUND_21 = Convention("miou_foreground_21", "usaid.scores.whole_set:MIOU_FOREGROUND_21", of_whole_set=True)
AP50 = Convention("ap50_coco", "usaid.scores.whole_set:AP50_COCO", of_whole_set=True)
AP50_2019 = Convention(
    "ap50_pytorch_yolov3_2019", "usaid.scores.all_points:AP50_PYTORCH_YOLOV3_2019", of_whole_set=True
)
AP50_95 = Convention("ap50_95_coco", "usaid.scores.whole_set:AP50_95_COCO", of_whole_set=True)


def _by_pyiqa(
    name: str, title: str, better: Literal["higher", "lower"], digits: int = 4, unit: str = "", **of_convention: Any
) -> Metric:
    """A metric that the package pyiqa computes by its own defaults; its column says so."""
    compute = f"evaluators.metrics.pyiqa:{name.upper()}"
    return Metric(
        name, title, unit, better, digits, (Convention(f"{name}_pyiqa", compute, package="pyiqa", **of_convention),)
    )


BY_PYIQA = (
    _by_pyiqa("ms_ssim", "MS-SSIM", "higher", smallest_side=161),
    _by_pyiqa("cw_ssim", "CW-SSIM", "higher", smallest_side=64),
    _by_pyiqa("fsim", "FSIMc", "higher"),
    _by_pyiqa("vsi", "VSI", "higher"),
    _by_pyiqa("gmsd", "GMSD", "lower"),
    _by_pyiqa("nlpd", "NLPD", "lower"),
    _by_pyiqa("vif", "VIF", "higher", smallest_side=33),
    _by_pyiqa("mad", "MAD", "lower", 2, smallest_side=16),
    _by_pyiqa("piqe", "PIQE", "lower", 2, smallest_side=16),
    _by_pyiqa(
        "lpips",
        "LPIPS (AlexNet)",
        "lower",
        smallest_side=32,
        files=("pyiqa/LPIPS_v0.1_alex-df73285e.pth", "pyiqa/checkpoints/alexnet-owt-7be5be79.pth"),
    ),
    _by_pyiqa(
        "dists",
        "DISTS",
        "lower",
        smallest_side=32,
        files=("pyiqa/DISTS_weights-f5e65c96.pth", "pyiqa/checkpoints/vgg16-397923af.pth"),
    ),
    _by_pyiqa(
        "niqe_matlab", "NIQE (MATLAB's parameters)", "lower", files=("niqe/niqe_matlab_params.mat",), smallest_side=96
    ),
)
"""Not in the paper. All but the last three need no weights; of those, files are what pyiqa and torchvision fetch."""

CARDS = (
    Metric("psnr", "PSNR", "dB", "higher", 2, (PSNR,), tolerance=0.05),
    Metric("ssim", "SSIM", "", "higher", 4, (SSIM,), tolerance=0.001),
    Metric("niqe", "NIQE", "", "lower", 4, NIQE, tolerance=0.05),
    Metric("top1", "Top-1 Acc", "%", "higher", 2, (TOP1,), scale=100, by_network=True, tolerance=0.5),
    Metric("top5", "Top-5 Acc", "%", "higher", 2, (TOP5,), scale=100, by_network=True, tolerance=0.5),
    Metric("miou", "mIoU", "", "higher", 4, (MIOU,), over_classes=True, by_network=True, tolerance=0.005),
    Metric("miou_per_image", "mIoU per image", "", "higher", 4, (MIOU_PER_IMAGE,), by_network=True, printed_as="miou"),
    Metric(
        "miou_foreground_21",
        "mIoU of foreground, over 21",
        "",
        "higher",
        4,
        (MIOU_FOREGROUND_21,),
        by_network=True,
        printed_as="miou",
    ),
    Metric("map", "mAP (AP50)", "", "higher", 4, (AP50,), over_classes=True, by_network=True, tolerance=0.005),
    Metric(
        *("map_2019", "mAP (2019 code)", "", "higher", 4, (AP50_2019,)),
        over_classes=True,
        by_network=True,
        printed_as="map",
    ),
    Metric("ap", "AP50-95", "", "higher", 4, (AP50_95,), by_network=True, tolerance=0.005),
    *BY_PYIQA,
)
