# One word for everything that a contributor does; `make` alone lists the words.
# Tools live in a private environment, made the first time a word needs it.
.DEFAULT_GOAL := help
SHELL := bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready

# Everything is phony: lua, tests and functions are also folders, and make would find them up to date.
.PHONY: help setup fmt check lint types lua test test-unit chaos cover demo load fuzz bench docs acl constraints clean

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1|/' \
	  | while IFS='|' read -r word text; do printf '  %-12s %s\n' "$$word" "$$text"; done

setup: $(READY)  ## make the private environment (every other word does so when it is needed)

# What the demo needs, and no more: the tools of contributors take most of the time.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "Making $(VENV) ..." >&2
	@rm -rf $(VENV)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Wherry needs Python 3.11 or newer; name one: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $(INSTALLED)

# pip 25.1 is the first that knows --group.
$(READY): $(INSTALLED)
	$(BIN)/python -m pip install -q -c constraints.txt 'pip>=25.1'
	$(BIN)/python -m pip install -q -c constraints.txt --group dev
	@touch $(READY)

fmt: $(READY)  ## format the Python, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types lua  ## what CI checks before it runs the tests

lint: $(READY)  ## ruff, and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=functions $(BIN)/lint-imports

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

lua: $(READY)  ## luacheck, on the library as Redis gets it
	$(BIN)/python -m wherry.store.library build/lua/wherry.lua
	@if command -v luacheck >/dev/null; then luacheck --quiet build/lua; \
	else echo "luacheck is missing: apt-get install lua-check, or luarocks install luacheck" >&2; \
	  test "$${CI:-}" != true; fi

test: $(READY)  ## all tests but chaos, on fakeredis and on a real server
	$(BIN)/pytest -q -m "not chaos" -n 3 --dist worksteal --durations 12

test-unit: $(READY)  ## the fast tests: no server, no processes
	$(BIN)/pytest -q -m "not chaos and not slow" --ignore=tests/integration --ignore=tests/packaging -k "not real"

chaos: $(READY)  ## kill processes while they work: make chaos KILLS=200 ORDERS=1000
	WHERRY_KILLS=$${KILLS:-200} ORDERS=$${ORDERS:-1000} $(BIN)/pytest -q -s -m chaos

cover: $(READY)  ## tests, with the lines and branches that none of them runs
	$(BIN)/pytest -q -m "not chaos" --cov --cov-report=term-missing

demo: $(INSTALLED)  ## vessels dock, orders are paid and shipped, what fails goes back; with a server of its own
	$(BIN)/wherry demo

load: $(READY)  ## locust on a system of its own; LOAD_SECONDS, LOAD_USERS, ... are in loadtests/run.py
	$(BIN)/python -m loadtests.run

fuzz: $(READY)  ## requests made from the OpenAPI document, every check of schemathesis; FUZZ_SECONDS, FUZZ_SEED
	$(BIN)/python -m tests.http.fuzz

bench: $(READY)  ## throughput as a ratio to the floor, latencies, costs; and whether a command's cost stays flat
	$(BIN)/python -m loadtests.bench
	$(BIN)/python -m loadtests.bench.flat
	$(BIN)/python -m loadtests.bench.http

docs: $(READY)  ## write the reference pages that are made from the code
	PYTHONPATH=. $(BIN)/python -m tests.docs.reference

acl:  ## build/users.acl, out of infra/acl
	@mkdir -p build
	@infra/acl/render > build/users.acl
	@echo build/users.acl

constraints:  ## pin the newest set that the ranges in pyproject.toml allow
	@rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/python -m pip install -q --upgrade pip
	build/pins/bin/python -m pip install -q -e . --group dev
	@{ head -1 constraints.txt; build/pins/bin/python -m pip freeze --all --exclude-editable --exclude setuptools; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt

clean:  ## remove what make made; data in .wherry stays
	rm -rf $(VENV) build dist .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
