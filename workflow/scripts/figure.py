"""Draw a figure. What failed of that which it reads is an empty place in it."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake, takes_failures=True):
    from usaid.report.figures.draw import draw_figure

    folder = Path(snakemake.output.csv).parent
    files = {kind: snakemake.input.get(kind, []) for kind in ("archives", "tables", "scores")}
    draw_figure(snakemake.wildcards.figure, files, snakemake.params.settings, folder)
leave()
