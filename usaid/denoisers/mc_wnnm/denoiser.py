"""MC-WNNM (Xu et al., ICCV 2017): groups of similar colour patches are denoised as matrices of low rank.

All is on the 0-255 scale but for :class:`MCWNNMDenoiser`, which maps [0, 1] to [0, 1]. A *position* is the flat index
``row * width + column`` of a patch's upper left pixel. A *group* is a matrix of shape (3 * patch**2, n): its columns
are similar patches, its rows the pixels of the three channels one after the other.

The equations are the paper's; where it names no value or rule, the authors' published demo (its "ADMM1") decides. The
code is our own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser, checked_told_sigma
from usaid.denoisers.sliding_window import starts_of_patches
from usaid.errors import UsaidError

GROUPS_AT_ONCE = 256
"""Groups that are denoised in one batch (60 patches: 6.6 MB a float32 copy)."""

REFERENCES_PER_TILE = 8
"""Side of the square of reference patches that share one search, in references."""

BASIS_EXPONENT = 1.5
"""Exponent of W in :func:`weighted_nuclear_norm_scalar_admm`, by experiment: from 1.3 to 1.6 it hardly matters."""

SMALLEST = 1e-30
"""Stands for a squared singular value of 0, so that one can divide by it."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of MC-WNNM: those of the authors' demo for Kodak images, but for ``exact``.

    Attributes:
        patch: side of a patch in pixels.
        step: distance of neighbouring reference patches in pixels.
        window: patches at most so many rows and columns away from the reference patch are compared with it.
        group: patches in a group, before ``group_decrease`` is taken off.
        group_decrease: patches that a group loses before every matching, the first one too.
        outer_iterations: passes over the image (algorithm 2).
        matching_period: patches are matched anew every so many passes.
        delta: share of the residual that is given back before every pass (iterative regularisation, algorithm 2).
        lambda_: factor of the estimated local noise from the second pass on.
        admm_iterations: iterations of ADMM in each group (algorithm 1).
        rho: first penalty of ADMM (algorithm 1).
        mu: factor of the penalty from one iteration to the next (algorithm 1).
        constant: c of the weights w_i = c sqrt(n) sigma**2 / (s_i + eps) (section 3; Gu et al., CVPR 2014).
        exact: decompose each group in every iteration of ADMM, as the authors do, and not only once (ours): about
            five times slower. PSNR is the same to 0.002 dB on each of four Kodak images at sigma 25.
    """

    patch: int = 6
    step: int = 5
    window: int = 20
    group: int = 70
    group_decrease: int = 10
    outer_iterations: int = 6
    matching_period: int = 2
    delta: float = 0.1
    lambda_: float = 0.6
    admm_iterations: int = 10
    rho: float = 3.0
    mu: float = 1.001
    constant: float = 2 * math.sqrt(2)
    exact: bool = False

    def __post_init__(self) -> None:
        """Check what would leave groups without patches or pixels without groups.

        Raises:
            UsaidError: a count is below 1, a group loses all its patches, or ``step`` is larger than ``patch``.
        """
        for name in ("patch", "step", "outer_iterations", "matching_period", "admm_iterations"):
            if getattr(self, name) < 1:
                raise UsaidError(f"{name} = {getattr(self, name)}: must be >= 1")
        if self.step > self.patch:
            raise UsaidError(f"step = {self.step}: must be <= patch = {self.patch}, or pixels between patches are lost")
        lost = self.group_decrease * math.ceil(self.outer_iterations / self.matching_period)
        if self.group <= lost:
            raise UsaidError(f"group = {self.group}: must be > {lost}, which groups lose until the last matching")


class MCWNNMDenoiser(Denoiser):
    """MC-WNNM as a non-blind denoiser of images of any size from one patch on.

    On a CPU the result is the same bits in every run; on a GPU patches are added up in any order.
    """

    def __init__(
        self, facts: Facts, device: torch.device | str = "cpu", parameters: Mapping[str, Any] | None = None
    ) -> None:
        """Set up; there are no weights to load.

        Args:
            facts: of the method.
            device: where to compute.
            parameters: those of :class:`Parameters` to change, by name.

        Raises:
            UsaidError: no such parameter, or as :class:`Parameters`.
        """
        self.facts = facts
        self.device = torch.device(device)
        self.parameters = checked_parameters(parameters or {})
        self.deviations = deviations_of(self.parameters)

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch, image by image (see :class:`Denoiser`).

        Raises:
            UsaidError: no noise level > 0 was told, or the images are smaller than a patch.
        """
        sigma = noisy.new_full((3,), checked_told_sigma(told_sigma))
        return torch.stack([denoised(image * 255, sigma, self.parameters) / 255 for image in noisy])


def checked_parameters(changes: Mapping[str, Any]) -> Parameters:
    """The parameters, some of them changed.

    Raises:
        UsaidError: no such parameter, or as :class:`Parameters`.
    """
    known = [field.name for field in fields(Parameters)]
    if unknown := sorted(changes.keys() - set(known)):
        raise UsaidError(f"MC-WNNM: unknown parameter {unknown[0]!r}; allowed: {', '.join(known)}")
    return Parameters(**changes)


def deviations_of(parameters: Parameters) -> list[str]:
    """How parameters differ from the authors', for the tables' footnotes."""
    theirs, given = asdict(replace(Parameters(), exact=parameters.exact)), asdict(parameters)
    differing = [name for name in given if given[name] != theirs[name]]
    changed = [f"{name} = {given[name]:g} (the authors' is {theirs[name]:g})" for name in differing]
    found = [f"MC-WNNM with {', '.join(changed)}"] if changed else []
    if not parameters.exact:
        found.append("MC-WNNM: each group is decomposed once, not in every iteration of ADMM as by its authors")
    return found


def denoised(noisy: Tensor, sigma: Tensor, parameters: Parameters) -> Tensor:
    """Denoise one image (algorithm 2).

    Args:
        noisy: float32 (3, H, W), 0-255 plus noise.
        sigma: standard deviation of the noise of each channel, (3,).
        parameters: of the method.

    Returns:
        float32 (3, H, W).

    Raises:
        UsaidError: the image is smaller than a patch.
    """
    height, width = noisy.shape[1:]
    if min(height, width) < parameters.patch:
        raise UsaidError(
            f"image of {width}x{height} pixels: MC-WNNM needs at least {parameters.patch}x{parameters.patch}"
        )
    rows, columns = (starts_of_patches(size, parameters.patch, parameters.step) for size in (height, width))
    down, across = (torch.tensor(starts, device=noisy.device) for starts in (rows, columns))
    estimate, size = noisy, parameters.group
    for iteration in range(parameters.outer_iterations):
        estimate = estimate + parameters.delta * (noisy - estimate)
        if iteration % parameters.matching_period == 0:
            size -= parameters.group_decrease
            members = matched_patches(estimate, rows, columns, size, parameters.window, parameters.patch)
        noise = local_sigma(noisy - estimate, sigma, down, across, parameters.patch)
        if iteration:
            noise *= parameters.lambda_
        estimate = pass_over_groups(estimate, members, noise, parameters)
    return estimate


def local_sigma(residual: Tensor, sigma: Tensor, rows: Tensor, columns: Tensor, patch: int) -> Tensor:
    """Noise that is left in each reference patch: sqrt(max(0, sigma**2 - mean of the squared residual)).

    Args:
        residual: noisy image minus estimate, (3, H, W).
        sigma: noise of each channel, (3,).
        rows, columns: of the reference patches, int64.
        patch: side of a patch.

    Returns:
        (references, 3), the references in row-major order.
    """
    removed = F.avg_pool2d(residual.square(), patch, stride=1)[:, rows][:, :, columns]
    return (sigma.square()[:, None, None] - removed).clamp_(min=0).sqrt_().flatten(1).T.contiguous()


def matched_patches(image: Tensor, rows: list[int], columns: list[int], size: int, window: int, patch: int) -> Tensor:
    """The most similar patches of each reference patch, itself among them (Euclidean distance of all channels).

    A tile of references shares its candidates: squared distances are matrix products of patches.

    Args:
        image: (3, H, W).
        rows, columns: of the reference patches, ascending.
        size: patches to find; fewer if some reference has fewer candidates.
        window: candidates are at most so many rows and columns away.
        patch: side of a patch.

    Returns:
        Positions of the patches, int32 (references, size), the references in row-major order, the patches in no
        particular order.
    """
    height, width = image.shape[1:]
    fewest = math.prod(min(side - patch, window) + 1 for side in (height, width))  # those of a corner
    size = min(size, fewest)
    members = torch.empty((len(rows), len(columns), size), dtype=torch.int32, device=image.device)
    places = [torch.tensor(starts, device=image.device) for starts in (rows, columns)]  # once: no tile waits for a GPU
    side = REFERENCES_PER_TILE
    for i in range(0, len(rows), side):
        for j in range(0, len(columns), side):
            down, across = slice(i, i + side), slice(j, j + side)
            reach = _reach(rows[down], window, height - patch), _reach(columns[across], window, width - patch)
            found = _matched_in_tile(image, (places[0][down], places[1][across]), reach, size, window, patch)
            members[down, across] = found.view(members[down, across].shape)
    return members.flatten(0, 1)


def _reach(starts: list[int], window: int, last: int) -> tuple[int, int]:
    """First and last row, or column, of what is at most ``window`` away from any of some references."""
    return max(0, starts[0] - window), min(starts[-1] + window, last)


def _matched_in_tile(
    image: Tensor, places: Sequence[Tensor], reach: Sequence[tuple[int, int]], size: int, window: int, patch: int
) -> Tensor:
    """What :func:`matched_patches` says of the references at some rows and columns.

    Args:
        image: (3, H, W).
        places: rows and columns of the references, int64.
        reach: first and last row, first and last column of the candidates of any of them.
        size, window, patch: as there.
    """
    width = image.shape[2]
    (row, column), ((top, bottom), (left, right)) = places, reach
    pixels = image[:, top : bottom + patch, left : right + patch]
    patches = F.unfold((pixels - pixels.mean())[None], patch)[0]
    candidate_rows = torch.arange(top, bottom + 1, device=image.device)
    candidate_columns = torch.arange(left, right + 1, device=image.device)
    own = ((row - top)[:, None] * len(candidate_columns) + column - left).flatten()
    # |a - b|^2 without |a|^2, which is the same for all candidates of a reference
    distance = torch.addmm(patches.square().sum(0), patches[:, own].T, patches, alpha=-2)
    distance.scatter_(1, own[:, None], -math.inf)
    distance = distance.view(len(row), len(column), len(candidate_rows), len(candidate_columns))
    too_far_down = (candidate_rows - row[:, None]).abs() > window
    too_far_right = (candidate_columns - column[:, None]).abs() > window
    distance.masked_fill_(too_far_down[:, None, :, None], math.inf)
    distance.masked_fill_(too_far_right[None, :, None, :], math.inf)
    nearest = distance.flatten(0, 1).flatten(1).topk(size, largest=False, sorted=False).indices
    positions = candidate_rows[:, None] * width + candidate_columns
    return positions.flatten()[nearest]


def pass_over_groups(estimate: Tensor, members: Tensor, sigma: Tensor, parameters: Parameters) -> Tensor:
    """Denoise all groups of an image; average, at each pixel, all denoised patches that cover it.

    Args:
        estimate: (3, H, W), covered by the groups' patches.
        members: positions of each group's patches, (groups, n).
        sigma: noise of each group's channels, (groups, 3).
        parameters: of the method.

    Returns:
        (3, H, W).
    """
    _, height, width = estimate.shape
    patch, pixels = parameters.patch, estimate.flatten(1)
    solve = weighted_nuclear_norm_admm if parameters.exact else weighted_nuclear_norm_scalar_admm
    side = torch.arange(patch, device=estimate.device)
    inside = (side[:, None] * width + side).flatten()
    total = torch.zeros_like(pixels)
    for start in range(0, len(members), GROUPS_AT_ONCE):
        batch = slice(start, start + GROUPS_AT_ONCE)
        index = members[batch, None, :] + inside[:, None]
        groups = pixels[:, index.flatten()].view(3, *index.shape).transpose(0, 1).flatten(1, 2)
        mean = groups.mean(2, keepdim=True)
        groups = solve(groups - mean, sigma[batch], parameters) + mean
        total.index_add_(1, index.flatten(), groups.unflatten(1, (3, -1)).transpose(0, 1).reshape(3, -1))
    # not bincount, which waits for a GPU
    starts = torch.zeros_like(pixels[0]).index_add_(0, members.flatten(), pixels.new_ones(members.numel()))
    padded = F.pad(starts.view(1, height, width), (patch - 1, 0, patch - 1, 0))
    counts = F.avg_pool2d(padded, patch, 1, divisor_override=1)
    return total.view_as(estimate) / counts


def weighted_nuclear_norm_admm(groups: Tensor, sigma: Tensor, parameters: Parameters) -> Tensor:
    """Denoise groups: min ||W (Y - X)||_F^2 + ||X||_{w,*} by ADMM from zero (section 3, algorithm 1).

    W is diag(smallest sigma / sigma) and w_i = C / (s_i + eps), C = c sqrt(n) (smallest sigma)^2. With T = X + A / rho
    and a = W^2 / (W^2 + rho / 2), the updates of X and A are T <- a (Y + (T - Z) / mu) + (1 - a) Z; Z is T with its
    singular values shrunk. The problem is not convex, so the start matters: with equal noise, ADMM from zero keeps only
    the singular values of Y above sqrt(2 rho C), while plain WNNM's closed form keeps all above sqrt(4 C). Started from
    that closed form, PSNR is 2 to 3 dB lower (crops of three Kodak images, sigma 25).

    Args:
        groups: Y, patches less their mean, (G, rows, n); a third of the rows belongs to each channel.
        sigma: noise of each group's channels, (G, 3), >= 0.
        parameters: ``admm_iterations``, ``rho``, ``mu`` and ``constant`` are used.

    Returns:
        Z after the last iteration, (G, rows, n).
    """
    fidelity, constant = _fidelity_and_constant(sigma, groups.shape[2], parameters)
    fidelity = fidelity.repeat_interleave(groups.shape[1] // 3, 1)
    total = denoised = torch.zeros_like(groups)
    for rho in _penalties(parameters):
        wanted = groups + (total - denoised) / parameters.mu
        total = torch.lerp(denoised, wanted, fidelity / (fidelity + rho / 2))
        values, right = _singular(total)
        kept = shrunk(values, 2 * constant / rho) / values
        denoised = total @ ((right * kept[:, None]) @ right.mT)
    return denoised


def weighted_nuclear_norm_scalar_admm(groups: Tensor, sigma: Tensor, parameters: Parameters) -> Tensor:
    """As :func:`weighted_nuclear_norm_admm`, with one decomposition instead of one in every iteration.

    With equal noise, T and Z keep the singular vectors of Y: ADMM is a recursion of the singular values, exactly. With
    unequal noise, they are taken to keep the right singular vectors V of W^1.5 Y. The columns of T V are then taken as
    orthogonal, and each channel of each column of T V and Z V is a multiple of that of Y V: ADMM is a recursion of
    these multiples. In groups of Kodak images at sigma 25, Z is off by 0.1 to 0.2 r.m.s., and by less than 0.1 in
    half of them.
    """
    size, rows, n = groups.shape
    fidelity, constant = _fidelity_and_constant(sigma, n, parameters)
    _, right = _singular(groups * fidelity.pow(BASIS_EXPONENT / 2).repeat_interleave(rows // 3, 1))
    columns = (groups @ right).view(size, 3, rows // 3, n)
    energy = columns.square().sum(2)
    total = denoised = torch.zeros_like(energy)
    for rho in _penalties(parameters):
        wanted = 1 + (total - denoised) / parameters.mu
        total = torch.lerp(denoised, wanted, fidelity / (fidelity + rho / 2))
        values = (total.square() * energy).sum(1).clamp_(min=SMALLEST).sqrt_()
        denoised = total * (shrunk(values, 2 * constant / rho) / values)[:, None]
    return (columns * denoised[:, :, None]).view(size, rows, n) @ right.mT


def _fidelity_and_constant(sigma: Tensor, n: int, parameters: Parameters) -> tuple[Tensor, Tensor]:
    """W^2 of each channel, (G, 3, 1), and C, (G, 1); where one channel has no noise, W of the noisy ones is 0."""
    smallest = sigma.amin(1, keepdim=True)
    weight = torch.where(smallest > 0, smallest / sigma, (sigma == 0).to(sigma))
    return weight.square()[:, :, None], parameters.constant * math.sqrt(n) * smallest.square()


def _penalties(parameters: Parameters) -> list[float]:
    return [parameters.rho * parameters.mu**i for i in range(parameters.admm_iterations)]


def _singular(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values, (G, n), and right singular vectors, (G, n, n), from the n x n matrix of inner products.

    Several times faster than a singular value decomposition. It loses values below 3e-4 of the largest one to rounding
    in float32; those that matter are well above.
    """
    energy, right = torch.linalg.eigh(matrices.mT @ matrices)
    return energy.clamp_(min=SMALLEST).sqrt_(), right


def shrunk(values: Tensor, constant: Tensor) -> Tensor:
    """Singular values s shrunk with the weights C / (s_x + eps) (section 3; Gu et al., CVPR 2014).

    ``(s + sqrt(s**2 - 4 C)) / 2`` where s**2 > 4 C, else 0: the larger solution of s_x = s - C / s_x. There, s_x is the
    minimiser of (s_x - s)^2 / 2 + w s_x for the weight w = C / s_x.

    Args:
        values: s >= 0, (G, n).
        constant: C >= 0, (G, 1).

    Returns:
        s_x, (G, n).
    """
    root = (values.square() - 4 * constant).clamp_(min=0).sqrt_()
    return torch.where(root > 0, (values + root) / 2, 0)
