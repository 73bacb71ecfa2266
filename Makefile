# Every command of the project. `make dry-run` and `make test` need Python 3.11 or later and make, and set the rest up themselves.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
.DELETE_ON_ERROR:

# The environment is made anew whenever the lock changes; otherwise this target is up to date and silent.
.venv/ok: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else 0'
	@echo "setting up .venv from requirements-dev.lock"
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

.PHONY: lint
lint: .venv/ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
