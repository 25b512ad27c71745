# make demo    install chainrule in .venv and run the demonstration
# make test    install it for testing and run the tests: under ten minutes, with as many of the slow ones as fit
# make test-all   run every test, however long it takes
# make lint    style, types and which way the imports look
# make mutation   change every condition of the passes over plans; a test must fail each time (an hour)
# make fuzz    read damaged files of every kind, 2,000 each, and kill and interrupt (ten minutes); ARGS="csv png --rounds 50000 --seed 7"
# make bench   compare with the other libraries installed in .venv; ARGS="--budget 3" passes options on
# make wheel   build a wheel that brings compiled kernels along, for Linux on x86-64, in dist/ (some minutes)
# make clean   remove .venv and everything that was built
#
# PYTHON=/path/to/python3.12 make test   uses another Python (3.11 or newer)

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install -q --disable-pip-version-check

# A stamp says what is installed, so that a second run installs nothing.
VENV_STAMP := $(VENV)/.made
DEMO_STAMP := $(VENV)/.installed-all
TEST_STAMP := $(VENV)/.installed-test
DEV_STAMP  := $(VENV)/.installed-dev
BUILD      := pyproject.toml src/chainrule/_version.py
SOURCES    := $(shell find src -name '*.py' 2>/dev/null)

# An editable installation follows the sources by itself and holds all that the demonstration needs.
ifneq ($(wildcard $(TEST_STAMP)),)
DEMO_NEEDS := $(TEST_STAMP)
else
DEMO_NEEDS := $(DEMO_STAMP)
endif

.PHONY: help venv demo test test-all lint mutation fuzz bench wheel clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make \)/\1/p' Makefile

venv: $(VENV_STAMP)

$(VENV_STAMP):
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "chainrule needs Python 3.11 or newer, and '$(PYTHON)' is not here. Install it, or name another: PYTHON=/path/to/python3.12 make ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "chainrule needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1). Name another: PYTHON=/path/to/python3.12 make ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	rm -rf $(VENV)
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(DEMO_STAMP): $(VENV_STAMP) $(BUILD) $(SOURCES)
	$(PIP) '.[all]'
	@touch $@

$(TEST_STAMP): $(VENV_STAMP) $(BUILD)
	$(PIP) -e '.[test]'
	@rm -f $(DEMO_STAMP)
	@touch $@

$(DEV_STAMP): $(TEST_STAMP)
	$(PIP) -e '.[dev]'
	@touch $@

demo: $(DEMO_NEEDS)
	$(BIN)/python -m chainrule demo --output build/demo

test: $(TEST_STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist load --slow-within 240

test-all: $(TEST_STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutation: $(TEST_STAMP)
	$(BIN)/python tests/plan/mutation.py $(ARGS)

fuzz: $(TEST_STAMP)
	$(BIN)/python tests/fuzzing/fuzz.py $(ARGS)

bench: $(TEST_STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

# Zig's C compiler links against a C library that is old enough for every Linux of the last ten years.
wheel: $(TEST_STAMP)
	$(PIP) ziglang
	$(BIN)/python -m chainrule.engine.kernels.shipped
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist .

clean:
	rm -rf $(VENV) src/chainrule/engine/kernels/compiled build dist htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(wildcard src tests benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +
