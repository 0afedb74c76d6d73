# Two commands do everything: `make demo` (see it work) and `make test` (prove it).
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin

help:  ## say what each verb does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:  ## make .venv/ and install the system packages that are missing
	@.ci/setup

demo: setup  ## two lab nodes from a bare system to an answered question, one broken on purpose
	@tests/demo.sh

check: setup  ## lint, format, types, import rule, spelling (seconds)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/typos

unit: setup  ## unit, render and style tests (no lab)
	@$(BIN)/pytest -n auto tests/unit tests/render tests/style tests/audit tests/faults -m "not lab"

test: check  ## everything: check, unit, render, lab nodes, faults
	@tests/all.sh

bench: setup  ## paired with nginx, ansible-core and stock testinfra; ratios
	@tests/bench/run.sh

docs: setup  ## write the generated pages docs/checks.md and docs/settings.md
	@$(BIN)/flightline checks --format markdown > docs/checks.md.new && mv docs/checks.md.new docs/checks.md
	@$(BIN)/python -m tests.style.settings_page > docs/settings.md.new && mv docs/settings.md.new docs/settings.md

lock: setup  ## write the hash-pinned requirements files anew
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml .ci/build.in -o requirements-dev.txt

clean:  ## stop the lab and remove .venv (the cached lab image stays)
	@[ ! -x $(BIN)/flightline ] || $(BIN)/flightline lab down
	@rm -rf .venv

.PHONY: help setup demo check unit test bench docs lock clean
