"""What must not get in, tried on a lab node from outside it; tests/gateway tries more, natively."""

from __future__ import annotations

import http.client
import secrets
import socket
import ssl
import time

import pytest

from flightline.serving.keys import PREFIX, RANDOM_BYTES
from tests.lab.hands import typed
from tests.lab.serving import Gateway, body
from tests.lab.serving_fleet import (
    INVENTORY,
    ROAD,
    Fleet,
    as_root,
    both_engines_up,
    new_key,
    serving_fleet,
    tried,
)

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("road")]

CHAT = "/v1/chat/completions"
ENGINE_PORTS = (18000, 18001)
METRICS_PORT = 8405


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """Two nodes that serve."""
    fleet = serving_fleet()
    both_engines_up("node-1")
    return fleet


@pytest.fixture(scope="module")
def gateway(fleet: Fleet) -> Gateway:
    """The gateway of the Debian 12 node."""
    return fleet.gateways["node-1"]


def test_a_key_opens_and_none_does_not(fleet: Fleet, gateway: Gateway) -> None:
    assert gateway.ask("POST", CHAT, fleet.key, body())[0] == 200
    assert gateway.ask("POST", CHAT, None, body())[0] == 401


@pytest.mark.parametrize(
    "key", ["", PREFIX, PREFIX + secrets.token_urlsafe(RANDOM_BYTES), "x" * 4000]
)
def test_a_wrong_key_is_refused(gateway: Gateway, key: str) -> None:
    assert gateway.ask("POST", CHAT, key, body())[0] == 401


def test_a_revoked_key_is_refused_by_both_gateways_at_once(fleet: Fleet) -> None:
    name = f"gone-{time.time_ns()}"
    key = new_key(name)
    for gateway in fleet.gateways.values():
        assert gateway.ask("GET", "/v1/models", key)[0] == 200
    done = typed("flightline", "key", "revoke", INVENTORY, "--name", name, nodes=ROAD)
    assert done.returncode == 0, done.stderr
    for gateway in fleet.gateways.values():
        assert gateway.ask("GET", "/v1/models", key)[0] == 401


@pytest.mark.parametrize("path", ["/admin/audit", "/v1/load_lora_adapter"])
def test_a_data_scientist_may_not_do_what_admins_do(
    fleet: Fleet, gateway: Gateway, path: str
) -> None:
    asked = ("GET", None) if path == "/admin/audit" else ("POST", body())
    assert gateway.ask(asked[0], path, fleet.key, asked[1])[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "/metrics",
            "/health",
            "/slots",
            "/props",
            "/completion",
            "/tokenize",
            "/invocations",
        ),
        *("//v1/chat/completions", "/v1//chat/completions", "/v1/./chat/completions"),
        *("/v1/models/../../metrics", "/%2e%2e/metrics", "/v1/models/%2e%2e/%2e%2e/metrics"),
        *(
            "/v1/chat/completions/",
            "/V1/CHAT/COMPLETIONS",
            "/v1/chat/completions;x",
            "/v1%2fmodels",
        ),
    ],
)
def test_other_paths_and_other_spellings_do_not_exist(
    fleet: Fleet, gateway: Gateway, path: str
) -> None:
    for method, content in (("GET", None), ("POST", body())):
        assert gateway.ask(method, path, fleet.key, content)[0] == 404


def test_a_body_that_is_too_large_is_refused(fleet: Fleet, gateway: Gateway) -> None:
    assert gateway.ask("POST", CHAT, fleet.key, body(words="x" * (1 << 20)))[0] == 413


def test_a_client_that_sends_slowly_is_cut_off(gateway: Gateway) -> None:
    begun = time.monotonic()
    with secured(gateway, gateway.trust()) as client:
        client.settimeout(60)
        client.sendall(b"GET /v1/models HTTP/1.1\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < 40


def test_tls_below_1_3_is_refused(gateway: Gateway) -> None:
    context = gateway.trust(ssl.TLSVersion.TLSv1_2)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError), secured(gateway, context):
        pass
    with secured(gateway, gateway.trust(ssl.TLSVersion.TLSv1_2)) as client:
        assert client.version() == "TLSv1.3"


def test_plain_http_is_refused(fleet: Fleet, gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {fleet.key}"})
        connection.getresponse()


def test_engines_and_metrics_do_not_answer_other_nodes(fleet: Fleet) -> None:
    """An engine's port on the second network is the gateway's door, which wants a certificate."""
    address = fleet.addresses["node-1"]
    ask = "curl -s --connect-timeout 10 -o /dev/null"
    for port in ENGINE_PORTS:
        assert tried("trixie-1", f"{ask} http://{address}:{port}/health").returncode != 0
        assert tried("trixie-1", f"{ask} -k https://{address}:{port}/health").returncode != 0
    assert tried("trixie-1", f"{ask} http://{address}:{METRICS_PORT}/metrics").returncode == 7


def test_a_node_with_its_certificate_reaches_the_engine_of_another(fleet: Fleet) -> None:
    pki = "--cacert /etc/flightline/pki/nodes-ca.pem --cert /etc/flightline/pki/node.pem"
    address = f"https://{fleet.addresses['node-1']}:18000/health"
    assert as_root("trixie-1", f"curl -s {pki} {address}") == '{"status":"ok"}'


def test_neither_key_nor_prompt_is_in_a_log_or_a_file_of_a_node(fleet: Fleet) -> None:
    wrong = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    prompt = f"prompt {secrets.token_hex(8)}"
    for node, gateway in fleet.gateways.items():
        assert gateway.ask("POST", CHAT, wrong, body())[0] == 401
        assert gateway.ask("POST", CHAT, fleet.key, body(words=prompt))[0] == 200
        assert found(node, fleet.name), "the key's name is in the audit log: this search finds"
        for secret in (fleet.key, wrong, prompt):
            assert found(node, secret) == ""


def found(node: str, text: str) -> str:
    """Return where a node has a text; it travels on standard input, so no command line has it."""
    places = "/var/log /run/log /etc /run/flightline-gateway /var/lib/flightline /var/lib/docker"
    look = f"""umask 077; cat > /run/sought <<'TEXT'
{text}
TEXT
grep -rlFs -f /run/sought {places}
journalctl -q --no-pager | grep -F -f /run/sought
rm /run/sought"""
    return as_root(node, look)


def secured(gateway: Gateway, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection to the gateway."""
    plain = socket.create_connection(("127.0.0.1", gateway.port), 30)
    return context.wrap_socket(plain, server_hostname="localhost")
