"""The metrics of the paper's tables, each with the conventions that score files may hold it in."""

from usaid.cards import Convention, Metric

PSNR = Convention("psnr_rgb_float", "evaluators.metrics.psnr_ssim:psnr_rgb_float")
SSIM = Convention("ssim_skimage7", "evaluators.metrics.psnr_ssim:ssim_skimage7")
NIQE = tuple(Convention(name) for name in ("niqe_matlab", "niqe_live", "niqe_fitted"))
TOP1, TOP5 = Convention("top1"), Convention("top5")
MIOU = Convention("miou_dataset", "usaid.scores.whole_set:MIOU_DATASET", of_whole_set=True)
AP50 = Convention("ap50_coco", "usaid.scores.whole_set:AP50_COCO", of_whole_set=True)
AP50_95 = Convention("ap50_95_coco", "usaid.scores.whole_set:AP50_95_COCO", of_whole_set=True)

CARDS = (
    Metric("psnr", "PSNR", "dB", "higher", 2, (PSNR,), tolerance=0.05),
    Metric("ssim", "SSIM", "", "higher", 4, (SSIM,), tolerance=0.001),
    Metric("niqe", "NIQE", "", "lower", 4, NIQE, tolerance=0.05),
    Metric("top1", "Top-1 Acc", "%", "higher", 2, (TOP1,), scale=100, by_network=True, tolerance=0.5),
    Metric("top5", "Top-5 Acc", "%", "higher", 2, (TOP5,), scale=100, by_network=True, tolerance=0.5),
    Metric("miou", "mIoU", "", "higher", 4, (MIOU,), over_classes=True, by_network=True, tolerance=0.005),
    Metric("map", "mAP (AP50)", "", "higher", 4, (AP50,), over_classes=True, by_network=True, tolerance=0.005),
    Metric("ap", "AP50-95", "", "higher", 4, (AP50_95,), by_network=True, tolerance=0.005),
)
