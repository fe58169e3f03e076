# Images to be looked at: which ones, by rule, and of each denoiser an archive for the viewer and one for Figures 3 to 5.
# A process may be killed by a denoiser; with `score_jobs: data_set` one job makes the archives of all.


if JOBS.kept_images:

    rule choose_images:
        input:
            get_files(JOBS.choose_images),
        output:
            JOBS.choice,
        log:
            f"{RESULTS}/logs/images/choice.log",
        message:
            "choose_images"
        params:
            failures=get_failures("choose_images"),
            settings=get_settings(JOBS.choose_images),
            code=get_code(JOBS.choose_images),
        resources:
            **get_resources("choose_images"),
        retries: get_retries()
        localrule: True
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/choose_images.py"

    rule images:
        input:
            JOBS.kept_images,


if JOBS.kept_images and not JOBS.archives_in_one_job:

    rule keep_images:
        input:
            get_files(JOBS.keep_images),
        output:
            [f"{RESULTS}/{folder}/{{denoiser}}.zip" for folder in ARCHIVES],
        wildcard_constraints:
            denoiser=any_of(JOBS.denoisers_with_images),
        log:
            f"{RESULTS}/logs/images/{{denoiser}}.log",
        message:
            "keep_images {wildcards.denoiser}"
        params:
            parts=get_parts_of_images(),
        threads: get_threads(2)
        resources:
            **get_resources("keep_images"),
        retries: get_retries(deaths=2)
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/keep_images.py"


if JOBS.kept_images and JOBS.archives_in_one_job:

    rule keep_all_images:
        input:
            lambda wildcards: JOBS.inputs_of_images(),
        output:
            JOBS.kept_images,
        log:
            f"{RESULTS}/logs/images/all.log",
        message:
            f"keep_all_images: {len(JOBS.kept_images)} archives"
        params:
            parts=get_parts_of_images(*JOBS.denoisers_with_images),
        threads: get_threads(2)
        resources:
            **get_resources("keep_all_images"),
        retries: get_retries(deaths=len(JOBS.denoisers_with_images) + 2)
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/keep_images.py"
