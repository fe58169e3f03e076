"""MC-WNNM (Xu et al. 2017): groups of similar colour patches are denoised as matrices of low rank, as a baseline."""

from usaid.cards import Facts, Method

CARDS = (
    Method(
        "mc_wnnm",
        Facts(
            title="MC-WNNM",
            blind=False,
            deep_learning=False,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="MIT",
            citation="Xu et al., ICCV 2017",
        ),
        denoiser="usaid.denoisers.mc_wnnm.denoiser:MCWNNMDenoiser",
        cost="usaid.denoisers.mc_wnnm.cost:cost",
    ),
)
