"""The two reference columns: what goes in comes out."""

import torch
from kinds.denoisers import DenoiserTests, noisy_images

from usaid.denoisers.build import build_denoiser
from usaid.registries import METHODS


class TestNoisy(DenoiserTests):
    method = "noisy"

    def make(self):
        return build_denoiser("noisy")

    def test_returns_what_it_is_given(self, denoiser):
        noisy = noisy_images(2, 9, 7)
        assert torch.equal(denoiser(noisy), noisy)


class TestClean(DenoiserTests):
    method = "clean"

    def make(self):
        return build_denoiser("clean")

    def test_returns_what_it_is_given(self, denoiser):
        clean = noisy_images(2, 9, 7)
        assert torch.equal(denoiser(clean), clean)


def test_only_clean_is_given_the_clean_image():
    assert [name for name, card in METHODS.own.items() if card.given_clean] == ["clean"]
