# One job: one benchmark x one denoiser with all its sigmas. Table X's further noise draws are jobs of their own.


rule score:
    input:
        get_files(JOBS.score),
    output:
        f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
    log:
        f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
    message:
        "score {wildcards.benchmark}/{wildcards.denoiser}"
    params:
        failures=get_failures("score"),
        settings=get_settings(JOBS.score),
        code=get_code(JOBS.score),
    threads: get_threads(2)
    resources:
        attempt=get_attempt,
        mem_mb=4000,
    retries: 1
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/score.py"


if JOBS.experiment.draws is not None:

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
            failures=get_failures("score_draws"),
            settings=get_settings(JOBS.score_draws),
            code=get_code(JOBS.score_draws),
        threads: get_threads(2)
        resources:
            attempt=get_attempt,
            mem_mb=4000,
        retries: 1
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"
