# Weights of the denoisers: imported from checkpoints, or trained.


rule import_weights:
    input:
        get_checkpoint_source,
    output:
        f"{RESULTS}/weights/{{denoiser}}.safetensors",
    wildcard_constraints:
        denoiser=get_names("weights"),
    log:
        f"{RESULTS}/logs/weights/{{denoiser}}.log",
    params:
        checkpoints=lambda wildcards: get_checkpoints(wildcards.denoiser),
        entry=lambda wildcards: ENTRIES[wildcards.denoiser],
        code=hash_of_sources("usaid.checkpoints", "usaid.denoisers.dncnn.denoiser", "usaid.denoisers.mlp.denoiser"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/import_weights.py"


rule train_denoiser:
    input:
        data=get_training_data,
    output:
        weights=f"{RESULTS}/weights/{{denoiser}}.safetensors",
        curve=f"{RESULTS}/weights/{{denoiser}}.csv",
        provenance=f"{RESULTS}/weights/{{denoiser}}.json",
    wildcard_constraints:
        denoiser=get_names("train"),
    log:
        f"{RESULTS}/logs/weights/{{denoiser}}.log",
    params:
        entry=lambda wildcards: ENTRIES[wildcards.denoiser],
        subset=lambda wildcards: get_training_subset(wildcards),
        code=get_training_code,
    threads: 1 if SMALL else 8
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/train_denoiser.py"
