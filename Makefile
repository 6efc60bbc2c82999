# Every target makes the virtual environment that it needs; nothing has to be installed by hand first,
# except Python (3.11 or later) with its venv module.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CONF   ?= examples/named.conf
# Two at a time: the tests start servers of their own. PYTEST_ARGS="-x tests/unit" runs a part.
PYTEST_ARGS ?= -n 2

.PHONY: run test lint fmt bench clean

run: $(VENV)/.installed  ## serve examples/named.conf on 127.0.0.1 and ::1, port 5300
	@echo "bindpy serves $(CONF); try:  dig @127.0.0.1 -p 5300 www.example.com   (Ctrl-C stops it)"
	@$(BIN)/bindpy serve -c $(CONF)

test: $(VENV)/.test  ## all tests; real peers are used where they are installed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.lint  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fmt: $(VENV)/.lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test  ## the table of benchmarks/README.md, measured here
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "bindpy needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1). Next: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments. Next (Debian, Ubuntu): apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages, renewed when pyproject.toml changes.
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group test
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group lint
	@touch $@
