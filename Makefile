# One command per intention; CI runs the same ones (.ci/run).
# Targets with a `##` comment are listed by `make help`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --require-hashes --no-build-isolation
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help run test test-all fuzz check bench fmt lock clean packages

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# `make run FAULT=slow` has The Bartender answer wrongly on purpose: slow, crash, not_json, wrong_schema, huge, endless.
run: $(VENV)/runtime.stamp ## Start everything on PORT (8080), state in SWITCHBOARD_HOME (.switchboard).
	@BARTENDER_FAULT="$(or $(FAULT),$(BARTENDER_FAULT))" exec $(BIN)/switchboard up --stop-with-parent

test: $(VENV)/dev.stamp packages ## Run all tests but the slow ones: about five minutes on two cores.
	@exec .ci/test

test-all: $(VENV)/dev.stamp packages ## Run every test: kills, soak and fuzzing too.
	@exec .ci/test -m "slow or not slow"

fuzz: $(VENV)/fuzz.stamp ## Look for requests that break the server's border, for SECONDS (60).
	@exec $(BIN)/python -m tests.fuzz.fuzz_http --seconds $(or $(SECONDS),60)

check: $(VENV)/dev.stamp ## Lint, check types, and check that imports point down.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

bench: $(VENV)/dev.stamp ## Run every benchmark, the comparison with other servers (bench.evaluation) too, and write one report.
	@exec $(BIN)/python -m bench

fmt: $(VENV)/dev.stamp ## Sort imports and fix what Ruff can fix.
	$(BIN)/ruff check --fix .

lock: ## Write requirements*.txt again from setup.cfg's ranges.
	@PYTHON=$(PYTHON) .ci/lock

clean: ## Remove the environment and caches; state in SWITCHBOARD_HOME stays.
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is touched only when a requirements file changed.  setuptools goes first, by its own hash, because
# psycogreen has no wheel and must be built without fetching anything unhashed.
$(VENV)/runtime.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Switchboard needs Python 3.11 or newer; set PYTHON=")'
	@echo "Building $(VENV) from requirements.txt"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^setuptools==/,/[^\\]$$/p' requirements.txt > $(VENV)/setuptools.txt
	$(PIP) -r $(VENV)/setuptools.txt
	$(PIP) -r requirements.txt
	@$(BIN)/python -m pip --disable-pip-version-check install -q --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@touch $@

# 35 MB that nothing else needs, so it comes when it is asked for.
$(VENV)/fuzz.stamp: $(VENV)/dev.stamp requirements-fuzz.txt
	$(PIP) -r requirements-fuzz.txt
	@touch $@

# The browser tests drive Debian's chromium, the benchmarks' drive wrk.  As root they are installed; otherwise the run
# names what it skipped.
packages:
	@.ci/packages
