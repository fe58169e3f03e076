"""What only the trainings of denoisers minimise: the reconstruction error, and the unsupervised segmentation losses."""

from torch import Tensor


def mse(denoised: Tensor, clean: Tensor, reduction: str) -> Tensor:
    """Reconstruction error of a batch.

    Args:
        denoised: float (B, 3, H, W).
        clean: same shape.
        reduction: ``half_sum``: half the sum of squares of an image, averaged over the batch (DnCNN's, and the
            released code's); ``mean``: over all pixels and channels.
    """
    squares = (denoised - clean).square()
    return squares.mean() if reduction == "mean" else squares.sum() / (2 * len(squares))


def entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the softmax, in nats, from 0 to ln K: the paper's L_USA (section III-A).

    Args:
        logits: float (B, K, h, w).
    """
    log_p = logits.log_softmax(dim=1)
    return -(log_p.exp() * log_p).sum(dim=1).mean()


def focal(logits: Tensor, gamma: float) -> Tensor:
    """Focal loss (Lin et al. 2017) against the network's own arg-max: the released code's (PROTOCOL section 1).

    Mean of -(1 - p)^gamma log p, p being the largest probability of a pixel.

    Args:
        logits: float (B, K, h, w).
        gamma: 0 makes it the cross-entropy with the arg-max.
    """
    log_p = logits.log_softmax(dim=1).amax(dim=1)
    unsure = (1 - log_p.exp()).clamp(min=1e-7)  # the slope of a power below 1 is infinite at 0
    return -(unsure.pow(gamma) * log_p).mean()
