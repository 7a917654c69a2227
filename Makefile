# The two that a newcomer needs: `make run`, `make test`. Everything else is what they are made of.
.DEFAULT_GOAL := help
.PHONY: help install setup run services test test-vllm lint format types imports migrations docs-check lock clean
MAKEFLAGS += --no-print-directory

PORT ?= 8000
WORKERS ?= 2
BIN := .venv/bin

help: ## What there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo
	@echo "  PORT=8000 for run and services; PYTHON=python3.12 chooses the interpreter; TORCH_INDEX_URL=… another build of torch"

install:
	@deploy/install.sh

setup: install ## Environment from the lock, and the model weights
	@$(BIN)/python manage.py fetch_models

# `exec`: the server takes this recipe's place, so that Ctrl-C and `kill` reach it and nothing stands between.
run: setup ## Start on http://127.0.0.1:PORT and print how to sign in
	@exec $(BIN)/python manage.py up --port $(PORT)

services: setup ## The same on real services, all on this machine: PostgreSQL, Redis, Qdrant, WORKERS=2 workers
	@deploy/install.sh dev
	@$(BIN)/python -m tests.provision
	@exec $(BIN)/python -m tests.provision.stack $(PORT) $(WORKERS)

test: setup ## All tests: unit, contract, integration, browser (fetches what they need)
	@deploy/install.sh dev
	@$(BIN)/python -m tests.provision
	@$(BIN)/python -m pytest
	@$(BIN)/python -m pytest -m browser

test-vllm: install ## The chat-model contract and one whole question against a real vLLM on the CPU (3.4 GB)
	@deploy/install.sh dev
	@$(BIN)/python -m tests.provision
	@$(BIN)/python -m pytest -m vllm tests/vllm

lint: ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: ## ruff, mending what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: ## mypy, strict
	@$(BIN)/mypy

imports: ## import-linter: who may import whom
	@$(BIN)/lint-imports

migrations: ## Every model change has its migration
	@$(BIN)/python manage.py makemigrations --check --dry-run

docs-check: ## Links, commands and settings named in the documentation exist
	@$(BIN)/python docs/docs_check.py
	@$(BIN)/python manage.py docs --check

lock: ## Write the lock files anew from pyproject.toml
	@deploy/install.sh dev
	@deploy/lock.sh

clean: ## Remove what make built; never your data (var)
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
