# Everything a developer or operator runs. Needs Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: serve test test-browser smooth faults lint check bench clean

serve: $(VENV)/.installed
	$(BIN)/spoolog serve

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

# The dashboard in a real browser; a Chromium is looked for, and on Debian installed when root runs this.
test-browser: $(VENV)/.installed-browser
	chromium=$$(.ci/chromium) && CHROMIUM="$$chromium" $(BIN)/python -m pytest tests/browser

# Whether the page stays smooth: a million jobs, a thousand events a second, half a minute a screen.
smooth: $(VENV)/.installed-browser
	chromium=$$(.ci/chromium) && CHROMIUM="$$chromium" SPOOLOG_BROWSER=long $(BIN)/python -m pytest tests/browser/test_smooth.py

# The long forms: hours of kills, lost power, overload and load. MINUTES is the length of the soak.
MINUTES ?= 60
faults: $(VENV)/.installed-test
	SPOOLOG_FAULTS=long $(BIN)/python -m pytest tests/faults
	$(BIN)/python -m tests.faults.real.soak --minutes $(MINUTES)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/lint-imports

check: lint test

bench: $(VENV)/.installed
	$(BIN)/spoolog bench all

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Spoolog needs Python 3.11 or newer: make PYTHON=python3.11 …") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# The package is installed editable: the checkout is what runs.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo 'installing into $(VENV) …'
	@$(RUN_INSTALL) -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo 'installing into $(VENV) …'
	@$(RUN_INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-browser: pyproject.toml | $(VENV)/bin/python
	@echo 'installing into $(VENV) …'
	@$(RUN_INSTALL) -e '.[test,browser]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed

$(VENV)/.installed-lint: pyproject.toml | $(VENV)/bin/python
	@echo 'installing into $(VENV) …'
	@$(RUN_INSTALL) -e '.[test,lint]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed
