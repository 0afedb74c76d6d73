#!/usr/bin/env bash
# Flightline beside its peers, on the same work in one run. `make bench`.
# BENCH_PARTS chooses among:
#   gateway       the gateway beside nginx as a plain reverse proxy, on this computer (minutes; wrk)
#   first-answer  from apply on a tuned node to the first answered prompt (a quarter of an hour)
#   road          converges and audits beside ansible-core and stock testinfra. An hour on emulated
#                 nodes: a peer that runs Python on the node needs minutes there. BENCH_NODES=8 sets
#                 the size of the larger fleet.
# BENCH_ROUNDS sets how often each is measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH="$PWD/.venv/bin:$PATH"

parts=${BENCH_PARTS:-gateway first-answer road}
has() { [[ " $parts " == *" $1 "* ]]; }

if has gateway; then
    command -v wrk >/dev/null || { echo "bench: wrk is missing; apt-get install wrk" >&2; exit 2; }
    python -m tests.bench.gateway
fi
has first-answer || has road || exit 0

state=$(mktemp -d "${TMPDIR:-/tmp}/flightline-bench.XXXXXX")
export FLIGHTLINE_LAB_STATE="$state/lab" FLIGHTLINE_RUNS="$state/runs"
trap 'flightline lab down >/dev/null 2>&1 || true; rm -rf "$state"' EXIT

if has first-answer; then
    python -m tests.bench.first_answer "$state"
    flightline lab down
fi
has road || exit 0
if [ ! -x .venv-bench/bin/ansible-playbook ]; then
    echo "== installing ansible-core into .venv-bench"
    .venv/bin/python -m venv .venv-bench
    .venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/bench/requirements.txt
fi
flightline lab up --nodes "${BENCH_NODES:-8}"
python -m tests.bench.bench "$state" "${BENCH_NODES:-8}"
