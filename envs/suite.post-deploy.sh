#!/usr/bin/env bash
# What Snakemake runs in the environment of suite.yaml after conda made it, in the working folder. Snakemake copies both files to a
# folder of its own: the Snakefile says where the suite is, in USAID_SUITE (workflow/rules/common.smk).
set -euo pipefail

python -m pip install --quiet --require-hashes -r "$USAID_SUITE/envs/extras.lock"
if [ -f "$USAID_SUITE/pyproject.toml" ]; then
    python -m pip install --quiet --no-deps --no-build-isolation --editable "$USAID_SUITE"
else # a package, which pip gets again from where it came
    python -m pip install --quiet --no-deps "usaid==$USAID_VERSION"
fi
