#!/usr/bin/env bash
# Flightline beside ansible-core and stock testinfra, on the same nodes in one run. `make bench`.
# BENCH_NODES=8 sets the size of the larger fleet, BENCH_ROUNDS=3 how often each is measured. An hour
# on emulated nodes: a peer that runs Python on the node needs minutes there.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"

state=$(mktemp -d "${TMPDIR:-/tmp}/flightline-bench.XXXXXX")
export FLIGHTLINE_LAB_STATE="$state/lab" FLIGHTLINE_RUNS="$state/runs"
trap 'flightline lab down >/dev/null 2>&1 || true; rm -rf "$state"' EXIT

if [ ! -x .venv-bench/bin/ansible-playbook ]; then
    echo "== installing ansible-core into .venv-bench"
    .venv/bin/python -m venv .venv-bench
    .venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/bench/requirements.txt
fi
flightline lab up --nodes "${BENCH_NODES:-8}"
python -m tests.bench.bench "$state" "${BENCH_NODES:-8}"
