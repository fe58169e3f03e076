# Two commands: `make demo` holds the tables of a generated data set in your hands, `make test` proves the suite.

PYTHON ?= python3
BIN := .venv/bin
CORES ?= all

.PHONY: demo test check bench lock reference subset clean

demo: .venv/installed
	$(BIN)/snakemake --cores $(CORES) --configfile config/smoke.yaml

test: .venv/installed
	$(BIN)/python -m pytest

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint --configfile config/smoke.yaml

# Speed, as ratios: writes benchmarks/README.md. An idle machine, under 15 minutes; DATA has real images.
bench: .venv/installed
	$(BIN)/python benchmarks/renew.py $(if $(DATA),--data-root $(DATA))

# Renew the pinned packages after a change of pyproject.toml; needs uv (pip install uv). Versions change only where they have to.
lock:
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-header --python-version 3.11 --quiet --output-file envs/requirements.lock

# The reference run on real images: make reference DATA=/folder/with/the/data. Its committed results would count as done,
# hence --forceall; a killed run still goes on where it was, since scored images are kept in journals.
reference: .venv/installed
	$(BIN)/snakemake --cores $(CORES) all --forceall --configfile config/released.yaml config/reference_released.yaml --config data_root=$(DATA)

# The reference training on real images: both recipes, three seeds each; over an hour on two cores.
subset: .venv/installed
	$(BIN)/snakemake --cores $(CORES) all --forceall --configfile config/subset.yaml --config data_root=$(DATA)

.venv/installed: envs/requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv .snakemake results/smoke
