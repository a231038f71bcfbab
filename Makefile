# Two commands on a fresh Debian 12 do everything: `make demo` and `make test`.
SHELL := /bin/bash
VENV  := .venv
PY    := $(VENV)/bin/python

.PHONY: help demo test check format bench sandbox clean
help:            ## what can be done here
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## ?/\t/' | expand -t 12

$(VENV)/ready: pyproject.toml constraints.txt .ci/install
	@.ci/install $(VENV)
	@touch $@

demo: $(VENV)/ready      ## start relay and street, make all 107 calls
	@$(VENV)/bin/relay demo

sandbox: $(VENV)/ready   ## start relay and street and leave them running
	@$(VENV)/bin/relay sandbox

test: $(VENV)/ready      ## the whole suite
	@$(PY) -m pytest -q

check: $(VENV)/ready     ## format, lint, types, floors
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

format: $(VENV)/ready    ## put the code into its form
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

bench: $(VENV)/ready     ## the data plane beside its peers; QUICK=1 ends within 5 minutes
	@QUICK=$(QUICK) $(PY) bench/run.py

clean:           ## away with everything made here
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .sandbox bench/build bench/out
