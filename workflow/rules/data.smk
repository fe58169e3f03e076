# Data sets: generated (miniature), fetched and checksummed, or placed by hand.


rule miniature:
    output:
        f"{DATA}/miniature.json",
    log:
        f"{RESULTS}/logs/miniature.log",
    params:
        code=hash_of_sources("usaid.datasets.miniature"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/miniature.py"


rule data:
    input:
        generated=f"{DATA}/miniature.json" if config["data_source"] == "miniature" else [],
    output:
        f"{RESULTS}/data/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    params:
        data_root=lambda wildcards: DATA,
        subsets=lambda wildcards: get_subset(wildcards.dataset),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/data.py"


rule fetch:
    output:
        f"{DATA}/{{folder}}/{{file}}",
    wildcard_constraints:
        folder="released|niqe",
        file="[^/]+",
    log:
        f"{RESULTS}/logs/fetch/{{folder}}/{{file}}.log",
    params:
        name=lambda wildcards: "released" if wildcards.folder == "released" else config["niqe"],
        data_root=lambda wildcards: DATA,
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/fetch.py"
