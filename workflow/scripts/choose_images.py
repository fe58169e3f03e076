"""Choose the images that are kept. Scores or data that failed cost the images of their benchmark."""

from usaid.jobs import job, leave

with job(snakemake, takes_failures=True):
    from evaluators.keeping.choose import choose_images_to_file
    from usaid.experiment.reading import checked_experiment

    experiment = checked_experiment(snakemake.config)
    choose_images_to_file(experiment, f"{experiment.results}/scores", snakemake.output[0])
leave()
