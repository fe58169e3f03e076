"""FFDNet (Zhang et al. 2018): a network on half-size images that is told the noise level as a map."""

from usaid.cards import Facts, Method

CARDS = (
    Method(
        "ffdnet",
        Facts(
            title="FFDNet",
            blind=False,
            deep_learning=True,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="MIT",
            citation="Zhang et al., FFDNet: toward a fast and flexible solution, TIP 2018",
        ),
        denoiser="usaid.denoisers.ffdnet.denoiser:FFDNetDenoiser",
        importer="usaid.denoisers.ffdnet.network:import_ffdnet",
        needs_weights=True,
        cost="usaid.denoisers.ffdnet.cost:cost",
    ),
)
