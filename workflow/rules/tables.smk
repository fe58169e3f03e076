# The paper's tables: CSV, LaTeX, Markdown and JSON, ours beside the printed numbers.


rule table:
    input:
        get_files(JOBS.table),
    output:
        csv=f"{RESULTS}/tables/table_{{table}}.csv",
        tex=f"{RESULTS}/tables/table_{{table}}.tex",
        md=f"{RESULTS}/tables/table_{{table}}.md",
        json=f"{RESULTS}/tables/table_{{table}}.json",
        html=report(
            f"{RESULTS}/tables/table_{{table}}.html",
            caption="../report/table.rst",
            category="Tables",
            labels=get_labels_of_table,
        ),
    log:
        f"{RESULTS}/logs/tables/table_{{table}}.log",
    message:
        "table {wildcards.table}"
    params:
        failures=get_failures("table"),
        settings=get_settings(JOBS.table),
        code=get_code(JOBS.table),
    resources:
        **get_resources("table"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/table.py"


rule classes:
    input:
        get_files(JOBS.classes),
    output:
        csv=f"{RESULTS}/tables/classes.csv",
        md=f"{RESULTS}/tables/classes.md",
    log:
        f"{RESULTS}/logs/tables/classes.log",
    message:
        "classes"
    params:
        failures=get_failures("classes"),
        code=get_code(JOBS.classes),
    resources:
        **get_resources("classes"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/classes.py"


rule index:
    input:
        get_files(JOBS.index),
    output:
        index=f"{RESULTS}/tables/index.md",
        verdicts=f"{RESULTS}/tables/verdicts.csv",
        provenance=f"{RESULTS}/tables/provenance.json",
    log:
        f"{RESULTS}/logs/tables/index.log",
    message:
        "index"
    params:
        failures=get_failures("index"),
        code=get_code(JOBS.index),
    resources:
        **get_resources("index"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/index.py"


rule all_tables:
    input:
        f"{RESULTS}/tables/index.md",


# One target a table: table_1, table_2, ..., and table_<benchmark> for one that the paper does not have.
for name in JOBS.specs:

    rule:
        name:
            f"table_{name}"
        input:
            f"{RESULTS}/tables/table_{name}.csv",
