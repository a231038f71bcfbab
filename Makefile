# Two commands on a fresh Debian 12 or 13 do everything: `make demo` and `make test`.
SHELL := /bin/bash
VENV  := .venv
PY    := $(VENV)/bin/python
ARGS  ?=
QUICK ?=
SPLIT ?= -n 3 --dist loadfile

.PHONY: help demo sandbox test test-full check format bench clean
help:                    ## what can be done here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## ?/\t/' | expand -t 12

$(VENV)/ready: pyproject.toml constraints.txt .ci/install
	@PYTHON='$(PYTHON)' .ci/install $(VENV)

$(VENV)/ready-dev: pyproject.toml constraints.txt constraints-dev.txt .ci/install
	@PYTHON='$(PYTHON)' .ci/install $(VENV) dev

demo: $(VENV)/ready      ## start relay and street on free ports, make every call once
	@$(VENV)/bin/relay demo

sandbox: $(VENV)/ready   ## start relay and street and leave them running
	@$(VENV)/bin/relay sandbox

test: $(VENV)/ready-dev      ## the suite; ARGS=tests/domain runs a part, SPLIT= in one process
	@.ci/system
	@.ci/in-memory $(PY) -m pytest -q $(SPLIT) $(ARGS)

test-full: $(VENV)/ready-dev ## the suite and what repeats parts of it at full size
	@.ci/system
	@.ci/in-memory $(PY) -m pytest -q --full $(SPLIT) $(ARGS)

check: $(VENV)/ready-dev     ## form, lint, types, floors
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

format: $(VENV)/ready-dev    ## put the code into its form
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

bench: $(VENV)/ready-dev     ## the data plane beside its peers, what a token costs; QUICK=1 ends within 7 minutes
	@.ci/system
	@QUICK=$(QUICK) $(PY) bench/run.py
	@QUICK=$(QUICK) $(PY) bench/issue.py

clean:                   ## away with everything made here
	rm -rf $(VENV) build *.egg-info .hypothesis .mypy_cache .ruff_cache .pytest_cache .sandbox bench/build bench/out
