# The one entry: everything needed is installed below this folder, in .venv and target.
# Needed beforehand: Python >= 3.11 with venv, Rust (cargo, rustfmt, clippy), make.
#
#   make demo               set up, build, replay a real history through one medium
#   make test               set up, build, all checks and tests
#   make PYTHON=python3.13  choose the interpreter of a new .venv
#
# Steps are stamped files, so a second run does only what has changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
TOOLS := target/tools
PYTEST_ARGS ?=
BENCH_ARGS ?=
COUNTS_ARGS ?=

PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)

# cargo and maturin agree on one interpreter, whichever environment the caller has active.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport CONDA_PREFIX
unexport PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
NATIVE := $(wildcard python/aether/_native.*.so python/aether/_native.*.pyd)

heading = @printf '\n== %s\n' "$(1)"

## help: list the targets
.PHONY: help
help:
	@echo "Targets (make demo and make test set up whatever they need):"
	@sed -n 's/^## \([a-z-]*\): \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

# --- set up ------------------------------------------------------------------------------------

## venv: the virtual environment .venv with all dependencies
.PHONY: venv
venv: $(STAMPS)/dependencies

$(STAMPS)/created:
	$(call heading,virtual environment $(VENV))
	@found=; too_old=; no_venv=; \
	for python in $(PYTHONS); do \
	  command -v "$$python" >/dev/null 2>&1 || continue; \
	  if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then too_old="$$too_old $$python"; \
	  elif ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then no_venv="$$no_venv $$python"; \
	  else found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "error: no Python >= 3.11 with the venv module was found (looked for: $(PYTHONS))." >&2; \
	  [ -z "$$too_old" ] || echo "  older than 3.11, or does not start:$$too_old" >&2; \
	  [ -z "$$no_venv" ] || echo "  without venv (Debian and Ubuntu: install the package python3-venv):$$no_venv" >&2; \
	  echo "  Name another one with: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	echo "$$("$$found" --version) ($$found)"; \
	env -u VIRTUAL_ENV "$$found" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# pip reads [dependency-groups] from 25.1 on. The package's own dependencies come from the same
# file, so that the checkers can run before the first build.
$(STAMPS)/dependencies: pyproject.toml $(STAMPS)/created
	$(call heading,dependencies)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > $(STAMPS)/runtime.txt
	@$(BIN)/python -m pip install --quiet --requirement $(STAMPS)/runtime.txt --group dev --group bench
	@touch $@

.PHONY: cargo
cargo:
	@command -v cargo >/dev/null 2>&1 || { echo "error: cargo was not found: install Rust 1.85 or newer, with rustfmt and clippy." >&2; exit 1; }

## build: the native module, release profile (only when its sources changed)
.PHONY: build
build: $(STAMPS)/built

# The stamp is not believed when the module is missing.
$(STAMPS)/built: $(STAMPS)/dependencies $(RUST_SOURCES) $(if $(NATIVE),,missing-native) | cargo
	$(call heading,release build)
	@PIP_QUIET=1 $(BIN)/maturin develop --release --quiet
	@touch $@

.PHONY: missing-native
missing-native:

# --- run ---------------------------------------------------------------------------------------

## demo: replay a real history of events and check the sums
.PHONY: demo
demo: build
	$(call heading,aether demo)
	@$(BIN)/aether demo

## test: all checks and all tests, cheap ones first
.PHONY: test
test:
	@$(MAKE) lint
	@$(MAKE) rust-test
	@$(MAKE) counts
	@$(MAKE) fuzz-short
	@$(MAKE) typecheck
	@$(MAKE) py-test
	@printf '\n== all checks passed\n'

## lint: rustfmt, clippy and ruff; nothing is changed
.PHONY: lint
lint: $(STAMPS)/dependencies | cargo
	$(call heading,cargo fmt --check)
	@cargo fmt --all --check
	$(call heading,ruff check)
	@$(BIN)/ruff check .
	$(call heading,ruff format --check)
	@$(BIN)/ruff format --check .
	$(call heading,cargo clippy)
	@cargo clippy --quiet --locked --workspace --all-targets -- -D warnings

## rust-test: cargo nextest and the doctests of the core crates
.PHONY: rust-test
rust-test: $(STAMPS)/dependencies | cargo nextest
	$(call heading,cargo nextest)
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo nextest run --locked --workspace --no-fail-fast --no-tests=fail --cargo-quiet --status-level=slow --final-status-level=fail
	$(call heading,cargo test --doc)
	@cargo test --quiet --locked --doc -p aether-core -p aether-physics -p aether-journal

# A cargo-nextest on the PATH is taken; without one it is built once from source and kept below
# target: two to four minutes on two cores as a debug build that cannot update itself, ten otherwise.
.PHONY: nextest
nextest: | cargo
	@if ! PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo nextest --version >/dev/null 2>&1; then \
	  printf '\n== cargo install cargo-nextest (none on the PATH; once, some minutes)\n'; \
	  cargo install --quiet --locked --debug --no-default-features --features default-no-update --root $(TOOLS) --target-dir $(TOOLS)/build cargo-nextest && \
	  rm -rf $(TOOLS)/build; \
	fi

## counts: the core's instruction counts held to benches/instructions.json (ACCEPT=1 writes it)
.PHONY: counts
counts: $(STAMPS)/created | cargo
	$(call heading,benches/instructions.py)
	@$(BIN)/python benches/instructions.py $(if $(ACCEPT),--accept) $(COUNTS_ARGS)

## typecheck: mypy --strict, basedpyright and stubtest
.PHONY: typecheck
typecheck: build
	$(call heading,mypy --strict)
	@$(BIN)/mypy --strict python/aether python/aether_pytest $(wildcard tests/typing)
	$(call heading,basedpyright)
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(call heading,stubtest)
	@$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml aether._native

## py-test: pytest, in as many processes as there are cores (PYTEST_ARGS="-k name -x" to choose, PROCESSES=0 for one)
.PHONY: py-test
py-test: build
	$(call heading,pytest)
	@$(BIN)/python -m pytest --numprocesses=$(or $(PROCESSES),auto) --dist=worksteal $(PYTEST_ARGS)

# What runs at full load is left out: it watches the time, and takes no branch that others do not.
## coverage-python: pytest under coverage, child processes too: of the branches of python/aether, 95 % at least
.PHONY: coverage-python
coverage-python: build
	$(call heading,pytest under coverage)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses=$(or $(PROCESSES),auto) --dist=worksteal --timeout=240 -m "not stress" $(PYTEST_ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

## bench: everything beside its peers: a table, docs/benchmarks.md and a picture; then bench-observability (ten minutes)
.PHONY: bench
bench: build
	$(call heading,benches/compare.py)
	@$(BIN)/python benches/compare.py $(BENCH_ARGS)
	@$(MAKE) bench-observability BENCH_ARGS=

## bench-observability: what metrics and tracing cost a burst of waves (BENCH_ARGS="--rounds 200 --against FOLDER")
.PHONY: bench-observability
bench-observability: build
	$(call heading,benches/observability.py)
	@$(BIN)/python benches/observability.py $(BENCH_ARGS)

## bench-journal: the journal beside SQLite, RocksDB and the bare disk (minutes; BENCH_ARGS="--folder DISK --waves 10000000")
.PHONY: bench-journal
bench-journal: build
	$(call heading,benches/journal.py)
	@$(BIN)/python benches/journal.py $(BENCH_ARGS)

## bench-rows: the same rows one by one under pytest-benchmark (takes minutes; asserts no time)
.PHONY: bench-rows
bench-rows: build
	$(call heading,pytest benches)
	@$(BIN)/python -m pytest benches -q --timeout=0 --benchmark-only $(PYTEST_ARGS)

## detection: how well patterns are found, beside two windows with a threshold, as docs/physics.md has it (two minutes)
.PHONY: detection
detection: build
	$(call heading,benches/detection.py)
	@$(BIN)/python benches/detection.py $(BENCH_ARGS)

## physics-pictures: the pictures of docs/physics.md
.PHONY: physics-pictures
physics-pictures: build
	@$(BIN)/python benches/physics_pictures.py

## loom: every interleaving of the core's locks and wake-ups and the field's buffers, up to a bound; the journal's at random
.PHONY: loom
loom: | cargo
	$(call heading,loom)
	@RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=$${LOOM_MAX_PREEMPTIONS:-2} cargo test --locked -p aether-core -p aether-physics --lib --release --target-dir target/loom loom
	$(call heading,shuttle)
	@RUSTFLAGS="--cfg shuttle" cargo test --locked -p aether-journal --lib --release --target-dir target/shuttle shuttle

## stress: threads, loops, cancels and closes at random, the sums checked (MINUTES=10 SEED=7)
.PHONY: stress
stress: build
	$(call heading,stress)
	@$(BIN)/python -m tests.stress.program --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(STRESS_ARGS)

## soak: twenty vibrators that fail, hang and are cancelled, beside reloads and scrapes (MINUTES=10 SEED=7 LOOP=trio)
.PHONY: soak
soak: build
	$(call heading,soak)
	@$(BIN)/python -m tests.soak.program --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(LOOP),--loop $(LOOP))

## sanitize: the core's tests under sanitizers and valgrind (KIND=thread, address, valgrind or python for one)
.PHONY: sanitize
sanitize: $(if $(KIND),$(if $(filter python,$(KIND)),build),build) | cargo
	@.ci/sanitize $(KIND)

## torture: what kills, crashes and exits, at fifty times the size of `make test` (an hour or two)
.PHONY: torture
torture: build nextest
	$(call heading,kills and losses of power in Rust)
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" AETHER_TORTURE=1 cargo nextest run --locked -p aether-journal --no-fail-fast --cargo-quiet --status-level=pass
	$(call heading,kills and exits and signals and models in Python)
	@AETHER_TORTURE=1 $(BIN)/python -m pytest tests/journal tests/process tests/model --timeout=0 -v --durations=20 $(PYTEST_ARGS)

## coverage: the lines of the journal and of the router that no test runs; fails below LEAST=98 % (minutes)
.PHONY: coverage
coverage: | cargo
	@.ci/coverage $(LEAST)

## mutants: changes to the journal's code that no test notices, one of EVERY=12 (hours), or all of FILE=rust/journal/src/queue.rs
EVERY := 12
.PHONY: mutants
mutants: nextest | cargo-mutants
	$(call heading,cargo mutants: $(if $(FILE),all of $(FILE),one of $(EVERY)))
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" .ci/mutants $(if $(FILE),--file $(FILE),--sharding round-robin --shard 0/$(EVERY))

# As for cargo-nextest: one on the PATH, or built once, in some minutes.
.PHONY: cargo-mutants
cargo-mutants: | cargo
	@if ! PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo mutants --version >/dev/null 2>&1; then \
	  printf '\n== cargo install cargo-mutants (none on the PATH; once, some minutes)\n'; \
	  cargo install --quiet --locked --debug --root $(TOOLS) --target-dir $(TOOLS)/build cargo-mutants && \
	  rm -rf $(TOOLS)/build; \
	fi

## fuzz: libFuzzer on the core, SECONDS=60 for each target or for TARGET=medium alone
SECONDS := 60
.PHONY: fuzz
fuzz: | cargo-fuzz
	$(call heading,cargo fuzz: $(SECONDS) s for each target)
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" rust/fuzz/run $(SECONDS) $(TARGET)

## fuzz-corpus: take what `make fuzz` has found into the corpus, minimised
.PHONY: fuzz-corpus
fuzz-corpus: | cargo-fuzz
	@PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" rust/fuzz/run keep $(TARGET)

# libFuzzer is C++; `make rust-test` has run the corpus without it. What a commit is tested with is no matter of luck:
# this begins with the same seed each time, and `make fuzz` with another.
.PHONY: fuzz-short
fuzz-short:
	@if command -v c++ >/dev/null 2>&1; then SEED=9 $(MAKE) fuzz SECONDS=4; \
	else printf '\n== cargo fuzz: left out, as there is no C++ compiler (c++) to build libFuzzer with\n'; fi

# As for cargo-nextest: one on the PATH, or built once, in about a minute.
.PHONY: cargo-fuzz
cargo-fuzz: | cargo
	@if ! PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo fuzz --version >/dev/null 2>&1; then \
	  printf '\n== cargo install cargo-fuzz (none on the PATH; once, a minute)\n'; \
	  cargo install --quiet --locked --debug --root $(TOOLS) --target-dir $(TOOLS)/build cargo-fuzz && \
	  rm -rf $(TOOLS)/build; \
	fi

## fmt: format Rust and Python, and apply the linter's safe fixes
.PHONY: fmt
fmt: $(STAMPS)/dependencies | cargo
	@cargo fmt --all
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet . || true

## sdist: the source distribution in dist/, built and tried in an empty environment
.PHONY: sdist
sdist: $(STAMPS)/dependencies | cargo
	$(call heading,sdist)
	@rm -rf dist/*.tar.gz target/sdist-venv
	@$(BIN)/maturin sdist --out dist
	$(call heading,install the sdist in an empty environment)
	@$(BIN)/python -m venv target/sdist-venv
	@target/sdist-venv/bin/python -m pip install --quiet dist/*.tar.gz
	@target/sdist-venv/bin/aether --version

## clean: remove everything that was built or installed here
.PHONY: clean
clean:
	@rm -rf $(VENV) target dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	@rm -f python/aether/_native.*.so python/aether/_native.*.pyd
	@find python tests benches examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
