# All that an experiment found, in one page that opens offline.


rule report_page:
    input:
        get_files(JOBS.report),
    output:
        f"{RESULTS}/report/index.html",
    log:
        f"{RESULTS}/logs/report.log",
    message:
        "report_page"
    params:
        failures=get_failures("report_page"),
        settings=get_settings(JOBS.report),
        code=get_code(JOBS.report),
    resources:
        **get_resources("report_page"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/report.py"


# A rule cannot have the name of Snakemake's function, a target can.
rule:
    name:
        "report"
    input:
        rules.report_page.output,
