"""CDnCNN-B, S-SAID and U-SAID: one network, DnCNN (Zhang et al. 2017), and three ways to train it; and any DnCNN."""

from typing import Any

from usaid.cards import Facts, Method

_NETWORK: dict[str, Any] = {
    "denoiser": "usaid.denoisers.dncnn.denoiser:DnCNNDenoiser",
    "importer": "usaid.denoisers.dncnn.importing:import_dncnn",
    "needs_weights": True,
    "cost": "usaid.denoisers.dncnn.cost:cost",
}
_SHARED = _NETWORK | {
    "recipe": "usaid.denoisers.dncnn.recipe:Recipe",
    "training": "usaid.denoisers.dncnn.training:train_dncnn",
}

CARDS = (
    Method(
        "cdncnn_b",
        Facts(
            title="CDnCNN-B",
            blind=True,
            deep_learning=True,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="MIT",
            citation="Zhang et al., Beyond a Gaussian denoiser, TIP 2017",
        ),
        **_SHARED,
    ),
    Method(
        "s_said",
        Facts(
            title="S-SAID",
            blind=True,
            deep_learning=True,
            semantic_aware=True,
            segmentation_annotation=True,
            licence="MIT",
            citation="Liu et al., When image denoising meets..., IJCAI 2018",
        ),
        **_SHARED,
    ),
    Method(
        "u_said",
        Facts(
            title="U-SAID",
            blind=True,
            deep_learning=True,
            semantic_aware=True,
            segmentation_annotation=False,
            licence="MIT",
            citation="Wang et al., Segmentation-aware image denoising without knowing true segmentation, 2019",
        ),
        **_SHARED,
    ),
    Method(
        "dncnn",
        Facts(
            title="DnCNN",
            blind=True,
            deep_learning=True,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="MIT",
            citation="Zhang et al., Beyond a Gaussian denoiser, TIP 2017",
        ),
        **_NETWORK,
    ),
)
