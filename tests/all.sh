#!/usr/bin/env bash
# Every test: first what needs no node, then real nodes. Called by `make test`, after `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# A lab of its own: the operator's running nodes are left alone.
state=$(mktemp -d "${TMPDIR:-/tmp}/flightline-test.XXXXXX")
export FLIGHTLINE_LAB_STATE="$state/lab" FLIGHTLINE_RUNS="$state/runs"
trap 'flightline lab down >/dev/null 2>&1 || true; rm -rf "$state"' EXIT

echo "== unit, render, style"
pytest -q -n auto -m "not lab" tests

echo "== lab nodes (virtual machines; 15 to 30 minutes without KVM)"
pytest -v -m lab --durations=15 tests/lab tests/faults
