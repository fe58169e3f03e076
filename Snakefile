# The front door: `snakemake --cores 8 all_tables` (config/paper.yaml), or --configfile config/released.yaml, ...
# Scientific choices live in config/, declarations in workflow/rules/, decisions in evaluators/dag/, code in usaid/ and
# evaluators/.

if "experiment" not in config:

    configfile: "config/paper.yaml"


# What `snakemake --report report.html` says at its top, after a run; rules name what it shows with report(...).
report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/denoisers.smk"
include: "workflow/rules/judges.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


# Tables, figures, images to be looked at, and the page that shows them all.
rule all:
    default_target: True
    input:
        rules.all_tables.input,
        JOBS.figures,
        JOBS.kept_images,
        rules.report_page.output,


onstart:
    start_run()


onsuccess:
    end_run()


onerror:
    end_run()
