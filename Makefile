# Everything a developer or an operator on one machine types. `make` alone prints this list.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# More arguments for the tool behind a target: make test ARGS="-k storage -x"
ARGS ?=

# Python 3.11 or later; another one: make run PYTHON=/opt/python/bin/python3
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# Somebody else's ActivityPub, for the tests; npm writes that file last.
FEDIFY := tests/support/fedify

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.installed ## Serve http://127.0.0.1:8080 with the job worker; data in var/; Ctrl-C stops it
	@exec $(BIN)/repo run $(ARGS)

.PHONY: test
test: $(VENV)/.installed-dev ## All tests; those whose real service is missing say so and are skipped
	$(BIN)/python -m pytest -m "not e2e and not programs" $(ARGS)

.PHONY: programs
programs: $(VENV)/.installed-dev ## Files made by LibreOffice, pandoc, ffmpeg and others, read back; says which are missing
	$(BIN)/python -m pytest -m programs $(ARGS)

.PHONY: lint
lint: $(VENV)/.installed-dev ## Style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.installed-dev ## Rewrite the sources in the house's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(VENV)/.installed-dev ## Measure against the floor of the same machine; bench/results.json
	$(BIN)/python -m bench $(ARGS)

.PHONY: faults
faults: $(VENV)/.installed-dev ## Kill, stop and fill what the service runs on, at each step; build/faults.md
	$(BIN)/python -m tests.faults $(ARGS)

.PHONY: federation
federation: $(VENV)/.installed-dev ## Three schools, HQ and a mirror, HQ killed in between; build/federation.md
	$(BIN)/python -m tests.network $(ARGS)

.PHONY: fedify
fedify: $(FEDIFY)/node_modules/.package-lock.json ## Fetch what the tests federate with: Fedify, a server of another make

.PHONY: fuzz
fuzz: $(VENV)/.installed-dev ## Mutilated backups against inspection and cleaning; ARGS="--minutes 10"
	$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: e2e
e2e: $(VENV)/.installed-dev ## The tests that need a running Moodle
	$(BIN)/python -m pytest -m e2e $(ARGS)

.PHONY: translations
translations: $(VENV)/.installed-dev ## Bring the languages' catalogues up to date with the sources; says what is missing
	@$(BIN)/python -m tests.translations

.PHONY: screenshots
screenshots: $(VENV)/.installed-dev ## Every page, light and dark, on a desk and a phone; build/screenshots/index.html
	@$(BIN)/python -m tests.screenshots $(ARGS)

.PHONY: plugins
plugins: $(VENV)/.installed ## The Moodle plugins, one zip each to install, in build/plugins
	@$(BIN)/python -m moodle_plugin_bridge.plugins build/plugins

.PHONY: image
image: $(VENV)/.installed-dev ## Run the Dockerfile's steps without Docker, in a debootstrap chroot (root)
	$(BIN)/python -m tests.support.image

# Installs into a venv of its own, so that nothing left over in .venv slips into the pins.
.PHONY: lock
lock: ## Write constraints.txt: the exact version of everything the pinned packages pull in
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip --disable-pip-version-check install --quiet -r requirements-dev.txt
	{ sed '/^#/!d' constraints.txt; build/lock/bin/python -m pip freeze; } > build/constraints.txt
	mv build/constraints.txt constraints.txt && rm -rf build/lock

.PHONY: clean
clean: ## Remove what can be made again; never var/, which holds the data
	rm -rf $(VENV) $(FEDIFY)/node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment whose Python still starts is kept and brought up to date.
$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed. On Debian or Ubuntu: apt-get install python3" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is incomplete. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.created requirements.txt constraints.txt pyproject.toml
	@echo "Installing what the service needs (pinned; a minute or two the first time)"
	@$(PIP_INSTALL) -r requirements.txt
	@$(PIP_INSTALL) --no-deps --editable .
	@touch $@

$(FEDIFY)/node_modules/.package-lock.json: $(FEDIFY)/package-lock.json | $(VENV)/.installed-dev
	@echo "Fetching Fedify and what it needs"
	@$(BIN)/python -m tests.support.fedify
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@echo "Installing what the tests and checks need"
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@
