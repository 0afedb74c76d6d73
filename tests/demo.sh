#!/usr/bin/env bash
# The road, end to end, with the commands that an operator types. Called by `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export FLIGHTLINE_LAB_NODES="node-1,node-2"

title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

title "Two bare nodes: virtual machines with their own kernel, GRUB, systemd and sshd"
before=0
flightline lab status >/dev/null 2>&1 || before=$?
run flightline lab up --nodes 2
[ "$before" -eq 2 ] || run flightline lab reset node-1 node-2 # there were nodes: make these pristine

title "What would change, before anything is touched"
run flightline plan inventories/lab.py

title "From a fresh operating system to a tuned container host (one reboot inside), then the audit"
run flightline apply inventories/lab.py --stats

title "Once more: nothing to do, so nothing is done"
run flightline apply inventories/lab.py --stats --no-audit

title "Break one node on purpose: somebody loads nouveau on node-2"
run flightline lab ssh node-2 -- sudo modprobe nouveau

title "The audit must say no, and name the check and the node"
status=0
run flightline audit inventories/lab.py || status=$?
[ "$status" -eq 1 ] || { echo "demo: the audit ended with $status, expected 1 (no-go)" >&2; exit 1; }

title "Mend it, and the nodes are fit again"
run flightline lab ssh node-2 -- sudo modprobe -r nouveau
run flightline audit inventories/lab.py

title "The two nodes measure each other over RDMA (software RoCE here: real verbs, no speed)"
run flightline audit inventories/lab.py --phase acceptance --role fabric

title "A machine that is not here: 8 x H100 as nvidia-smi describes it, one GPU waiting for a reset"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python -m tests.machines h100 remapped_rows/remapped_row_pending=Yes >"$scratch/h100.xml"
status=0
run flightline audit --from "$scratch/h100.xml" || status=$?
[ "$status" -eq 1 ] || { echo "demo: the capture's audit ended with $status, expected 1 (no-go)" >&2; exit 1; }

title "Refused before anything is connected to: a driver that does not know the GPU"
cat >"$scratch/b200.py" <<'END'
from roles.nvidia.settings import NvidiaSettings

gpu_nodes = [("gpu-01", {"nvidia": NvidiaSettings(gpu_model="b200", branch=535)})]
END
run cat "$scratch/b200.py"
status=0
run flightline plan "$scratch/b200.py" || status=$?
[ "$status" -eq 2 ] || { echo "demo: the plan ended with $status, expected 2 (bad input)" >&2; exit 1; }

title "Done"
echo "Reports and evidence: $(find "${FLIGHTLINE_RUNS:-flightline-runs}" -maxdepth 1 -mindepth 1 | sort | tail -1)"
echo "The nodes are still up: flightline lab ssh node-1; flightline lab down"
