"""MLP (Burger et al. 2012): a network that denoises grey-scale patches, for one noise level each, as a baseline."""

from usaid.cards import Facts, Method

CARDS = (
    Method(
        "mlp",
        Facts(
            title="MLP",
            blind=False,
            deep_learning=True,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="MIT",
            citation="Burger et al., CVPR 2012",
        ),
        denoiser="usaid.denoisers.mlp.denoiser:MLPDenoiser",
        recipe="usaid.denoisers.mlp.recipe:MLPRecipe",
        training="usaid.denoisers.mlp.training:train_mlp",
        importer="usaid.denoisers.mlp.importing:import_mlp",
        needs_weights=True,
        weights_by_sigma=True,
        cost="usaid.denoisers.mlp.cost:cost",
    ),
)
