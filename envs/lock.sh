#!/usr/bin/env bash
# Renews the three locks: development.lock has all that extras.lock has, and this one all that run.lock has, in the same
# versions. A version changes only where pyproject.toml, or what else changed, leaves no choice; delete development.lock for the newest
# of everything. Needs uv (pip install uv) and a network.
set -euo pipefail
cd "$(dirname "$0")/.."

renew() { # name of the lock, and the extras of pyproject.toml that it has
    uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet \
        --output-file "envs/$1.lock" "${@:2}"
}

renew development --extra all --extra test --extra docs
# The versions that a file has are those that uv keeps.
cp envs/development.lock envs/extras.lock
renew extras --extra all
cp envs/extras.lock envs/run.lock
renew run --extra run
