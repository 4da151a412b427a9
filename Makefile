# Everything runs in a virtual environment that is made here at first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-again test-fast faults lint format bench transcripts gallery calibrate clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run  ## Seed the embedded database, run transfers, write a report (about two minutes).
	@$(BIN)/occbench demo

test: $(VENV)/.dev  ## Run all tests: side by side, then those that measure real time.
	@$(BIN)/python -m tests.suite

test-again: $(VENV)/.dev  ## Run the tests that failed last time once more, if they are few.
	$(BIN)/python -m tests.again

test-fast: $(VENV)/.dev  ## Run the unit tests with few generated examples (under a minute).
	$(BIN)/python -m pytest -n 2 --dist loadfile --hypothesis-profile fast -m "not timed and not long" tests/unit

faults: $(VENV)/.dev  ## Put faults into real runs, a line for each (about fifteen minutes).
	@$(BIN)/python -m pytest -p tests.faults.lines tests/faults -m "long or not long" --quiet

lint: $(VENV)/.dev  ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mypy examples/lambda/handler.py

format: $(VENV)/.dev  ## Put the code into shape.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## Compare with pgbench and \copy, side by side (about ten minutes).
	$(BIN)/python -m tests.bench

transcripts: $(VENV)/.dev  ## Run the commands that docs/targets.md shows, and write down what they print.
	$(BIN)/python -m tests.transcripts

gallery: $(VENV)/.dev  ## Run the examples of docs/gallery.md and keep their pictures (about fifteen minutes).
	$(BIN)/python -m tests.gallery

calibrate: $(VENV)/.dev  ## Count false alarms and missed slowdowns of `occbench compare` (about twenty-five minutes).
	$(BIN)/python -m tests.calibrate

clean:  ## Remove the virtual environment and what tools left behind.
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/.cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("occbench needs Python 3.11 or newer, this is %s; name another, as in: make PYTHON=python3.12 demo" % sys.version.split()[0])'
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing what occbench needs"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing what its tests need"
	@$(INSTALL) --editable '.[dev]'
	@touch $@
