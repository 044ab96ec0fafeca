# `make help` lists what there is. Each target sets up what it needs: .venv holds everything.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup demo test golden lint types check bench clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name what; do printf '%-8s %s\n' "$$name" "$$what"; done

setup: $(VENV)/.dev ## Make .venv with the project and its tools

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -e '.[dev]'
	@touch $@

demo: setup ## Compile the quickstart, serve it, and ask it over real TLS
	@$(BIN)/python examples/quickstart/demo.py

test: setup ## Run the tests, on every core (WORKERS=2 takes two)
	$(BIN)/pytest -n $(WORKERS)

golden: setup ## Write the expected outputs anew and show which changed
	$(BIN)/pytest tests/test_golden.py --update-golden
	@git --no-pager diff --stat -- golden
	@git status --short -- golden

lint: setup ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Check types
	$(BIN)/mypy
	$(BIN)/mypy examples bench

check: lint types test ## Everything that has to pass before a change goes in

bench: setup $(VENV)/.bench ## Measure compiling, loading and routing, and write bench/results.json
	@$(BIN)/python bench/run.py

# Without a package of this extra the benchmark says what it could not run.
$(VENV)/.bench: pyproject.toml
	$(PIP) install -e '.[bench]' && touch $@ || true

clean: ## Remove everything that these targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist bench/results.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
