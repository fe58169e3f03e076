"""What every denoiser has to do, whatever its method: the test class of each method inherits these tests."""

import pytest
import torch
from torch import Tensor

from usaid.cards import Method
from usaid.denoisers.base import Denoiser
from usaid.denoisers.contract import denoised
from usaid.errors import UsaidError
from usaid.experiment.model import TrainingRecipe
from usaid.noise import gaussian_noise
from usaid.registries import METHODS, load_object

TOLD = 25.0
"""Noise level of the images that they are tried on, 0-255 scale."""


def noisy_images(count: int, height: int, width: int) -> Tensor:
    """float32 (count, 3, height, width): waves of two colours with white noise, not clipped; no two are alike."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    images = []
    for number in range(count):
        waves = torch.stack([torch.sin(x / (5 + number)), torch.cos(y / 4), torch.sin((x + y) / (6 + number))])
        images.append(0.5 + 0.3 * waves + gaussian_noise("kind", str(number), TOLD, 0, height, width))
    return torch.stack(images)


class DenoiserTests:
    """Tests that the test class of every method inherits.

    Attributes:
        method: name of its card.
        sizes: (height, width) of images that it has to take.
        tolerance: largest difference between an image that is denoised alone and in a batch.
        repeats_within: largest difference between two calls on the same batch.
    """

    method: str
    sizes = ((32, 32), (41, 37), (33, 64))
    tolerance = 1e-5
    repeats_within = 0.0

    def make(self) -> Denoiser:
        """A small instance on the CPU; files that it needs may be written to ``self.folder``."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    @pytest.fixture
    def denoiser(self, _folder) -> Denoiser:
        return self.make()

    @property
    def card(self) -> Method:
        return METHODS[self.method]

    @property
    def told(self) -> float | None:
        return None if self.card.facts.blind else TOLD

    def test_output_keeps_the_contract_at_any_size(self, denoiser):
        for size in self.sizes:
            noisy = noisy_images(2, *size)
            output = denoised(self.method, denoiser, noisy, self.told)
            assert output.shape == noisy.shape
            assert output.dtype == torch.float32

    def test_output_does_not_have_to_be_converted(self, denoiser):
        assert denoiser(noisy_images(1, 32, 32), self.told).dtype == torch.float32

    def test_an_image_alone_is_as_in_a_batch(self, denoiser):
        noisy = noisy_images(3, 33, 32)
        batch = denoiser(noisy, self.told)
        alone = torch.cat([denoiser(noisy[number : number + 1], self.told) for number in range(3)])
        assert (batch - alone).abs().max() <= self.tolerance
        assert (batch[0] - batch[1]).abs().max() > self.tolerance, "two images were made alike"

    def test_the_same_batch_twice_is_the_same(self, denoiser):
        noisy = noisy_images(2, 32, 33)
        once, again = denoiser(noisy, self.told).clone(), self.make()(noisy, self.told)
        assert (once - again).abs().max() <= self.repeats_within

    def test_the_input_is_left_as_it_is(self, denoiser):
        noisy = noisy_images(2, 32, 32)
        before = noisy.clone()
        denoiser(noisy, self.told)
        assert torch.equal(noisy, before)

    def test_a_told_sigma_is_ignored_or_needed(self, denoiser):
        noisy = noisy_images(1, 32, 32)
        if self.card.facts.blind:
            untold = denoiser(noisy).clone()
            assert torch.equal(denoiser(noisy, TOLD), untold)
            assert torch.equal(denoiser(noisy, 0.0), untold)
            return
        for told in (None, 0.0, -5.0, float("nan"), float("inf")):
            with pytest.raises(UsaidError, match=r"^told sigma (is missing|= .*: must be a finite number > 0)"):
                denoiser(noisy, told)

    def test_what_it_hears_is_a_level_that_it_works_with(self, denoiser):
        heard = denoiser.hears(TOLD)
        if self.card.facts.blind:
            assert heard is None
        else:
            assert heard is not None
            assert heard > 0
            noisy = noisy_images(1, 32, 32)
            difference = denoiser(noisy, heard) - denoiser(noisy, TOLD)
            assert difference.abs().max() <= self.repeats_within

    def test_says_where_its_input_has_to_be_and_what_it_is(self, denoiser):
        assert denoiser.device == torch.device("cpu")
        assert denoiser.facts == self.card.facts
        assert not isinstance(denoiser.deviations, str)
        assert all(isinstance(sentence, str) and sentence for sentence in denoiser.deviations)

    def test_all_that_its_card_names_is_there(self, denoiser):
        denoiser_class = load_object(self.card.denoiser)
        assert issubclass(denoiser_class, Denoiser)
        assert isinstance(denoiser, denoiser_class)
        assert (self.card.recipe is None) == (self.card.training is None)
        if self.card.recipe is not None:
            assert issubclass(load_object(self.card.recipe), TrainingRecipe)
        for name in (self.card.training, self.card.importer):
            assert name is None or callable(load_object(name))
