"""Train the network that judges a benchmark, on the clean training images of its data set."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake, uses_torch=True):
    from evaluators.judge_training import train_judge
    from usaid.experiment.reading import checked_experiment

    train_judge(
        checked_experiment(snakemake.config),
        snakemake.wildcards.benchmark,
        Path(snakemake.output.weights),
        snakemake.params.code,
    )
leave()
