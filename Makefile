# Each target does its own set-up, in ./.venv and from PyPI alone; nothing that was installed by hand is used.
#   make demo        the guarded shop, a walk through it, then it keeps serving (ONCE=1: run the walk, check it, exit)
#   make test        lint, types and all tests that need only PyPI
#   make test-real   the tests that need more, or minutes
#   make lint  make bench  make peers  make lock  make clean
# PYTHON=/path/to/python3.12 chooses the interpreter; any from 3.11 on will do.

SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
# The stamp is named after what was installed, so a changed lock, pyproject.toml or C source means a fresh environment, a touched one does not.
STAMP := $(VENV)/ready-$(shell cat requirements.lock pyproject.toml middleware/native/* | cksum | tr -d ' ')

.PHONY: demo test test-real postgres lint bench peers lock clean venv

demo: $(STAMP)
	$(BIN)/python -m example_app.demo $(if $(filter-out 0,$(ONCE)),--once)

test: lint
	$(BIN)/python -m pytest -q -m "not real" $(ARGS)

# PostgreSQL for the tests of shared ledgers: taken as it is, or installed where we may. Without it those tests say so.
postgres:
	@if command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "troth: installing PostgreSQL for the tests" >&2; \
	  { apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql >/dev/null; } || \
	  echo "troth: PostgreSQL could not be installed; the tests that need it will say so" >&2; \
	else \
	  echo "troth: no PostgreSQL here, and no right to install it; on Debian and Ubuntu: sudo apt-get install postgresql" >&2; \
	fi

# Status 5 is pytest's word for "nothing was selected": no failure.
test-real: $(STAMP) postgres
	$(BIN)/python -m pytest -q -m real $(ARGS) || [ $$? -eq 5 ]

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What bench_peers measures beside the rest (fastapi-opa, GPL-3): in a folder of its own, where nothing else finds it.
peers: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/peers.lock --upgrade --target build/peers

bench: $(STAMP)
	$(BIN)/python -m benchmarks.bench_middleware $(ARGS)

# Anew from pyproject.toml; where PyPI is mirrored or local wheels are offered, they leave no trace in the file.
lock: $(STAMP)
	mkdir -p build
	$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); \
	  print(*p["project"]["dependencies"], *sum(p["dependency-groups"].values(), []), sep="\n")' > build/lock.in
	head -n 1 requirements.lock > build/lock.new
	cp requirements.lock build/lock.out
	env -u PIP_FIND_LINKS $(BIN)/pip-compile --quiet --no-annotate $(ARGS) --output-file build/lock.out build/lock.in
	grep -v '^# Versions and hashes' build/lock.out >> build/lock.new
	mv build/lock.new requirements.lock
	cp benchmarks/peers.lock build/peers.out
	env -u PIP_FIND_LINKS $(BIN)/pip-compile --quiet --no-annotate $(ARGS) -c requirements.lock --output-file build/peers.out benchmarks/peers.in
	mv build/peers.out benchmarks/peers.lock

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov build dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

venv: $(STAMP)

$(STAMP):
	@set -e; \
	is_new_enough() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
	python=; \
	for each in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	  if is_new_enough "$$each"; then python=$$each; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "troth: no Python 3.11 or newer found; install one, or say which: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "troth: setting up $(VENV) with $$($$python --version)" >&2; \
	if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  "$$python" -m venv --clear "$(VENV)"; \
	  pip="$(BIN)/python -m pip"; \
	elif "$$python" -c 'import pip, venv' 2>/dev/null; then \
	  "$$python" -m venv --clear --without-pip "$(VENV)"; \
	  pip="$$python -m pip --python $(BIN)/python"; \
	else \
	  echo "troth: this Python can make no virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	$$pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	touch "$@"
