# Weights of the denoisers: imported from checkpoints, or trained.


rule import_weights:
    input:
        get_files(JOBS.import_weights),
    output:
        f"{RESULTS}/weights/{{denoiser}}.safetensors",
    wildcard_constraints:
        denoiser=any_of(JOBS.imported),
    log:
        f"{RESULTS}/logs/weights/{{denoiser}}.log",
    message:
        "import_weights {wildcards.denoiser}"
    params:
        failures=get_failures("import_weights"),
        settings=get_settings(JOBS.import_weights),
        code=get_code(JOBS.import_weights),
    priority: BEFORE_SCORES
    resources:
        **get_resources("import_weights"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/import_weights.py"


rule train_denoiser:
    input:
        get_files(JOBS.train_denoiser),
    output:
        weights=f"{RESULTS}/weights/{{denoiser}}.safetensors",
        curve=f"{RESULTS}/weights/{{denoiser}}.csv",
        provenance=f"{RESULTS}/weights/{{denoiser}}.json",
    wildcard_constraints:
        denoiser=any_of(JOBS.trained),
    log:
        f"{RESULTS}/logs/weights/{{denoiser}}.log",
    message:
        "train_denoiser {wildcards.denoiser}"
    params:
        failures=get_failures("train_denoiser"),
        settings=get_settings(JOBS.train_denoiser),
        code=get_code(JOBS.train_denoiser),
    threads: get_threads(8)
    priority: BEFORE_SCORES
    resources:
        **get_resources("train_denoiser"),
    retries: get_retries()
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/train_denoiser.py"
