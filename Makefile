# Every target makes the virtual environment that it needs; nothing has to be installed by hand first,
# except Python (3.11 or later) with its venv module.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CONF   ?= examples/named.conf
# Three at a time, for two processors: many tests wait for servers of their own. PYTEST_ARGS="-x tests/unit" runs
# a part. A module's tests mostly stay together (worksteal), as they share servers.
PYTEST_ARGS ?= -n 3 --dist worksteal
# What starts servers and depends on their engine. The suite starts them with the Rust engine where there is one, so
# these are run once more with the other; tests that start none try both engines as it is.
PYTHON_ENGINE_TESTS := $(addprefix tests/, \
  e2e/test_serve.py e2e/test_watch.py e2e/test_secondary.py e2e/test_transfers_out.py e2e/test_journal.py \
  e2e/test_notify_out.py e2e/test_lua.py e2e/test_verbs.py e2e/test_autoprimary.py e2e/test_sockets.py \
  e2e/test_activation.py e2e/test_sd_notify.py e2e/test_clients.py faults/test_disk.py faults/test_primary.py \
  faults/test_crash.py faults/test_crash_primary.py faults/test_scale.py interop/test_matrix.py \
  interop/test_large_and_signed.py interop/test_chain.py interop/test_new_zones.py interop/test_second_server.py \
  diff/test_access.py diff/test_rrset_order.py)

# The Rust engine is built where there is a Rust toolchain; without it bindpy serves with its Python engine.
# BINDPY_REQUIRE_ENGINE=1, as in CI, makes its absence an error.
CARGO := $(shell command -v cargo 2>/dev/null)
ENGINE_SOURCES := $(shell find engine \( -name target -o -name fuzz \) -prune -o -type f -print)
# Each fuzz target runs for so long, all at the same time.
FUZZ_SECONDS ?= 30

.PHONY: run test test-python-engine lint lint-engine fuzz sanitize fmt bench engine clean

run: $(VENV)/.engine  ## serve examples/named.conf on 127.0.0.1 and ::1, port 5300
	@echo "bindpy serves $(CONF); try:  dig @127.0.0.1 -p 5300 www.example.com   (Ctrl-C stops it)"
	@$(BIN)/bindpy serve -c $(CONF)

test: $(VENV)/.test $(VENV)/.engine  ## all tests; real peers are used where they are installed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-python-engine: $(VENV)/.test  ## servers with the Python engine; of the real peers, with BIND
	BINDPY_ENGINE=python $(BIN)/python -m pytest $(PYTEST_ARGS) $(PYTHON_ENGINE_TESTS) \
	  -k "not (test_matrix or test_large_and_signed) or named"

lint: $(VENV)/.lint  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(if $(CARGO),$(MAKE) --no-print-directory lint-engine)

lint-engine: $(VENV)/.lint $(VENV)/.engine  ## rustfmt and clippy, the engine's own tests, and its stubs against the binary
	cd engine && cargo fmt --check
	cd engine/fuzz && cargo fmt --check
	cd engine && cargo clippy --quiet --workspace --all-targets -- -D warnings
	cd engine && cargo test --quiet
	test ! -e $(VENV)/.engine || $(BIN)/stubtest --mypy-config-file pyproject.toml \
	  --allowlist engine/py/stubtest.allowlist bindpy_engine

fuzz:  ## what the Rust engine reads from strangers, guided by coverage; needs a C++ compiler, too
	FUZZ_SECONDS=$(FUZZ_SECONDS) engine/fuzz/run

# The compiler takes the option, and has the library, on its stable channel, too; there only by this variable.
sanitize:  ## the Rust engine's system calls, and the threads that make them, under AddressSanitizer
	cd engine && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=detect_leaks=0 CARGO_TARGET_DIR=target/sanitize \
	  cargo test --quiet --target host-tuple -p bindpy-engine-sys -p bindpy-engine-core --lib --test serve_udp --test serve_tcp

engine:  ## build the Rust engine anew, and say why where that fails
	@rm -f $(VENV)/.engine
	@BINDPY_REQUIRE_ENGINE=1 $(MAKE) --no-print-directory $(VENV)/.engine

fmt: $(VENV)/.lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(if $(CARGO),cd engine && cargo fmt && cd fuzz && cargo fmt)

# BENCH_ARGS="--only answers" runs a part, --quick a little of everything.
bench: $(VENV)/.test $(VENV)/.engine  ## the tables of benchmarks/README.md, measured here in at most 45 minutes
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info engine/target engine/fuzz/target

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

# Building takes a minute or two, once. What goes wrong with it keeps nobody from serving.
$(VENV)/.engine: $(ENGINE_SOURCES) | $(VENV)/.installed
	@if [ -z "$(CARGO)" ]; then \
	  echo "no Rust toolchain (cargo) here: bindpy serves with its Python engine"; \
	  test -z "$$BINDPY_REQUIRE_ENGINE"; \
	else \
	  echo "building the Rust engine..."; \
	  if $(BIN)/python -m pip install --quiet --disable-pip-version-check ./engine/py >$(VENV)/engine.log 2>&1; \
	  then touch $@; \
	  elif [ -n "$$BINDPY_REQUIRE_ENGINE" ]; then cat $(VENV)/engine.log; exit 1; \
	  else echo "the Rust engine could not be built ($(VENV)/engine.log says why): bindpy serves with its Python engine"; \
	  fi; \
	fi

$(VENV)/.lint: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group lint
	@touch $@
