"""What every denoiser has to do, whoever wrote it: what `usaid check` looks at, and what a card promises."""

import pytest
import torch
from torch import Tensor

from usaid.cards import Method
from usaid.denoisers.base import Denoiser
from usaid.denoisers.check.checks import CHECKS, OF_COST, OF_QUALITY, run_check
from usaid.denoisers.check.subject import Subject
from usaid.errors import UsaidError
from usaid.experiment.model import TrainingRecipe
from usaid.noise import gaussian_noise
from usaid.registries import METHODS, load_object

TOLD = 25.0


def noisy_images(count: int, height: int, width: int) -> Tensor:
    """Waves of two colours with white noise, not clipped; no two are alike."""
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
        removes_noise: the instance that ``make`` returns was trained, or needs no training.
        tolerance: largest difference between an image that is denoised alone and in a batch.
        repeats_within: largest difference between two calls on the same batch.
    """

    method: str
    removes_noise = False
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

    @pytest.mark.parametrize("name", [name for name in CHECKS if name not in OF_COST])
    def test_check(self, name, denoiser, capfd):
        """As `usaid check`; one that was not trained may make images worse, and hear a level hardly."""
        finding = run_check(name, Subject(self.make))
        is_free = name in (*OF_QUALITY, "told") and not self.removes_noise and finding.values
        assert finding.status == "ok" or is_free, finding
        assert capfd.readouterr().out == ""
        limits = {"batch": self.tolerance, "repeats": self.repeats_within}
        assert finding.values.get("difference", 0.0) <= limits.get(name, 1.0)
        assert name != "told" or self.card.facts.blind == (finding.values["difference"] == 0)

    def test_output_does_not_have_to_be_converted_or_detached(self, denoiser):
        output = denoiser(noisy_images(1, 32, 32), self.told)
        assert output.dtype == torch.float32
        assert not output.requires_grad

    def test_two_images_are_not_made_alike(self, denoiser):
        first, second = denoiser(noisy_images(2, 33, 32), self.told)
        assert (first - second).abs().max() > self.tolerance

    def test_another_instance_does_the_same(self, denoiser):
        noisy = noisy_images(2, 32, 33)
        once, again = denoiser(noisy, self.told).clone(), self.make()(noisy, self.told)
        assert (once - again).abs().max() <= self.repeats_within

    def test_a_told_sigma_has_to_be_a_level_if_it_is_needed(self, denoiser):
        noisy = noisy_images(1, 32, 32)
        if self.card.facts.blind:
            assert torch.equal(denoiser(noisy, 0.0), denoiser(noisy))
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
