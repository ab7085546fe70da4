# The commands for a person; `make` alone lists them. Each installs first what it needs into .venv.

PYTHON ?= python3
BIN := .venv/bin
ENGINES := $(BIN)/python -m testbed.engines --no-fsync --postgresql --redis --
PRODUCT := accounts fcm_emulator notifications programs radiotalk manage.py
NEEDS_PROCESSES := engines or browser or faults
# How many tests run at once. They mostly wait: for leases, latencies and processes that start.
AT_ONCE ?= 3
PYTEST := $(BIN)/python -m pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo run test again fuzz faults interop bench screenshots lint audit lock format

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##/\1	/p' Makefile

setup: .venv/installed-dev  ## make .venv; again only when requirements*.txt changed

demo: .venv/installed-demo  ## post a talk to 1,000 listeners on embedded engines, and count
	@$(BIN)/python -m testbed.demo

run: .venv/installed-demo  ## serve the admin, the API, the worker and an FCM emulator until Ctrl-C
	@$(BIN)/python -m testbed.run

test: .venv/installed-dev  ## test on SQLite; then, on PostgreSQL and Redis, what needs processes
	$(PYTEST) -m "not ($(NEEDS_PROCESSES))"
	$(ENGINES) $(PYTEST) -m "$(NEEDS_PROCESSES)"

again: .venv/installed-dev  ## test once more, one at a time, what failed on PostgreSQL and Redis
	$(ENGINES) $(BIN)/python -m pytest --last-failed --last-failed-no-failures none \
		-m "$(NEEDS_PROCESSES)"

fuzz: .venv/installed-dev  ## ask the API more than `make test` does, on PostgreSQL; EXAMPLES=1000 of each operation
	FUZZ_EXAMPLES=$(or $(EXAMPLES),1000) $(ENGINES) $(PYTEST) --timeout 0 -m engines radiotalk/tests/test_schemathesis.py

faults: .venv/installed-dev  ## break everything once, with a table; SEED=1 ROUNDS=500: at random
ifeq ($(SEED)$(ROUNDS),)
	$(ENGINES) $(PYTEST) -m faults -p notifications.tests.faults.results
else
	$(BIN)/python -m notifications.tests.faults.rounds \
		--seed $(or $(SEED),1) --rounds $(or $(ROUNDS),1)
endif

interop: .venv/installed-dev  ## send 10,000 through each HTTP/2 server that is installed, with a table
	@$(BIN)/python -m testbed.interop

bench: .venv/installed-bench  ## measure Radiotalk and its alternatives, 20 minutes; QUICK=1: 5
	DJANGO_SETTINGS_MODULE=benchmarks.settings $(BIN)/python -m testbed.engines --postgresql -- \
		$(BIN)/python -m benchmarks.bench $(if $(QUICK),--quick)

screenshots: .venv/installed-bench  ## take docs/images of the running system; needs Chromium, a Japanese font and Prometheus
	DJANGO_SETTINGS_MODULE=radiotalk.testing $(BIN)/python -m testbed.engines --no-fsync --postgresql -- \
		$(BIN)/python -m benchmarks.screenshots
	DJANGO_SETTINGS_MODULE=radiotalk.testing $(BIN)/python -m testbed.engines --no-fsync --postgresql -- \
		$(BIN)/python -m benchmarks.dashboard

lint: .venv/installed-dev  ## check what CI checks without running anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(PRODUCT)
	ENVIRONMENT=development DEBUG=on $(BIN)/python manage.py makemigrations --check

audit: .venv/installed-dev  ## ask PyPI whether requirements.lock has known vulnerabilities
	@if $(BIN)/python -c 'import requests; requests.get("https://pypi.org/pypi/django/5.2/json", timeout=10).raise_for_status()' 2>/dev/null; \
	then $(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --progress-spinner off; \
	else echo "NOT AUDITED: PyPI does not tell of vulnerabilities here."; fi

lock: .venv/installed-dev  ## write requirements.lock anew: the newest versions that requirements.txt allows, for every Python from 3.11 on
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --output-file requirements.lock requirements.txt

format: .venv/installed-dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# A mark for each requirements file that is installed; a file includes the one before it.
.venv/installed-%: requirements-%.txt requirements.txt | .venv/bin/python
	@echo "Installing what requirements-$*.txt names into .venv …"
	@if command -v uv >/dev/null; \
	then uv pip install --python $(BIN)/python -r requirements-$*.txt; \
	else $(BIN)/python -m pip install --disable-pip-version-check -r requirements-$*.txt; fi
	@touch $@

.venv/installed-dev: requirements-demo.txt
.venv/installed-bench: requirements-demo.txt requirements-dev.txt

# uv fetches a Python when the machine's is too old; without uv the machine's has to do.
.venv/bin/python:
	@if command -v uv >/dev/null; then uv venv --quiet --python ">=3.11" .venv; exit; fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Radiotalk needs Python 3.11 or newer, and $(PYTHON) is not: set PYTHON=…, or install uv." >&2; exit 1; }; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "$(PYTHON) cannot make a virtualenv: apt-get install python3-venv (Debian, Ubuntu), or install uv." >&2; exit 1; }; \
	echo "Making .venv with $$($(PYTHON) --version) …"; \
	$(PYTHON) -m venv .venv
