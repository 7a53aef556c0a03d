# Every target sets up what it needs by itself: Python 3.11 or newer with venv and pip is enough.
# Stamps in .venv remember the lock files, so a second run starts at once.

.POSIX:
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help run story test check bench reliability contracts format lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

# The locks are complete and hashed: nothing to resolve and nothing to build.
# Byte code is written at first import, for what is imported only.
INSTALL := $(BIN)/python -m pip install --quiet --no-deps --no-compile
INSTALL_LOCK := $(INSTALL) --require-hashes --only-binary :all: --requirement
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --build-deps-for editable \
	--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

help: ## Show what can be made
	@echo 'make <target> [ARGS="…"]'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

run: $(VENV)/.project ## Start the demo: a small world, the main story once, then stay up
	$(BIN)/mykey-hub demo $(ARGS)

story: $(VENV)/.project ## Play the main story and check every number (ARGS="--json out.json")
	$(BIN)/mykey-hub story $(ARGS)

test: $(VENV)/.dev ## Run the tests (ARGS="-k ledger")
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## Lint, format, types, floors, house rules, contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.house_rules
	$(BIN)/python -m tools.declared_imports
	@echo 'contracts: docs/contracts against what the code says now'
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(BIN)/mykey-hub contracts "$$fresh" \
		&& { diff -r -x "*.md" docs/contracts "$$fresh" || { echo 'make contracts writes them anew' >&2; exit 1; }; }

bench: $(VENV)/.project ## Measure against the yardsticks
	$(BIN)/mykey-hub bench $(ARGS)

reliability: $(VENV)/.dev ## Run the reliability layers: simulator, state machine, failpoints, planted bugs
	MYKEY_RELIABILITY=full $(BIN)/python -m pytest tests/reliability $(ARGS)

contracts: $(VENV)/.project ## Write docs/contracts anew
	$(BIN)/mykey-hub contracts docs/contracts

format: $(VENV)/.dev ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock: $(VENV)/.dev ## Write requirements/*.txt anew from pyproject.toml (ARGS="--upgrade")
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra embedded \
		--output-file requirements/base.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra embedded --extra dev \
		--constraint requirements/base.txt --output-file requirements/dev.txt pyproject.toml

clean: ## Remove the set-up and everything built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------------- set-up

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'MyKey Hub needs Python 3.11 or newer. Name one: make PYTHON=python3.11 <target>' >&2; exit 1; }
	@echo 'set-up: $(VENV)'
	@$(PYTHON) -m venv $(VENV) || { \
		echo 'Python could not make a virtual environment (Debian, Ubuntu: apt install python3-venv).' >&2; exit 1; }
	@touch $@

$(VENV)/.base: requirements/base.txt $(VENV)/.made
	@echo 'set-up: requirements/base.txt'
	@$(INSTALL_LOCK) requirements/base.txt
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.base
	@echo 'set-up: mykey-hub'
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.project
	@echo 'set-up: requirements/dev.txt'
	@$(INSTALL_LOCK) requirements/dev.txt
	@touch $@
