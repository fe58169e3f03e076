"""The two reference columns of every table: the noisy image as it is, and the clean image."""

from usaid.cards import Facts, Method

CARDS = (
    Method(
        "noisy",
        Facts("Noisy", True, False, False, False, "MIT", "none"),
        "usaid.denoisers.identity.denoiser:Noisy",
        cost="usaid.denoisers.identity.cost:cost",
    ),
    Method(
        "clean",
        Facts("Clean", True, False, False, False, "MIT", "none"),
        "usaid.denoisers.identity.denoiser:Clean",
        given_clean=True,
        cost="usaid.denoisers.identity.cost:cost",
    ),
)
