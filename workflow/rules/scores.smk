# One job: one benchmark x one denoiser with all its sigmas.


rule score:
    input:
        get_files(JOBS.score),
    output:
        f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
    log:
        f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
    params:
        settings=get_settings(JOBS.score),
        code=get_code(JOBS.score),
    threads: get_threads(2)
    resources:
        mem_mb=4000,
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/score.py"
