# Every command of the project. `make dry-run` and `make test` need Python 3.11 or later and make, and set the rest up.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
TESTS ?= tests
WORKERS ?= 2
.DELETE_ON_ERROR:
.PHONY: dry-run test lint tools bench clean system

dry-run: .venv/ok system
	@$(BIN)/python -m pipeline dry-run

test: .venv/ok system tools lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

lint: .venv/ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Whatever the locks name is fetched or built once for each user, by lock; the second time this is one line.
tools: .venv/ok
	@$(BIN)/python -m pipeline store fetch

bench: .venv/ok system tools
	@$(BIN)/python -m bench

clean:
	rm -rf .run .venv .mypy_cache .ruff_cache .pytest_cache

# Made anew whenever the lock changes; otherwise up to date, and silent.
.venv/ok: requirements-dev.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"error: Python 3.11 or later is needed, this is {v[0]}.{v[1]}; set PYTHON=") if v < (3, 11) else 0'
	@echo "setting up .venv from requirements-dev.lock"
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r requirements-dev.lock
	@pwd > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/pipeline.pth"
	@touch $@

# Programs of this machine that no lock can hold. Root on Debian gets them; anybody else is told what to type, and goes on.
PROGRAMS := git:git bwrap:bubblewrap
system:
	@missing=$$(for p in $(PROGRAMS); do command -v $${p%%:*} >/dev/null || echo $${p##*:}; done); \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing" $$missing; \
	  apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
	else echo "not installed:" $$missing "(type: sudo apt-get install" $$missing")"; fi
