"""Keep the chosen images as denoisers leave them: two archives of each, which fail by themselves."""

import traceback

from usaid.errors import reason_of
from usaid.jobs import Part, job_of_parts, leave
from usaid.time_limit import time_limit

PARTS = {Part.told(told): told for told in snakemake.params.parts}

with job_of_parts(snakemake, [*PARTS], uses_torch=True) as parts:
    if parts.waiting:
        from evaluators.keeping.keep import Judges, keep_images_to_files
        from usaid.experiment.reading import checked_experiment

        experiment = checked_experiment(snakemake.config)
        files = {name: file for told in PARTS.values() for name, file in told["settings"]["judges"].items()}
        judges = Judges(experiment, files)
    for part in [*parts.waiting]:
        parts.begin([part])
        (choice, *_), weights = part.inputs, PARTS[part]["settings"]["weights"]
        try:
            with time_limit(experiment.time_limit * 60, parts.give_up):
                keep_images_to_files(experiment, *part.wildcards, choice, weights, judges, *part.outputs)
            parts.end(part)
        except Exception as error:
            traceback.print_exception(error)
            parts.end(part, reason_of(error))
leave()
