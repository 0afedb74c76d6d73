"""Between nodes: an engine of another node is reached through its door, with certificates alone."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from flightline.serving.upstreams import Upstream
from tests.gateway.client import KEY, certificate, free_port, trusting, wait
from tests.gateway.conftest import Make, upstream
from tests.gateway.rig import Rig

DOOR = "127.0.0.2"


def remote(node: str, address: str, port: int) -> Upstream:
    return upstream(port, service=f"chat-{node}", model="chat", node=node, address=address)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the authority of a fleet, without the ending of its files."""
    folder = tmp_path_factory.mktemp("authority")
    certificate(folder, "ca", "fleet")
    return folder / "ca"


def trust(authority: Path, *rigs: Rig) -> None:
    """Give these nodes certificates of the fleet's authority."""
    for rig in rigs:
        certificate(rig.pki, "node.pem", rig.node, authority)
        (rig.pki / "nodes-ca.pem").write_text(Path(f"{authority}.crt").read_text())
        old = rig.worker()
        assert rig.run("gateway-certificates").returncode == 0
        wait(lambda rig=rig, old=old: rig.worker() not in ("", old), "no reload")


@pytest.fixture(scope="module")
def fleet(make: Make, authority: Path) -> tuple[Rig, Rig, Rig]:
    """Return a gateway without engines, and two nodes with one each."""
    upstreams = (remote("n1", DOOR, free_port()), remote("n2", "127.0.0.3", free_port()))
    nodes = [
        make(upstreams=upstreams, node=node, serving_address=address, public=False)
        for node, address in (("n1", DOOR), ("n2", "127.0.0.3"))
    ]
    gateway = make(upstreams=upstreams, node="n0", ready=0)
    trust(authority, gateway, *nodes)
    gateway.up(2)
    return gateway, nodes[0], nodes[1]


def test_a_gateway_reaches_engines_of_other_nodes(fleet: tuple[Rig, Rig, Rig]) -> None:
    gateway, *_ = fleet
    seen = {gateway.chat().json["engine"] for _ in range(4)}
    assert seen == {"n1.chat-n1-a", "n2.chat-n2-a"}


def test_a_node_that_is_no_gateway_for_clients_opens_no_port_for_them(
    fleet: tuple[Rig, Rig, Rig],
) -> None:
    _, node, _ = fleet
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", node.port)) != 0


def test_the_door_is_closed_without_a_certificate_of_the_fleet(
    fleet: tuple[Rig, Rig, Rig], tmp_path: Path
) -> None:
    _, node, _ = fleet
    port = node.upstreams[0].port
    certificate(tmp_path, "stranger.pem", "n0")
    stranger = trusting()
    stranger.load_cert_chain(tmp_path / "stranger.pem")
    for context in (trusting(), stranger):
        with pytest.raises((ssl.SSLError, OSError)):
            _get(context, port)
    with socket.create_connection((DOOR, port)) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"HTTP/" not in raw.recv(1000)


def test_the_door_speaks_tls_1_3_alone(fleet: tuple[Rig, Rig, Rig]) -> None:
    gateway, node, _ = fleet
    context = trusting()
    context.load_cert_chain(gateway.pki / "node.pem")
    assert _get(context, node.upstreams[0].port).startswith(b"HTTP/1.1 200")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, OSError)):
        _get(context, node.upstreams[0].port)


def _get(context: ssl.SSLContext, port: int) -> bytes:
    with socket.create_connection((DOOR, port)) as raw, context.wrap_socket(raw) as tls:
        tls.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        if answer := tls.recv(1000):
            return answer
        raise ssl.SSLError("closed")


def test_an_engine_that_dies_on_another_node_fails_nobody(fleet: tuple[Rig, Rig, Rig]) -> None:
    gateway, node, _ = fleet
    port = node.upstreams[0].port
    node.kill(port)
    statuses = [gateway.chat().status for _ in range(20)]
    assert statuses == [200] * 20
    node.engine(port, "n1.chat-n1-a")
    gateway.up(2)


def renew(rig: Rig, authority: Path, name: str) -> None:
    certificate(rig.pki, "node.pem", name, authority)
    done = rig.run("gateway-certificates")
    assert (done.returncode, done.stderr) == (0, "")


def shown(gateway: Rig, node: Rig) -> str:
    """Return the certificate that a node's door shows to the gateway."""
    context = trusting()
    context.load_cert_chain(gateway.pki / "node.pem")
    address = (DOOR, node.upstreams[0].port)
    with socket.create_connection(address) as raw, context.wrap_socket(raw) as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"")


def test_a_node_with_another_name_is_not_believed(
    fleet: tuple[Rig, Rig, Rig], authority: Path
) -> None:
    gateway, node, _ = fleet
    node.stop()
    certificate(node.pki, "node.pem", "impostor", authority)
    node.start()
    time.sleep(3)  # two health checks
    assert {gateway.chat().json["engine"] for _ in range(6)} == {"n2.chat-n2-a"}
    renew(node, authority, "n1")
    gateway.up(2)


def test_certificates_between_nodes_are_swapped_without_reload_and_without_a_failure(
    fleet: tuple[Rig, Rig, Rig], authority: Path
) -> None:
    gateway, node, _ = fleet
    workers = gateway.worker(), node.worker()
    for _ in range(10):
        renew(gateway, authority, "n0")
        assert [gateway.chat().status for _ in range(6)] == [200] * 6
        renew(node, authority, "n1")
        assert shown(gateway, node) == (node.pki / "node.pem.crt").read_text()
        assert [gateway.chat().status for _ in range(6)] == [200] * 6
    assert (gateway.worker(), node.worker()) == workers


@pytest.mark.parametrize(("peer", "status"), [("n0", 200), ("n7", 503)])
def test_only_named_peers_enter(make: Make, tmp_path: Path, peer: str, status: int) -> None:
    certificate(tmp_path, "ca", "authority", unit="n0")
    upstreams = (remote("n1", "127.0.0.4", free_port()),)
    node = make(upstreams=upstreams, node="n1", serving_address="127.0.0.4", peers=(peer,))
    gateway = make(upstreams=upstreams, node="n0", ready=0)
    trust(tmp_path / "ca", gateway, node)
    time.sleep(5)
    assert gateway.chat().status == status


@pytest.fixture
def grpc(make: Make, tmp_path: Path) -> Rig:
    """Return a gateway in front of a gRPC server: a HAProxy that takes HTTP/2 alone."""
    behind = upstream(free_port(), grpc_port=free_port())
    assert behind.grpc_port is not None
    rig = make(upstreams=(behind,))
    config = tmp_path / "grpc.cfg"
    config.write_text(f"""
global
    tune.bufsize 1048576
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend grpc
    bind 127.0.0.1:{behind.grpc_port} proto h2
    http-request wait-for-body time 5s
    http-request return status 200 content-type application/grpc hdr x-path %[path] hdr x-key %[req.fhdr(authorization)] string ok
""")  # noqa: E501
    rig.engines[behind.grpc_port] = subprocess.Popen(["haproxy", "-f", str(config), "-db"])
    time.sleep(0.5)
    return rig


def call(rig: Rig, method: str, model: bytes, key: str = KEY, size: int = 0) -> str:
    """Call a method with a message: the model's name, then about `size` bytes of another field."""
    field = b"\x42\x7f" + bytes(127)
    message = b"\x0a" + bytes([len(model)]) + model + field * (size // len(field))
    done = subprocess.run(
        ["curl", "-sk", "--http2", "-m", "10", "-D", "-", "-o", "/dev/null", "--data-binary", "@-",
         "-H", "content-type: application/grpc", "-H", "te: trailers",
         "-H", f"authorization: Bearer {key}",
         f"https://127.0.0.1:{rig.port}/inference.GRPCInferenceService/{method}"],
        input=b"\0" + len(message).to_bytes(4, "big") + message, check=False, capture_output=True,
    )  # fmt: skip
    return done.stdout.decode().replace("\r", "")


def test_grpc_passes_by_the_model_in_its_message(grpc: Rig) -> None:
    said = call(grpc, "ModelInfer", b"chat")
    assert said.startswith("HTTP/2 200")
    assert "x-path: /inference.GRPCInferenceService/ModelInfer" in said
    assert "Bearer" not in said
    assert call(grpc, "ModelInfer", b"other").startswith("HTTP/2 404")
    assert call(grpc, "ServerReady", b"").startswith("HTTP/2 200")


@pytest.mark.parametrize("method", ["ModelInfer", "ModelStreamInfer"])
def test_a_large_grpc_message_passes_too(grpc: Rig, method: str) -> None:
    for size in (60_000, 200_000, 700_000):
        assert call(grpc, method, b"chat", size=size).startswith("HTTP/2 200"), size
        grpc.logged()
        call(grpc, method, b"other", size=size)
        assert [each["status"] for each in grpc.logged()] == [404], size


def test_a_grpc_message_larger_than_allowed_is_refused(grpc: Rig) -> None:
    call(grpc, "ModelInfer", b"chat", size=2_000_000)
    wait(lambda: [each["status"] for each in grpc.logged()] == [413], "it was not refused")


def test_grpc_has_the_same_rights(grpc: Rig) -> None:
    assert call(grpc, "ModelInfer", b"chat", "fl-wrong").startswith("HTTP/2 401")
    assert call(grpc, "RepositoryModelLoad", b"chat").startswith("HTTP/2 403")
    assert call(grpc, "TraceSetting", b"chat").startswith("HTTP/2 404")
