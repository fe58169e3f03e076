# The paper's Figure 2: one learning curve for each supervision, and the three in one picture.

from usaid.segmentation.convergence import SUPERVISIONS


if "convergence" in config:

    rule train_convergence:
        input:
            data=f"{RESULTS}/data/voc2012.json",
            encoder=get_encoder(config["convergence"]),
        output:
            curve=f"{RESULTS}/figures/convergence_{{supervision}}.csv",
            provenance=f"{RESULTS}/figures/convergence_{{supervision}}.json",
        wildcard_constraints:
            supervision="|".join(SUPERVISIONS),
        log:
            f"{RESULTS}/logs/figures/convergence_{{supervision}}.log",
        params:
            settings=config["convergence"],
            subset=config["subsets"].get("voc2012/train"),
            code=hash_of_sources("usaid.segmentation.convergence"),
        threads: 1 if SMALL else 8
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/train_convergence.py"

    rule figure_2_files:
        input:
            curves=[f"{RESULTS}/figures/convergence_{name}.csv" for name in SUPERVISIONS],
            provenance=[f"{RESULTS}/figures/convergence_{name}.json" for name in SUPERVISIONS],
        output:
            csv=f"{RESULTS}/figures/figure_2.csv",
            png=f"{RESULTS}/figures/figure_2.png",
            pdf=f"{RESULTS}/figures/figure_2.pdf",
            json=f"{RESULTS}/figures/figure_2.json",
        log:
            f"{RESULTS}/logs/figures/figure_2.log",
        params:
            code=hash_of_sources("usaid.report.figures.figure_2"),
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/figure_2.py"

    rule figure_2:
        input:
            f"{RESULTS}/figures/figure_2.csv",
