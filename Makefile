# The only commands. `make` prints them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
# So many processes share the tests, each with servers of its own; 0: one after the other.
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: docs help demo test chaos check setup fmt lint types arch bench clean

help: ## print the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[dev,evidence]"
	@touch $@

setup: $(STAMP) ## make the virtual environment from the pinned constraints

demo: $(STAMP) ## run the whole watch on real inference logs
	$(BIN)/watchkeeper demo

fmt: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet . || true

lint: $(STAMP) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

arch: $(STAMP) ## import contracts
	$(BIN)/lint-imports

test: $(STAMP) ## all tests; gets the real servers that it needs
	@sh tests/programs.sh
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup

chaos: $(STAMP) ## kill, freeze and cut off real processes for twenty minutes; differences must be 0
	PYTHONPATH=tests/chaos $(BIN)/python -m havoc $(SEED)

bench: $(STAMP) ## the published figures, side by side in one run
	$(BIN)/python -m benchmarks

docs: $(STAMP) ## write docs/metrics.md and the default policies from the code
	$(BIN)/python -m watchkeeper_monitor.metrics.page

check: lint types arch test ## everything that must be green

clean: ## remove what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
