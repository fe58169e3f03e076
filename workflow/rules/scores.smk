# One job: one benchmark x one denoiser with all its sigmas. Table X's further noise draws are jobs of their own.
# A process may be killed by what it takes along; the next one makes its own file alone.
# With `score_jobs: data_set`: one job for all of that on a data set's split.


if JOBS.borrowed:

    rule borrow_scores:
        input:
            get_files(JOBS.borrow_scores),
        output:
            f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
        wildcard_constraints:
            denoiser=any_of(JOBS.borrowed),
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
        message:
            "borrow_scores {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("borrow_scores"),
        resources:
            **get_resources("borrow_scores"),
        retries: get_retries()
        localrule: True
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/borrow_scores.py"


if not JOBS.batches:

    rule score:
        input:
            get_files(JOBS.score),
        output:
            f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
        wildcard_constraints:
            denoiser=any_of(name for name in JOBS.entries if name not in JOBS.borrowed),
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
        message:
            "score {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("score"),
        threads: get_threads(2)
        resources:
            **get_resources("score"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"


if not JOBS.batches and JOBS.experiment.draws is not None:

    rule score_draws:
        input:
            get_files(JOBS.score_draws),
        output:
            f"{RESULTS}/scores/{{benchmark}}/draws/{{denoiser}}.parquet",
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/draws/{{denoiser}}.log",
        message:
            "score_draws {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("score_draws"),
        threads: get_threads(2)
        resources:
            **get_resources("score_draws"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"


# A process may be killed by each denoiser in turn, and once or twice by something else.
for batch in JOBS.batches:

    rule:
        name:
            batch
        input:
            get_files_of(batch),
        output:
            JOBS.outputs_of(batch),
        log:
            f"{RESULTS}/logs/scores/{batch}.log",
        message:
            f"{batch}: {len(JOBS.outputs_of(batch))} score files"
        params:
            parts=get_parts_of(batch),
        threads: get_threads(2)
        priority: len(JOBS.outputs_of(batch)) / 1000  # the longest first, all behind what they wait for
        resources:
            **get_resources(batch),
        retries: get_retries(JOBS.batches[batch].denoisers)
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"
