# Which of the paper's sentences hold: one page, from all scores of the paper's tables.


rule claims:
    input:
        get_files(JOBS.claims),
    output:
        csv=f"{RESULTS}/claims.csv",
        md=f"{RESULTS}/claims.md",
        tex=f"{RESULTS}/claims.tex",
        html=report(
            f"{RESULTS}/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"Page": "The paper's sentences"},
        ),
    log:
        f"{RESULTS}/logs/claims.log",
    message:
        "claims"
    params:
        failures=get_failures("claims"),
        code=get_code(JOBS.claims),
    resources:
        **get_resources("claims"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/claims.py"
