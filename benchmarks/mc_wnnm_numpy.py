"""MC-WNNM in plain NumPy, float64: one reference patch, one group and one singular value decomposition at a time.

As the authors' demo works, and as slow: the yardstick of `usaid.denoisers.mc_wnnm.denoiser` in its tests and benchmark.
"""

import numpy as np

from usaid.denoisers.mc_wnnm.denoiser import Parameters


def denoised(noisy: np.ndarray, sigma: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Denoise an image (3, H, W), 0-255 plus noise of standard deviation ``sigma`` (3,)."""
    patch, height, width = parameters.patch, *noisy.shape[1:]
    rows, columns = ([*range(0, size - patch, parameters.step), size - patch] for size in (height, width))
    references = [(row, column) for row in rows for column in columns]
    size = parameters.group
    estimate = noisy.astype(np.float64)
    for iteration in range(parameters.outer_iterations):
        estimate = estimate + parameters.delta * (noisy - estimate)
        if iteration % parameters.matching_period == 0:
            size -= parameters.group_decrease
            members = [matched(estimate, *reference, size, parameters) for reference in references]
        total, count = np.zeros_like(estimate), np.zeros_like(estimate)
        for (row, column), group in zip(references, members, strict=True):
            residual = patch_at(noisy - estimate, row, column, patch).reshape(3, -1)
            local = np.sqrt(np.maximum(0, sigma**2 - (residual**2).mean(1)))
            if iteration:
                local = local * parameters.lambda_
            patches = np.stack([patch_at(estimate, *position, patch) for position in group], axis=1)
            mean = patches.mean(1, keepdims=True)
            clean = admm(patches - mean, local, parameters) + mean
            for (r, c), column_of_group in zip(group, clean.T, strict=True):
                total[:, r : r + patch, c : c + patch] += column_of_group.reshape(3, patch, patch)
                count[:, r : r + patch, c : c + patch] += 1
        estimate = total / count
    return estimate


def patch_at(image: np.ndarray, row: int, column: int, patch: int) -> np.ndarray:
    """One patch as a vector, channel after channel."""
    return image[:, row : row + patch, column : column + patch].ravel()


def matched(image: np.ndarray, row: int, column: int, size: int, parameters: Parameters) -> list[tuple[int, int]]:
    """Rows and columns of the patches that are most similar to the one at (row, column), the nearest first."""
    patch, window = parameters.patch, parameters.window
    candidates = [
        (r, c)
        for r in range(max(0, row - window), min(image.shape[1] - patch, row + window) + 1)
        for c in range(max(0, column - window), min(image.shape[2] - patch, column + window) + 1)
    ]
    patches = np.stack([patch_at(image, *position, patch) for position in candidates])
    distances = ((patches - patch_at(image, row, column, patch)) ** 2).sum(1)
    return [candidates[k] for k in np.argsort(distances, kind="stable")[:size]]


def admm(y: np.ndarray, sigma: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Denoise one group (rows, n): algorithm 1 with X, Z and A as the paper writes them."""
    eps = np.finfo(np.float64).eps
    smallest = sigma.min()
    w2 = np.repeat((smallest + eps) / (sigma + eps), len(y) // 3)[:, None] ** 2
    constant = parameters.constant * np.sqrt(y.shape[1]) * smallest**2
    rho = parameters.rho
    z, a = np.zeros_like(y), np.zeros_like(y)
    for _ in range(parameters.admm_iterations):
        x = (w2 * y + rho / 2 * z - a / 2) / (w2 + rho / 2)
        left, values, right = np.linalg.svd(x + a / rho, full_matrices=False)
        root = np.sqrt(np.maximum(values**2 - 8 * constant / rho, 0))
        z = left * np.where(root > 0, (values + root) / 2, 0) @ right
        a = a + rho * (x - z)
        rho *= parameters.mu
    return z
