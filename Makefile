# Two commands on a fresh Debian 12 or 13 do everything: `make demo` and `make test`.
SHELL := /bin/bash
VENV  := .venv
PY    := $(VENV)/bin/python
ARGS  ?=
QUICK ?=
SPLIT ?= -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: help demo sandbox compile test test-full test-compiled chaos attack chaos-docs api-pages check format bench clean
help:                    ## what can be done here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## ?/\t/' | expand -t 12

$(VENV)/ready: pyproject.toml sandbox/pyproject.toml constraints.txt .ci/install
	@PYTHON='$(PYTHON)' .ci/install $(VENV)

$(VENV)/ready-dev: pyproject.toml sandbox/pyproject.toml constraints.txt constraints-dev.txt .ci/install
	@PYTHON='$(PYTHON)' .ci/install $(VENV) dev

demo: $(VENV)/ready      ## start relay and sandbox on free ports, make every call once
	@.ci/compile $(VENV) || [ $$? -eq 3 ]
	@.ci/with-compiled $(VENV)/bin/mydata-sandbox demo

sandbox: $(VENV)/ready   ## start relay and sandbox and leave them running; ARGS='--institution my.yaml'
	@.ci/compile $(VENV) || [ $$? -eq 3 ]
	@.ci/with-compiled $(VENV)/bin/mydata-sandbox run $(ARGS)

compile: $(VENV)/ready   ## build the compiled form into build/compiled; needs gcc and Python's headers
	@.ci/compile $(VENV)

test: $(VENV)/ready-dev      ## the suite; ARGS=tests/domain runs a part, SPLIT= in one process
	@.ci/system
	@.ci/in-memory $(PY) -m pytest -q $(SPLIT) $(ARGS)

test-full: $(VENV)/ready-dev ## the suite and what repeats parts of it at full size
	@.ci/system
	@.ci/in-memory $(PY) -m pytest -q --full $(SPLIT) $(ARGS)

test-compiled: $(VENV)/ready-dev ## the suite on the compiled form
	@.ci/system
	@.ci/system gcc python3-dev
	@.ci/compile $(VENV)
	@.ci/with-compiled .ci/in-memory $(PY) -m pytest -q $(SPLIT) $(ARGS)

CHAOS := PYTHONPATH=.:sandbox:bench:tests:tests/scenarios

chaos: $(VENV)/ready-dev     ## every degraded state with real servers; ARGS='--only NAME', ARGS=--list
	@.ci/system
	@.ci/system gcc haproxy
	@$(CHAOS) .ci/in-memory $(PY) -m chaos $(ARGS)

attack: $(VENV)/ready-dev    ## attack an institution through two gateways with one Redis; ARGS=--outage
	@.ci/system
	@.ci/compile $(VENV) || [ $$? -eq 3 ]
	@$(CHAOS) .ci/with-compiled .ci/in-memory $(PY) -m chaos.attack $(ARGS)

chaos-docs: $(VENV)/ready-dev ## write docs/operate/degraded.md; ARGS=--keep takes the figures of the last run
	@$(CHAOS) $(PY) -m chaos --docs $(ARGS)

api-pages: $(VENV)/ready-dev  ## write the examples of relay/standard and docs/reference/apis from the catalogue
	@$(VENV)/bin/mydata-sandbox examples relay/standard/examples
	@$(PY) .ci/api_pages.py

check: $(VENV)/ready-dev     ## form, lint, types, floors
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

format: $(VENV)/ready-dev    ## put the code into its form
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

bench: $(VENV)/ready-dev     ## the data plane beside its peers, what a token costs; QUICK=1 runs the short parts
	@.ci/system
	@QUICK=$(QUICK) $(PY) bench/run.py
	@QUICK=$(QUICK) $(PY) bench/issue.py

clean:                   ## away with everything made here
	rm -rf $(VENV) build *.egg-info sandbox/build sandbox/*.egg-info .hypothesis .mypy_cache .ruff_cache .pytest_cache .sandbox bench/build bench/out tests/chaos/out
