# The paper's tables: CSV, LaTeX and Markdown, ours beside the printed numbers.


rule table:
    input:
        scores=lambda wildcards: get_scores_of(int(wildcards.table)),
    output:
        csv=f"{RESULTS}/tables/table_{{table}}.csv",
        tex=f"{RESULTS}/tables/table_{{table}}.tex",
        md=f"{RESULTS}/tables/table_{{table}}.md",
    log:
        f"{RESULTS}/logs/tables/table_{{table}}.log",
    params:
        own_methods=lambda wildcards: get_own_methods() if wildcards.table == "3" else {},
        published=hash_of_published(),
        code=hash_of_sources("usaid.report.tables.files"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/table.py"


rule seeds:
    input:
        scores=get_scores_of_seeds(),
    output:
        csv=f"{RESULTS}/tables/seeds.csv",
        md=f"{RESULTS}/tables/seeds.md",
    log:
        f"{RESULTS}/logs/tables/seeds.log",
    params:
        code=hash_of_sources("usaid.report.statistics.seeds"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/seeds.py"


rule classes:
    input:
        scores=get_scores_of_classes(),
    output:
        csv=f"{RESULTS}/tables/classes.csv",
        md=f"{RESULTS}/tables/classes.md",
    log:
        f"{RESULTS}/logs/tables/classes.log",
    params:
        code=hash_of_sources("usaid.report.tables.classes"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/classes.py"


rule index:
    input:
        tables=get_tables(),
        pages=get_further_pages(),
        scores=[path for table in BENCHMARKS_OF_TABLES for path in get_scores_of(table)],
    output:
        index=f"{RESULTS}/tables/index.md",
        provenance=f"{RESULTS}/tables/provenance.json",
    log:
        f"{RESULTS}/logs/tables/index.log",
    params:
        code=hash_of_sources("usaid.report.tables.files"),
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/index.py"


rule all_tables:
    input:
        f"{RESULTS}/tables/index.md",


rule table_1:
    input:
        f"{RESULTS}/tables/table_1.csv",


rule table_2:
    input:
        f"{RESULTS}/tables/table_2.csv",


rule table_3:
    input:
        f"{RESULTS}/tables/table_3.csv",


rule table_4:
    input:
        f"{RESULTS}/tables/table_4.csv",


rule table_5:
    input:
        f"{RESULTS}/tables/table_5.csv",


rule table_6:
    input:
        f"{RESULTS}/tables/table_6.csv",


rule table_7:
    input:
        f"{RESULTS}/tables/table_7.csv",


rule table_8:
    input:
        f"{RESULTS}/tables/table_8.csv",


rule table_9:
    input:
        f"{RESULTS}/tables/table_9.csv",
