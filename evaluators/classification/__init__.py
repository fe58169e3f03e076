"""Classification of denoised images by a CIFAR ResNet trained on clean ones (Tables VIII and X)."""

from usaid.cards import Benchmark

CARDS = (
    Benchmark(
        "cifar100_classification",
        "cifar100",
        "test",
        judge="evaluators.classification.judge:make_judge",
        settings="evaluators.classification.settings:ClassificationSettings",
        metrics=("psnr", "ssim", "top1", "top5"),
        training="evaluators.classification.training:train_classifier",
        network="resnet110",
        cost="evaluators.classification.cost:cost",
        shown="evaluators.classification.shown:shown",
    ),
)
