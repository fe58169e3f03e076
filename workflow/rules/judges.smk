# What the judges need: NIQE's pristine model, and networks trained on clean images.


rule fit_niqe:
    input:
        data=f"{RESULTS}/data/voc2012.json",
    output:
        f"{RESULTS}/weights/niqe_fitted.npz",
    log:
        f"{RESULTS}/logs/weights/niqe_fitted.log",
    params:
        subsets=get_subset("voc2012"),
        code=hash_of_sources("evaluators.niqe"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/fit_niqe.py"


rule train_classifier:
    input:
        data=f"{RESULTS}/data/cifar100.json",
    output:
        weights=f"{RESULTS}/weights/cifar100_{{network}}.safetensors",
        curve=f"{RESULTS}/weights/cifar100_{{network}}.csv",
    wildcard_constraints:
        network="resnet[0-9]+",
    log:
        f"{RESULTS}/logs/weights/cifar100_{{network}}.log",
    params:
        recipe=lambda wildcards: config["benchmarks"]["cifar100_classification"]["classifier"]["train"],
        code=hash_of_sources("evaluators.cifar_training"),
    threads: 1 if SMALL else 8
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/train_classifier.py"
