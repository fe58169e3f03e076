# Data sets and checkpoints: generated (miniature), fetched and checksummed, or placed by hand.
# No file of an official data_root is ever an output of a rule: Snakemake deletes outputs before it makes them again,
# and these may be the only copy. What a rule gives instead is a record, in results/, that they are there. It is made
# once: a change in how data are fetched makes nothing anew.


if JOBS.is_generated:

    rule miniature:
        output:
            f"{DATA}/miniature.json",
        log:
            f"{RESULTS}/logs/miniature.log",
        message:
            "miniature"
        params:
            failures=get_failures("miniature"),
            code=get_code(JOBS.miniature),
        resources:
            **get_resources("miniature"),
        retries: get_retries()
        localrule: True
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/miniature.py"


rule data:
    input:
        generated=rules.miniature.output if JOBS.is_generated else [],
    output:
        f"{RESULTS}/data/{{source}}.json",
    log:
        f"{RESULTS}/logs/data/{{source}}.log",
    message:
        "data {wildcards.source}"
    params:
        failures=get_failures("data"),
        data_root=lambda wildcards: DATA,
    resources:
        **get_resources("data"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/data.py"
