# The paper's figures, and three that it lacks. Figure 2 shows three learning curves, one for each supervision.

from usaid.segmentation.supervisions import SUPERVISIONS


if JOBS.experiment.convergence is not None:

    rule train_convergence:
        input:
            get_files(JOBS.train_convergence),
        output:
            curve=f"{RESULTS}/figures/convergence_{{supervision}}.csv",
            provenance=f"{RESULTS}/figures/convergence_{{supervision}}.json",
        wildcard_constraints:
            supervision=any_of(SUPERVISIONS),
        log:
            f"{RESULTS}/logs/figures/convergence_{{supervision}}.log",
        message:
            "train_convergence {wildcards.supervision}"
        params:
            failures=get_failures("train_convergence"),
            settings=get_settings(JOBS.train_convergence),
            code=get_code(JOBS.train_convergence),
        threads: get_threads(8)
        resources:
            **get_resources("train_convergence"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/train_convergence.py"

    rule figure_2_files:
        input:
            get_files(JOBS.figure_2_files),
        output:
            csv=f"{RESULTS}/figures/figure_2.csv",
            png=report(
                f"{RESULTS}/figures/figure_2.png",
                caption="../report/figure_2.rst",
                category="Figures",
                labels={"Figure": "Figure 2"},
            ),
            pdf=f"{RESULTS}/figures/figure_2.pdf",
            json=f"{RESULTS}/figures/figure_2.json",
        log:
            f"{RESULTS}/logs/figures/figure_2.log",
        message:
            "figure_2_files"
        params:
            failures=get_failures("figure_2_files"),
            code=get_code(JOBS.figure_2_files),
        resources:
            **get_resources("figure_2_files"),
        retries: get_retries()
        localrule: True
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/figure_2.py"

    rule figure_2:
        input:
            f"{RESULTS}/figures/figure_2.csv",


rule figure:
    input:
        get_files(JOBS.figure),
    output:
        csv=f"{RESULTS}/figures/figure_{{figure}}.csv",
        png=report(
            f"{RESULTS}/figures/figure_{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels=get_labels_of_figure,
        ),
        pdf=f"{RESULTS}/figures/figure_{{figure}}.pdf",
    wildcard_constraints:
        figure=any_of(JOBS.drawn),
    log:
        f"{RESULTS}/logs/figures/figure_{{figure}}.log",
    message:
        "figure {wildcards.figure}"
    params:
        failures=get_failures("figure"),
        settings=get_settings(JOBS.figure),
        code=get_code(JOBS.figure),
    resources:
        **get_resources("figure"),
    retries: get_retries()
    localrule: True
    conda:
        "../../envs/suite.yaml"
    script:
        "../scripts/figure.py"


# One target a figure: figure_3, ..., figure_reproduction.
for name in JOBS.drawn:

    rule:
        name:
            f"figure_{name}"
        input:
            f"{RESULTS}/figures/figure_{name}.csv",


rule figures:
    input:
        JOBS.figures,
