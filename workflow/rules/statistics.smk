# How sure the tables are: one page for each benchmark, with all of its comparisons. Snakemake's report has a page
# "Statistics" of its own: hence their category.


rule statistics_page:
    input:
        get_files(JOBS.statistics_page),
    output:
        csv=f"{RESULTS}/statistics/{{benchmark}}.csv",
        md=f"{RESULTS}/statistics/{{benchmark}}.md",
        html=report(
            f"{RESULTS}/statistics/{{benchmark}}.html",
            caption="../report/statistics.rst",
            category="Comparisons",
            labels={"Benchmark": "{benchmark}"},
        ),
    log:
        f"{RESULTS}/logs/statistics/{{benchmark}}.log",
    message:
        "statistics_page {wildcards.benchmark}"
    params:
        failures=get_failures("statistics_page"),
        code=get_code(JOBS.statistics_page),
    resources:
        **get_resources("statistics_page"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/statistics_page.py"


rule statistics:
    input:
        JOBS.statistics,
