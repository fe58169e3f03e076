"""CBM3D (Dabov et al. 2007) through its authors' package, which only non-commercial use may import, as a baseline."""

from usaid.cards import Facts, Method

CARDS = (
    Method(
        "cbm3d",
        Facts(
            title="CBM3D",
            blind=False,
            deep_learning=False,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="non-commercial (bm3d)",
            citation="Dabov et al., ICIP 2007",
        ),
        denoiser="usaid.denoisers.cbm3d.denoiser:CBM3DDenoiser",
        packages=("bm3d", "bm4d"),
        cost="usaid.denoisers.cbm3d.cost:cost",
    ),
)
