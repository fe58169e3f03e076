"""What holds for every metric of single images; the test class of each inherits it."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from usaid.cards import Convention, Metric
from usaid.errors import UsaidError
from usaid.registries import METRICS, load_object


class NoReferenceMetricTests:
    """Tests of a metric that looks at the denoised image alone.

    Attributes:
        convention: its name.
        size: height and width of the images that it is tried on; not square.
    """

    convention: ClassVar[str]
    size: ClassVar[tuple[int, int]] = (40, 56)

    @property
    def cards(self) -> tuple[Metric, Convention]:
        """The metric's card, and the convention on it."""
        (cards,) = (
            (metric, convention)
            for metric in METRICS.values()
            for convention in metric.conventions
            if convention.name == self.convention
        )
        return cards

    def compute(self, denoised: Tensor, clean: Tensor) -> Tensor:
        """The metric of a batch, as the card names it."""
        name = self.cards[1].compute
        assert name is not None
        values: Tensor = load_object(name)(denoised, clean)
        return values

    def clean(self) -> Tensor:
        """Three images in [0, 1] of coarse and fine structure, float32 (3, 3, H, W)."""
        generator = torch.Generator().manual_seed(7)
        height, width = self.size
        scales = [torch.rand(3, 3, height // side + 2, width // side + 2, generator=generator) for side in (4, 8, 32)]
        grown = [torch.nn.functional.interpolate(scale, self.size, mode="bicubic") for scale in scales]
        return (torch.stack(grown).mean(dim=0)).clamp(0, 1)

    def noisy(self, sigma: float) -> Tensor:
        """The clean images with Gaussian noise (0-255 scale)."""
        clean = self.clean()
        return clean + sigma / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))

    def test_its_name_is_on_one_card_and_it_is_of_single_images(self) -> None:
        assert not self.cards[1].of_whole_set

    def test_each_image_has_a_number(self) -> None:
        values = self.compute(self.noisy(25), self.clean())
        assert values.shape == (3,)
        assert values.is_floating_point()
        assert values.isfinite().all()

    def test_more_noise_is_worse(self) -> None:
        values = torch.stack([self.compute(self.noisy(sigma), self.clean()) for sigma in (5, 15, 45)])
        differences = values.diff(dim=0)
        assert bool((differences < 0 if self.cards[0].better == "higher" else differences > 0).all())

    def test_each_image_is_scored_by_itself(self) -> None:
        denoised, clean = self.noisy(25), self.clean()
        alone = [self.compute(denoised[i : i + 1], clean[i : i + 1]).item() for i in range(3)]
        assert self.compute(denoised, clean).tolist() == pytest.approx(alone, rel=1e-6)

    def test_the_denoised_image_is_clamped(self) -> None:
        denoised, clean = self.noisy(120), self.clean()
        assert denoised.min() < 0 < 1 < denoised.max()
        clamped = self.compute(denoised.clamp(0, 1), clean)
        assert self.compute(denoised, clean).tolist() == pytest.approx(clamped.tolist(), rel=1e-6)

    def test_what_is_not_a_number_gives_none(self) -> None:
        denoised = self.noisy(25)
        denoised[1, 2, 5, 5] = torch.nan
        try:
            values = self.compute(denoised, self.clean())
        except UsaidError:
            return
        assert values.isnan().tolist() == [False, True, False]

    def test_the_images_stay_as_they_are(self) -> None:
        denoised, clean = self.noisy(25), self.clean()
        self.compute(denoised, clean)
        assert torch.equal(denoised, self.noisy(25))
        assert torch.equal(clean, self.clean())


class MetricTests(NoReferenceMetricTests):
    """Tests of a metric that compares the denoised image with the clean one.

    Attributes:
        best: its value for an image and itself.
    """

    best: ClassVar[float]

    def test_the_image_itself_has_the_best_value(self) -> None:
        clean = self.clean()
        assert self.compute(clean, clean).tolist() == pytest.approx([self.best] * 3, abs=1e-9)
        noisy = self.compute(self.noisy(5), clean)
        assert bool((noisy < self.best if self.cards[0].better == "higher" else noisy > self.best).all())

    def test_images_of_another_size_are_refused(self) -> None:
        with pytest.raises(UsaidError, match="shape"):
            self.compute(self.clean()[..., 1:], self.clean())
