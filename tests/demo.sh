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

title "Something to serve: a registry, an engine's image, and a tiny model made on the spot"
run flightline lab serve

title "Does a model fit? The arithmetic, before any GPU is bought"
run flightline size --model llama-3.1-70b --gpu h100_sxm_80 --gpus 4 --context 32768 --dtype fp8

title "What would change, before anything is touched"
run flightline plan inventories/lab.py

title "From a fresh operating system to a served model (one reboot inside), then the audit"
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

title "A key, and a question to the model through the gateway: TLS 1.3, role and limits of the key"
state=${FLIGHTLINE_LAB_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/flightline/lab}
key="$state/demo.key"
rm -f "$key"
run flightline key add inventories/lab.py --name "demo-$(date +%s)" --role data_scientist --output "$key"
# the key goes to curl in a file: arguments are for everybody to read
(umask 077 && printf 'header = "Authorization: Bearer %s"\n' "$(cat "$key")" >"$state/demo.curlrc")
port=$(flightline lab status --format json | python -c 'import json, sys; print(json.load(sys.stdin)[0]["gateway_port"])')
question='{"model": "tiny", "max_tokens": 8, "messages": [{"role": "user", "content": "Are you there?"}]}'
printf '\033[2m$ curl --config %s --cacert %s \\\n    --header "Content-Type: application/json" \\\n    --data '"'%s'"' \\\n    https://localhost:%s/v1/chat/completions\033[0m\n' \
    "$state/demo.curlrc" "$state/authority/root.pem" "$question" "$port"
answer=$(curl --silent --show-error --fail-with-body --config "$state/demo.curlrc" \
    --cacert "$state/authority/root.pem" --header "Content-Type: application/json" \
    --data "$question" "https://localhost:$port/v1/chat/completions")
python -m json.tool <<<"$answer"
python -c 'import json, sys; assert json.loads(sys.argv[1])["choices"][0]["message"]["content"]' "$answer" ||
    { echo "demo: the answer is empty" >&2; exit 1; }

title "Done"
echo "Reports and evidence: $(find "${FLIGHTLINE_RUNS:-flightline-runs}" -maxdepth 1 -mindepth 1 | sort | tail -1)"
echo "The nodes are still up: flightline lab ssh node-1; flightline lab down"
