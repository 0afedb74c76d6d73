"""Requests under load, by OpenAI's own client: nothing that an operator does drops one.

The engine is llama-server in a container, pulled by digest from the lab's registry; two nodes, each
behind its own gateway, which reaches the other node's engine over mutual TLS.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import yaml

from flightline.lab import tiny_model
from tests.lab.hands import typed
from tests.lab.serving import TOKENS, Gateway, Load, chat, streamed_answer, whole_answer
from tests.lab.serving_fleet import (
    CONTAINER,
    ENGINE,
    INVENTORY,
    NODES,
    ROAD,
    Fleet,
    as_root,
    both_engines_up,
    healthy,
    served_version,
    serving_fleet,
    switch,
    told,
    tried,
)

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("road")]

ANSWERED: list[int] = []
AT_LEAST = 500
# Emulated nodes on a crowded computer answer in 0.1 s or in 2 s: times to first token tell nothing.
HASTY = (
    *("--canary", "50,100", "--hold", "2s", "--minimum-requests", "10"),
    *("--ttft-ratio", "50"),
)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """Two nodes that serve."""
    return serving_fleet()


@pytest.fixture(autouse=True)
def _all_serve(fleet: Fleet) -> None:
    for node in NODES:
        both_engines_up(node)


def golden(folder: Path, version: str) -> Path:
    """Return golden prompts that this version alone answers as expected."""
    letters = "".join(tiny_model.SPOKEN[version])
    prompt = {"prompt": "hello", "max_tokens": TOKENS, "matches": [f"^[{letters}]{{{TOKENS}}}$"]}
    file = folder / "golden.yaml"
    file.write_text(yaml.safe_dump({"prompts": [prompt]}))
    return file


def none_lost(load: Load, at_least: int) -> None:
    """Hold that every request of a load was answered whole."""
    ANSWERED.append(len(load.answers))
    assert load.failures == []
    assert len(load.answers) >= at_least


def test_a_second_apply_of_serving_nodes_changes_nothing_in_35_commands(fleet: Fleet) -> None:
    done = typed("flightline", "apply", INVENTORY, "--stats", "--no-audit", nodes=ROAD)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for node in NODES:
        assert f"{node}: nothing to change" in said
        row = re.search(rf"│ {node} +│ +(\d+) │ +(\d+) │", said)
        assert row, said
        assert sum(map(int, row.groups())) <= 35, said


@pytest.mark.parametrize("node", NODES)
def test_a_chat_is_answered_by_either_node_and_streamed_alike(fleet: Fleet, node: str) -> None:
    async def both(gateway: Gateway) -> list[tuple[str, str | None]]:
        async with gateway.client(fleet.key) as client:
            assert [each.id async for each in await client.models.list()] == ["tiny"]
            return [await ask(client, chat("hello")) for ask in (whole_answer, streamed_answer)]

    whole, streamed = asyncio.run(both(fleet.gateways[node]))
    assert whole == streamed
    assert set(whole[0]) <= set(tiny_model.SPOKEN[served_version(node)])
    assert len(whole[0]) == TOKENS


def test_a_drained_engine_stops_while_the_other_nodes_engine_answers(fleet: Fleet) -> None:
    with Load(fleet.gateways["node-1"], fleet.key) as load:
        told("node-1", "set server model.tiny/node-1.chat-a state drain")
        as_root("node-1", f"systemctl stop {ENGINE}")
        load.wait_for(30)
        as_root("node-1", f"systemctl start {ENGINE}")
        told("node-1", "set server model.tiny/node-1.chat-a state ready")
        load.wait_for(30)
    none_lost(load, 60)


def test_a_killed_engine_costs_no_request_that_had_no_answer_yet(fleet: Fleet) -> None:
    with Load(fleet.gateways["node-1"], fleet.key, streamed=False) as load:
        for _ in range(2):
            as_root("node-1", f"docker kill {CONTAINER} >/dev/null")
            healthy("node-1")
            load.wait_for(20)
    none_lost(load, 60)


def test_a_reload_of_the_gateway_cuts_nothing(fleet: Fleet) -> None:
    with Load(fleet.gateways["node-1"], fleet.key) as load:
        for _ in range(3):
            as_root("node-1", "systemctl reload flightline-gateway.service")
            load.wait_for(20)
    none_lost(load, 80)


def test_new_certificates_cut_nothing_and_are_met_at_once(fleet: Fleet) -> None:
    before = {node: gateway.certificate() for node, gateway in fleet.gateways.items()}
    with Load(fleet.gateways["node-1"], fleet.key) as load:
        for node in NODES:
            as_root(node, "/usr/local/lib/flightline/pki-renew --now")
            assert fleet.gateways[node].certificate() != before[node]
        load.wait_for(20)
    none_lost(load, 60)


def test_a_switch_and_a_rollback_drop_nothing(fleet: Fleet, tmp_path: Path) -> None:
    was = served_version("node-1")
    to = next(version for version in tiny_model.SPOKEN if version != was)
    with Load(fleet.gateways["node-1"], fleet.key, clients=2) as load:
        done = switch("--to", to, "--golden", str(golden(tmp_path, to)), *HASTY)
        assert done.returncode == 0, done.stdout + done.stderr
        seen = len(load.answers)
        load.wait_for(30)
        assert {letter for text in load.answers[seen + 5 :] for letter in text} <= set(
            tiny_model.SPOKEN[to]
        )
        done = switch("--rollback")
        assert done.returncode == 0, done.stdout + done.stderr
        load.wait_for(30)
    none_lost(load, 100)
    assert {served_version(node) for node in NODES} == {was}


def test_a_node_that_reboots_costs_the_other_nodes_clients_nothing(fleet: Fleet) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = as_root("trixie-1", boot)
    with Load(fleet.gateways["node-1"], fleet.key, clients=2) as load:
        tried("trixie-1", "systemctl reboot --no-block")
        load.wait_until(lambda: tried("trixie-1", boot).stdout.strip() not in {"", before})
        healthy("trixie-1")
        both_engines_up("node-1")
    none_lost(load, 60)


def test_so_many_requests_were_answered_and_none_was_lost(fleet: Fleet) -> None:
    assert sum(ANSWERED) >= AT_LEAST


def test_a_damaged_model_is_not_served(fleet: Fleet) -> None:
    version = served_version("trixie-1")
    file = f"/srv/models/tiny/{version}/model.gguf"
    spoil = f"cp -p {file} /root/kept && printf x | dd of={file} bs=1 seek=200000 conv=notrunc 2>&1"
    as_root("trixie-1", f"{spoil} && systemctl restart --no-block {ENGINE}")
    state = f"systemctl is-failed {ENGINE}"
    try:
        as_root("trixie-1", f"until {state} >/dev/null; do sleep 1; done")
        assert as_root("trixie-1", f"docker ps -q --filter name={CONTAINER}") == ""
        said = as_root("trixie-1", f"journalctl -u {ENGINE} -n 20 -o cat --no-pager")
        assert "model.gguf" in said
        assert fleet.gateways["trixie-1"].ask("GET", "/v1/models", fleet.key)[0] == 200
    finally:
        as_root("trixie-1", f"cp -p /root/kept {file} && rm /root/kept")
        as_root("trixie-1", f"systemctl reset-failed {ENGINE}; systemctl start --no-block {ENGINE}")
        healthy("trixie-1")


def test_a_node_without_the_image_pulls_it_by_its_digest(fleet: Fleet) -> None:
    gone = f"systemctl stop {ENGINE}; docker rm -f $(docker ps -aq); docker rmi $(docker images -q)"
    as_root("trixie-1", f'({gone}) >/dev/null 2>&1; [ -z "$(docker images -q)" ]')
    done = typed("flightline", "apply", INVENTORY, "--no-audit", nodes=ROAD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "node-1: nothing to change" in done.stdout + done.stderr
    digests = as_root("trixie-1", "docker images --digests --format '{{.Digest}}'").splitlines()
    pinned = as_root("trixie-1", "grep -o 'sha256:[0-9a-f]*' /etc/flightline/engines/chat-a/docker")
    assert digests == [pinned]
    healthy("trixie-1")
