#!/usr/bin/env bash
# Every test: first what needs no node, then real nodes. Called by `make test`, after `make check`.
set -uo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# A lab of its own: the operator's running nodes are left alone.
state=$(mktemp -d "${TMPDIR:-/tmp}/flightline-test.XXXXXX")
export FLIGHTLINE_LAB_STATE="$state/lab" FLIGHTLINE_RUNS="$state/runs" PYINFRA_PROGRESS=off
trap 'flightline lab down >/dev/null 2>&1 || true; rm -rf "$state"' EXIT
failed=()

part() {  # part TITLE COMMAND...: run it, remember whether it failed, go on
    printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"
    "${@:2}" || failed+=("$1")
}

part "unit, render and style tests" pytest -q -n auto --durations=15 -m "not lab" tests

part "lab: two fresh nodes, Debian 12 and 13" flightline lab up --nodes 1
part "lab: the second one" flightline lab up --nodes 1 --suite trixie
part "the road: bare to audited" pytest -v -m lab --durations=5 tests/lab/test_road.py
part "faults: every check can fail" env FLIGHTLINE_FAULT_NODE=node-1,trixie-1 \
    pytest -v -n 2 -m lab --durations=5 -k "not serving" tests/faults
part "lab: a registry, an engine, a model" flightline lab serve
part "serving: from tuned to audited" env FLIGHTLINE_LAB_NODES=node-1,trixie-1 \
    flightline apply inventories/lab.py --stats
part "serving: every check can fail" env FLIGHTLINE_FAULT_NODE=node-1,trixie-1 \
    pytest -v -n 2 -m lab --durations=5 -k "serving or mended" tests/faults
part "serving: requests under load, trouble, attacks" pytest -v -m lab --durations=5 \
    tests/lab/test_serving.py tests/lab/test_serving_attacks.py
# An emulated node takes a good part of a core even when idle: those that are done with go.
part "lab: two nodes for trouble" flightline lab down
part "trouble" env FLIGHTLINE_TROUBLE_NODES=node-1,node-2 \
    pytest -v -m lab --durations=5 tests/lab/test_trouble.py
part "lab: none beside what builds drivers" flightline lab down
part "drivers, built" pytest -v -m lab --durations=5 tests/lab/test_driver.py tests/lab/test_light.py
part "the lab itself, and its fabric" pytest -v -m lab --durations=5 \
    --ignore-glob "*/test_road*" --ignore-glob "*/test_serving*" --ignore-glob "*/test_trouble*" \
    --ignore-glob "*/test_driver*" --ignore-glob "*/test_light*" tests/lab

printf '\n'
if [ "${#failed[@]}" -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "all parts passed ($(date +%H:%M:%S))"
