# Everything a person needs: demo, test, check, crash, crash-points, fuzz, bench, clean. `.venv` is built on first use.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
ONCE ?=
JSON ?=
TAMPER ?=
ERP ?=

FUZZ_SECONDS ?= 600
# Two processes share the suite, a file at a time (each file has its own servers). Files that are named run in one.
JOBS ?= $(if $(findstring tests/,$(ARGS)),0,2)

.PHONY: demo test check assets crash crash-points mutations fuzz bench clean requirements

.venv/.runtime: requirements/runtime.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'Setting up .venv, once: about a minute ...' >&2
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/python tools/browser_assets.py --for-tests
	@touch $@

.venv/.assets: browser/package-lock.json tools/browser_assets.py .venv/.runtime
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/node.txt
	@$(BIN)/python tools/browser_assets.py >/dev/null
	@touch $@

assets: .venv/.assets

.venv/.fuzz: requirements/fuzz.txt .venv/.dev
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/fuzz.txt
	@touch $@

demo: .venv/.assets
	@$(BIN)/ml-connector demo $(if $(ONCE),--once) $(if $(JSON),--json) $(if $(TAMPER),--tamper) $(if $(ERP),--erp $(ERP))

# The browser tests need a Chromium: it comes by the system's package manager where that may be asked, or is missed aloud.
.venv/.browser: .venv/.dev
	@command -v chromium chromium-browser google-chrome >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && echo 'Fetching Chromium for the browser tests, once ...' >&2 && { apt-get install -yq chromium || { apt-get update -q && apt-get install -yq chromium; }; } >/dev/null 2>&1; } \
	  || echo 'THE BROWSER TESTS ARE LEFT OUT: no Chromium here; install it, e.g. apt-get install chromium.' >&2
	@touch $@

test: .venv/.dev .venv/.browser
	@$(BIN)/python -m pytest $(if $(filter-out 0,$(JOBS)),-n $(JOBS) --dist loadfile --no-loadscope-reorder) $(ARGS)

check: .venv/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright

crash-points: .venv/.dev
	@ML_CONNECTOR_CRASH_LONG=1 $(BIN)/python -m pytest -m crash tests/crash/test_points.py $(ARGS)

crash: .venv/.dev
	@$(BIN)/python -m tests.crash.long $(ARGS)

fuzz: .venv/.fuzz
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m fuzz $(ARGS)
mutations: .venv/.dev
	@$(BIN)/python -m tests.mutations $(ARGS)

bench: .venv/.dev
	@$(BIN)/python -m bench $(ARGS)

requirements: .venv/.dev
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header requirements/runtime.in requirements/build.in -o requirements/runtime.txt
	@$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header requirements/dev.in -o requirements/dev.txt
	@$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header requirements/fuzz.in -o requirements/fuzz.txt
	@$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate --no-header -c requirements/dev.txt requirements/node.in -o requirements/node.txt

clean:
	rm -rf .venv build dist *.egg-info src/*.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache .fuzz
