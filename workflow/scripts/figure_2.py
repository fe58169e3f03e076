"""Draw the paper's Figure 2 from its three learning curves."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake):
    from usaid.report.figures.figure_2 import write_figure_2
    from usaid.segmentation.supervisions import SUPERVISIONS

    curves = dict(zip(SUPERVISIONS, map(Path, snakemake.input.curves), strict=True))
    write_figure_2(curves, Path(snakemake.output.csv).parent)
leave()
