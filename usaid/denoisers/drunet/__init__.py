"""DRUNet (Zhang et al. 2021): a residual U-Net that is told the noise level as a map."""

from usaid.cards import Facts, Method

CARDS = (
    Method(
        "drunet",
        Facts(
            title="DRUNet",
            blind=False,
            deep_learning=True,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="MIT",
            citation="Zhang et al., Plug-and-play image restoration with deep denoiser prior, TPAMI 2021",
        ),
        denoiser="usaid.denoisers.drunet.denoiser:DRUNetDenoiser",
        importer="usaid.denoisers.drunet.network:import_drunet",
        needs_weights=True,
        cost="usaid.denoisers.drunet.cost:cost",
    ),
)
