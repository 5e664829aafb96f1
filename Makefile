# The same targets serve a person and CI. `make` alone lists them.

BIN := .venv/bin
WORKERS ?= 2
SEED ?= 1
STORIES ?= 10000

.DEFAULT_GOAL := help
.PHONY: help run test tidy bench simulate lock upgrade clean environment environment-test

help: ## list the targets
	@echo "Tsunagu. Two commands are enough: make run, make test"
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-10s %s\n' "$$name" "$$what"; done

run: environment ## start everything with the demonstration city, play the trip, go on serving
	@$(BIN)/maas up --demo

test: environment-test ## the whole test suite, linters first
	@$(MAKE) --no-print-directory static
	@$(BIN)/pytest -n $(WORKERS) --dist loadscope $(ARGS)

tidy: environment-test ## format, lint, types, import contracts, the tidy test
	@$(MAKE) --no-print-directory static
	@$(BIN)/pytest -q tests/architecture

.PHONY: static
static:
	@$(BIN)/ruff format --check --quiet . || { echo "make: run $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports --no-logo

bench: environment-test ## the benchmarks; each states its protocol before its numbers
	@set -e; for file in load_tests/*_bench.py; do \
		name=$$(basename "$$file" .py); echo "== $$name"; $(BIN)/python -m "load_tests.$$name"; done

simulate: environment-test ## random days on the real parts, audited: make simulate SEED=7 STORIES=10000
	@MAAS_SEED=$(SEED) $(BIN)/pytest -q tests/simulation $(ARGS)
	@$(BIN)/python -m tests.simulation.payments_scenarios $(SEED) $(STORIES)

lock: ## write locks/*.txt anew after a change of dependencies (make upgrade: newest versions)
	@sh bootstrap/environment.sh lock

upgrade: ## the same, with the newest versions
	@sh bootstrap/environment.sh lock upgrade

clean: ## remove the environment and all caches; data in .maas stays
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@sh bootstrap/environment.sh core

environment-test:
	@sh bootstrap/environment.sh test
