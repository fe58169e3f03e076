"""The metrics of the paper's tables, each with the conventions that score files may hold it in."""

from usaid.cards import Convention, Metric

PSNR = Convention("psnr_rgb_float", "evaluators.metrics.psnr_ssim:psnr_rgb_float")
SSIM = Convention("ssim_skimage7", "evaluators.metrics.psnr_ssim:ssim_skimage7")
NIQE = tuple(Convention(name) for name in ("niqe_matlab", "niqe_live", "niqe_fitted"))
MIOU = Convention("miou_dataset", "usaid.scores.whole_set:MIOU_DATASET", of_whole_set=True)
AP50 = Convention("ap50_coco", "usaid.scores.whole_set:AP50_COCO", of_whole_set=True)
AP50_95 = Convention("ap50_95_coco", "usaid.scores.whole_set:AP50_95_COCO", of_whole_set=True)

CARDS = (
    Metric("psnr", "PSNR", "dB", "higher", digits=2, conventions=(PSNR,)),
    Metric("ssim", "SSIM", "", "higher", digits=4, conventions=(SSIM,)),
    Metric("niqe", "NIQE", "", "lower", digits=4, conventions=NIQE),
    Metric("top1", "Top-1 Acc", "%", "higher", digits=2, conventions=(Convention("top1"),), scale=100),
    Metric("top5", "Top-5 Acc", "%", "higher", digits=2, conventions=(Convention("top5"),), scale=100),
    Metric("miou", "mIoU", "", "higher", digits=4, conventions=(MIOU,), over_classes=True),
    Metric("map", "mAP (AP50)", "", "higher", digits=4, conventions=(AP50,), over_classes=True),
    Metric("ap", "AP50-95", "", "higher", digits=4, conventions=(AP50_95,)),
)
