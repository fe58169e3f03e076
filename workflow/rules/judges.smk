# What the judges need: NIQE's pristine model, and networks trained on the clean images of their tasks.


rule fit_niqe:
    input:
        get_files(JOBS.fit_niqe),
    output:
        f"{RESULTS}/weights/niqe_fitted.npz",
    log:
        f"{RESULTS}/logs/weights/niqe_fitted.log",
    message:
        "fit_niqe"
    params:
        failures=get_failures("fit_niqe"),
        settings=get_settings(JOBS.fit_niqe),
        code=get_code(JOBS.fit_niqe),
    priority: BEFORE_SCORES
    resources:
        **get_resources("fit_niqe"),
    retries: get_retries()
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/fit_niqe.py"


rule train_judge:
    input:
        get_files(JOBS.train_judge),
    output:
        weights=f"{RESULTS}/weights/{{benchmark}}.safetensors",
        curve=f"{RESULTS}/weights/{{benchmark}}.csv",
        provenance=f"{RESULTS}/weights/{{benchmark}}.json",
    log:
        f"{RESULTS}/logs/weights/{{benchmark}}.log",
    message:
        "train_judge {wildcards.benchmark}"
    params:
        failures=get_failures("train_judge"),
        settings=get_settings(JOBS.train_judge),
        code=get_code(JOBS.train_judge),
    threads: get_threads(8)
    priority: BEFORE_SCORES
    resources:
        **get_resources("train_judge"),
    retries: get_retries()
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/train_judge.py"
