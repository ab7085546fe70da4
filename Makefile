# What a person types. Every target sets up .venv first; `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
ENGINES := $(BIN)/python -m radiotalk.local.engines --no-fsync --postgresql --redis --
NEEDS_PROCESSES := engines or browser or faults
# Tests at a time; most of their time is waiting for leases, latencies and processes that start.
AT_ONCE ?= 3
PYTEST := $(BIN)/python -m pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo run test again faults bench screenshots lint format

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##/\1	/p' Makefile

setup: .venv/installed  ## make .venv; again only when requirements*.txt changed

demo: .venv/installed  ## post a talk to 1,000 listeners on embedded engines, and count
	@$(BIN)/python -m radiotalk.local.demo

run: .venv/installed  ## serve the admin, the API, the worker and an FCM emulator until Ctrl-C
	@$(BIN)/python -m radiotalk.local.run

test: .venv/installed  ## on SQLite, then what needs processes on PostgreSQL and Redis
	$(PYTEST) -m "not ($(NEEDS_PROCESSES))"
	$(ENGINES) $(PYTEST) -m "$(NEEDS_PROCESSES)"

again: .venv/installed  ## what failed of that on PostgreSQL and Redis once more, alone
	$(ENGINES) $(BIN)/python -m pytest --last-failed --last-failed-no-failures none \
		-m "$(NEEDS_PROCESSES)"

faults: .venv/installed  ## break everything once, with a table; SEED=1 ROUNDS=500: at random
ifeq ($(SEED)$(ROUNDS),)
	$(ENGINES) $(PYTEST) -m faults -p notifications.tests.faults.results
else
	$(BIN)/python -m notifications.tests.faults.rounds \
		--seed $(or $(SEED),1) --rounds $(or $(ROUNDS),1)
endif

bench: .venv/installed-bench  ## measure us and what one would take instead, 20 minutes; QUICK=1: 5
	DJANGO_SETTINGS_MODULE=benchmarks.settings $(BIN)/python -m radiotalk.local.engines --postgresql -- \
		$(BIN)/python -m benchmarks.bench $(if $(QUICK),--quick)

screenshots: .venv/installed  ## docs/images, of the running system; needs Chromium and a Japanese font
	DJANGO_SETTINGS_MODULE=radiotalk.testing $(BIN)/python -m radiotalk.local.engines --no-fsync --postgresql -- \
		$(BIN)/python -m benchmarks.screenshots

lint: .venv/installed  ## what CI checks without running anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy .
	$(BIN)/lint-imports
	DEBUG=on $(BIN)/python manage.py makemigrations --check

format: .venv/installed  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.venv/installed: requirements.txt requirements-dev.txt | .venv/bin/python
	@echo "Installing what requirements-dev.txt names into .venv …"
	@if command -v uv >/dev/null; \
	then uv pip install --python $(BIN)/python -r requirements-dev.txt; \
	else $(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt; fi
	@touch $@

.venv/installed-bench: requirements-bench.txt .venv/installed
	@echo "Installing what requirements-bench.txt names into .venv …"
	@if command -v uv >/dev/null; \
	then uv pip install --python $(BIN)/python -r requirements-bench.txt; \
	else $(BIN)/python -m pip install --disable-pip-version-check -r requirements-bench.txt; fi
	@touch $@

# uv fetches a Python when the machine's is too old; without uv the machine's has to do.
.venv/bin/python:
	@if command -v uv >/dev/null; then uv venv --quiet --python ">=3.11" .venv; exit; fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Radiotalk needs Python 3.11 or newer, and $(PYTHON) is not: set PYTHON=…, or install uv." >&2; exit 1; }; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "$(PYTHON) cannot make a virtualenv: apt-get install python3-venv (Debian, Ubuntu), or install uv." >&2; exit 1; }; \
	echo "Making .venv with $$($(PYTHON) --version) …"; \
	$(PYTHON) -m venv .venv
