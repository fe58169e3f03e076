# `make demo` holds the tables of a generated data set in your hands, `make test` proves the suite. docs/install.md says what each
# command installs. Nothing is installed twice: a larger lock has all of the smaller one.

PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
RUN := .venv/installed-run
EXTRAS := .venv/installed-extras
DEVELOPMENT := .venv/installed-development
REFERENCE := config/released.yaml config/reference_released.yaml

.PHONY: demo demo-all test check docs bench lock reference reference-continue subset clean

# Free code only: neither AGPL nor non-commercial packages.
demo: $(RUN)
	$(BIN)/snakemake --cores $(CORES) --configfile config/smoke.yaml

# The demo with CBM3D, whose package is for non-commercial use only, and with all that the suite can use.
demo-all: $(EXTRAS)
	$(BIN)/snakemake --cores $(CORES) --configfile config/smoke.yaml config/smoke_all.yaml

test: $(DEVELOPMENT)
	$(BIN)/python -m pytest

check: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakemake --lint --configfile config/smoke.yaml

# The documentation, to build/site/, where any browser opens index.html; its search wants a server: mkdocs serve. The variable
# silences what the theme says of its successor at each start.
docs: $(DEVELOPMENT)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Speed, as ratios: writes benchmarks/README.md. An idle machine, under 15 minutes; DATA has real images.
bench: $(DEVELOPMENT)
	$(BIN)/python benchmarks/renew.py $(if $(DATA),--data-root $(DATA))

# Renew the pinned packages after a change of pyproject.toml; needs uv (pip install uv) and a network.
lock:
	envs/lock.sh

# The reference run on real images, from the beginning: make reference DATA=/folder/with/the/data. What is committed of it would count as
# done, so it goes first. A run that was stopped goes on by `make reference-continue DATA=...`. It has CBM3D, hence all extras. In the end
# plan.md has what was planned beside what it took, by rule.
define GO_ON
$(BIN)/snakemake --cores $(CORES) all --configfile $(REFERENCE) --config data_root=$(DATA)
$(BIN)/python benchmarks/plan.py $(REFERENCE) --data-root $(DATA) > results/reference/released/plan.md
endef

reference: $(EXTRAS)
	rm -rf results/reference/released
	$(GO_ON)

reference-continue: $(EXTRAS)
	$(GO_ON)

# The reference training on real images: both recipes, three seeds each; over an hour on two cores.
subset: $(RUN)
	$(BIN)/snakemake --cores $(CORES) all --forceall --configfile config/subset.yaml --config data_root=$(DATA)

# Packages of a lock, and the suite itself as it stands here.
.venv/installed-%: envs/%.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(CONTAINED) $@

# What a lock has in it as well.
$(EXTRAS): CONTAINED = $(RUN)
$(DEVELOPMENT): CONTAINED = $(RUN) $(EXTRAS)

clean:
	rm -rf .venv .snakemake build/site results/smoke
