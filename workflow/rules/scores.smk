# One job: one benchmark x one denoiser with all its sigmas. Table X's further noise draws are jobs of their own.
# A process may be killed by what it takes along; the next one makes its own file alone.
# With `score_jobs: data_set`: one job for all of that on a data set's split.
# With `shards: n` of a benchmark: n jobs for a score file, each of a part of the images, and one that merges their rows.


if JOBS.borrowed:

    rule borrow_scores:
        input:
            get_files(JOBS.borrow_scores),
        output:
            f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
        wildcard_constraints:
            denoiser=any_of(JOBS.borrowed),
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
        message:
            "borrow_scores {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("borrow_scores"),
        resources:
            **get_resources("borrow_scores"),
        retries: get_retries()
        localrule: True
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/borrow_scores.py"


if not JOBS.batches:

    rule score:
        input:
            get_files(JOBS.score),
        output:
            f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
        wildcard_constraints:
            benchmark=any_of(JOBS.whole),
            denoiser=any_of(name for name in JOBS.entries if name not in JOBS.borrowed),
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
        message:
            "score {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("score"),
        threads: get_threads(2)
        resources:
            **get_resources("score"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"


if not JOBS.batches and JOBS.experiment.draws is not None:

    rule score_draws:
        input:
            get_files(JOBS.score_draws),
        output:
            f"{RESULTS}/scores/{{benchmark}}/draws/{{denoiser}}.parquet",
        wildcard_constraints:
            benchmark=any_of(JOBS.whole),
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/draws/{{denoiser}}.log",
        message:
            "score_draws {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("score_draws"),
        threads: get_threads(2)
        resources:
            **get_resources("score_draws"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"


if JOBS.sharded:

    rule score_shard:
        input:
            get_files(JOBS.score_shard),
        output:
            f"{RESULTS}/scores/{{benchmark}}/shards/{{denoiser}}/{{shard}}.parquet",
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/shards/{{denoiser}}/{{shard}}.log",
        message:
            "score_shard {wildcards.benchmark}/{wildcards.denoiser}/{wildcards.shard}"
        params:
            parts=get_parts("score_shard"),
        threads: get_threads(2)
        resources:
            **get_resources("score_shard"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"

    rule merge_shards:
        input:
            get_files(JOBS.merge_shards),
        output:
            f"{RESULTS}/scores/{{benchmark}}/{{denoiser}}.parquet",
        wildcard_constraints:
            benchmark=any_of(JOBS.sharded),
            denoiser=any_of(name for name in JOBS.entries if name not in JOBS.borrowed),
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/{{denoiser}}.log",
        message:
            "merge_shards {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("score"),
            code=get_code(JOBS.merge_shards),
        resources:
            **get_resources("merge_shards"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/merge_shards.py"


if JOBS.sharded and JOBS.experiment.draws is not None:

    rule score_draws_shard:
        input:
            get_files(JOBS.score_draws_shard),
        output:
            f"{RESULTS}/scores/{{benchmark}}/draws/shards/{{denoiser}}/{{shard}}.parquet",
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/draws/shards/{{denoiser}}/{{shard}}.log",
        message:
            "score_draws_shard {wildcards.benchmark}/{wildcards.denoiser}/{wildcards.shard}"
        params:
            parts=get_parts("score_draws_shard"),
        threads: get_threads(2)
        resources:
            **get_resources("score_draws_shard"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"

    rule merge_draws_shards:
        input:
            get_files(JOBS.merge_draws_shards),
        output:
            f"{RESULTS}/scores/{{benchmark}}/draws/{{denoiser}}.parquet",
        wildcard_constraints:
            benchmark=any_of(JOBS.sharded),
            denoiser=any_of(name for name in JOBS.entries if name not in JOBS.borrowed),
        log:
            f"{RESULTS}/logs/scores/{{benchmark}}/draws/{{denoiser}}.log",
        message:
            "merge_draws_shards {wildcards.benchmark}/{wildcards.denoiser}"
        params:
            parts=get_parts("score_draws"),
            code=get_code(JOBS.merge_draws_shards),
        resources:
            **get_resources("merge_draws_shards"),
        retries: get_retries()
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/merge_shards.py"


# A process may be killed by each denoiser in turn, and once or twice by something else.
for batch in JOBS.batches:

    rule:
        name:
            batch
        input:
            get_files_of(batch),
        output:
            JOBS.outputs_of(batch),
        log:
            f"{RESULTS}/logs/scores/{batch}.log",
        message:
            f"{batch}: {len(JOBS.outputs_of(batch))} score files"
        params:
            parts=get_parts_of(batch),
        threads: get_threads(2)
        priority: len(JOBS.outputs_of(batch)) / 1000  # the longest first, all behind what they wait for
        resources:
            **get_resources(batch),
        retries: get_retries(JOBS.batches[batch].denoisers)
        conda:
            "../../envs/suite.yaml"
        script:
            "../scripts/score.py"
