# One job: one benchmark x one denoiser with all its sigmas.


rule score:
    input:
        data=get_data,
        judge=get_judge_source,
        weights=get_weights,
    output:
        f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
    log:
        f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
    params:
        judge=get_judge_path,
        settings=get_score_settings,
        code=get_score_code,
    threads: 1 if SMALL else 2
    resources:
        mem_mb=4000,
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/score.py"
