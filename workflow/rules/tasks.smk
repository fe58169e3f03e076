# What the judges need: NIQE's pristine model, and networks trained on the clean images of their tasks.


rule fit_niqe:
    input:
        data=f"{RESULTS}/data/voc2012.json",
    output:
        f"{RESULTS}/weights/niqe_fitted.npz",
    log:
        f"{RESULTS}/logs/weights/niqe_fitted.log",
    params:
        subsets=get_subset("voc2012"),
        code=hash_of_sources("evaluators.metrics.niqe"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/fit_niqe.py"


rule train_judge:
    input:
        get_judge_training_data,
    output:
        weights=f"{RESULTS}/weights/{{benchmark}}.safetensors",
        curve=f"{RESULTS}/weights/{{benchmark}}.csv",
        provenance=f"{RESULTS}/weights/{{benchmark}}.json",
    log:
        f"{RESULTS}/logs/weights/{{benchmark}}.log",
    params:
        network=lambda wildcards: get_network(wildcards.benchmark),
        longest_side=lambda wildcards: config["benchmarks"][wildcards.benchmark].get("longest_side"),
        subset=lambda wildcards: get_subset(BENCHMARKS[wildcards.benchmark].dataset),
        code=get_judge_training_code,
    threads: 1 if SMALL else 8
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/train_judge.py"
