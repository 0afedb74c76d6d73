"""Runtime control: weights, drains, certificates, and what outlives a reload and a restart."""

from __future__ import annotations

import fcntl
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from tests.gateway.client import certificate, free_port, trusting
from tests.gateway.conftest import Make, upstream
from tests.gateway.rig import Rig

A, B = "model.chat/n1.chat-a", "model.chat/n1.chat-b"


@pytest.fixture
def pair(make: Make) -> Rig:
    """Return a gateway whose model has an engine in each slot."""
    rig = make()
    rig.engine(rig.upstreams[0].slot_port("b"), "n1.chat-b")
    rig.up(2)
    return rig


def shares(rig: Rig, count: int = 20) -> dict[str, int]:
    """Return how many of so many requests each engine answered."""
    names = [rig.chat().json["engine"] for _ in range(count)]
    return {name: names.count(name) for name in sorted(set(names))}


def test_slot_a_serves_and_slot_b_waits(pair: Rig) -> None:
    assert pair.servers() == {A: (100, 0), B: (0, 0)}
    assert shares(pair) == {"n1.chat-a": 20}


def test_weights_share_requests_exactly(pair: Rig) -> None:
    pair.ctl(f"set weight {A} 90", f"set weight {B} 10")
    found = shares(pair, 100)
    assert abs(found["n1.chat-b"] - 10) <= 1, found
    pair.ctl(f"set weight {A} 0", f"set weight {B} 100")
    assert shares(pair) == {"n1.chat-b": 20}


def test_weights_and_drains_outlive_reload_and_restart(pair: Rig) -> None:
    pair.ctl(f"set weight {A} 25", f"set weight {B} 75", f"set server {A} state drain")
    told = {A: (25, 8), B: (75, 0)}
    pair.reload()
    assert pair.servers() == told
    pair.stop()
    pair.start()
    assert pair.servers() == told
    assert shares(pair, 10) == {"n1.chat-b": 10}
    pair.ctl(f"set server {A} state ready")
    pair.reload()
    assert pair.servers() == {A: (25, 0), B: (75, 0)}


def test_an_engine_whose_port_is_declared_anew_is_asked_there_after_reload_and_start(
    make: Make,
) -> None:
    """HAProxy takes a server's port from the saved state, whatever its configuration says."""
    rig = make()
    rig.ctl(f"set weight {A} 60", f"set weight {B} 40")
    for begin in (rig.reload, rig.stop):
        rig.upstreams = (upstream(free_port()),)
        rig.write()
        rig.engine(rig.upstreams[0].port, "anew")
        begin()
        if rig.haproxy is None:
            assert rig.run("gateway-ctl", "align").returncode == 0  # as the unit does
            rig.start()
        rig.up()
        assert rig.chat().json["engine"] == "anew"
        assert rig.servers() == {A: (60, 0), B: (40, 0)}
        rig.engines[rig.upstreams[0].port].kill()


def test_a_node_whose_name_has_another_address_is_found_there(make: Make) -> None:
    rig = make(upstreams=(upstream(free_port(), node="n2", address="localhost"),), ready=0)
    rig.ctl("save")
    moved = rig.state.read_text().replace(" 127.0.0.1 ", " 127.9.9.9 ")
    rig.stop()
    rig.state.write_text(moved)
    rig.start()
    assert "127.9.9.9" in moved
    assert "127.9.9.9" not in rig.ctl("show servers state model.chat")


def test_a_reload_and_a_change_of_weights_wait_for_each_other(pair: Rig) -> None:
    with Path(f"{pair.state}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for arguments in (("reload",), (f"set weight {A} 5",)):
            with pytest.raises(subprocess.TimeoutExpired):
                subprocess.run([pair.folder / "gateway-ctl", *arguments], check=False, timeout=2)
    assert pair.servers()[A] == (100, 0)


def test_a_state_of_other_servers_does_no_harm(pair: Rig) -> None:
    pair.ctl(f"set weight {B} 50")
    gone = pair.state.read_text().replace("model.chat", "model.gone")
    pair.stop()
    pair.state.write_text(gone)
    pair.start()
    assert pair.servers() == {A: (100, 0), B: (0, 0)}


@pytest.mark.parametrize(
    "command",
    ["set weight model.chat/nobody 5", "set weight model.nothing/x 5", f"set weight {A} 900",
     "blah", "set map /nowhere x y", f"set server {A} state asleep", "add map"],
)  # fmt: skip
def test_what_haproxy_refuses_is_told_with_status_1(pair: Rig, command: str) -> None:
    said = pair.run("gateway-ctl", command)
    assert said.returncode == 1
    assert said.stderr.startswith(f"gateway-ctl: {command}: ")
    assert len(said.stderr.splitlines()) == 1


def test_commands_after_a_refused_one_are_not_run_and_those_before_are_saved(pair: Rig) -> None:
    commands = (f"set weight {A} 77", "set weight model.x/y 1", f"set weight {B} 5")
    said = pair.run("gateway-ctl", *commands)
    assert said.returncode == 1
    assert pair.servers() == {A: (77, 0), B: (0, 0)}
    assert " 77 100 " in pair.state.read_text()


def test_commands_come_from_standard_input_too(pair: Rig) -> None:
    commands = f"set weight {A} 60\nset weight {B} 40\n"
    program = [str(pair.folder / "gateway-ctl")]
    done = subprocess.run(program, check=False, input=commands, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert pair.servers() == {A: (60, 0), B: (40, 0)}


def test_questions_are_answered_and_save_nothing(pair: Rig) -> None:
    pair.ctl("save")
    before = pair.state.stat().st_ino
    assert "Version: 2." in pair.ctl("show info") or "Version: 3." in pair.ctl("show info")
    assert pair.state.stat().st_ino == before
    pair.ctl(f"set weight {A} 99")
    assert pair.state.stat().st_ino != before
    assert pair.state.stat().st_mode & 0o777 == 0o600


def test_a_gateway_that_does_not_run_is_told(pair: Rig) -> None:
    pair.stop()
    said = pair.run("gateway-ctl", "show info")
    assert said.returncode == 1
    assert "is flightline-gateway.service running?" in said.stderr


def test_the_running_configuration_tells_its_digest(pair: Rig) -> None:
    told = next(line for line in pair.ctl("show info").splitlines() if line.startswith("descr"))
    line = (pair.folder / "etc" / "haproxy.cfg").read_text().split("description ")[1].split()[0]
    assert told == f"description: {line}"
    assert len(line) == 64


def test_no_model_without_an_engine_is_503_with_retry_after(pair: Rig) -> None:
    for port in list(pair.engines):
        pair.kill(port)
    answer = pair.chat()
    assert answer.status in (502, 503)
    pair.ctl(f"set weight {A} 0", f"set weight {B} 0")
    announced = pair.chat()
    assert (announced.status, announced.code) == (503, "model_unavailable")
    assert announced.headers["retry-after"] == "30"


def test_an_engine_too_busy_to_say_at_once_that_it_is_well_keeps_its_requests(
    gateway: Rig,
) -> None:
    assert gateway.chat(health_seconds=1.5).status == 200
    time.sleep(6)
    assert gateway.count_up() == 1
    assert gateway.chat(health_seconds=0).status == 200


def served(port: int) -> str:
    """Return the fingerprint of the certificate that a client is shown now."""
    with socket.create_connection(("127.0.0.1", port)) as raw, trusting().wrap_socket(raw) as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"")


def test_certificates_are_swapped_under_open_connections(pair: Rig) -> None:
    with pair.connection() as lasting:
        lasting.request("GET", "/v1/models", headers={"x-api-key": "none"})
        lasting.getresponse().read()
        before = served(pair.port)
        certificate(pair.pki, "gateway.pem", "gateway.new")
        assert served(pair.port) == before
        done = pair.run("gateway-certificates")
        assert (done.returncode, done.stderr) == (0, "")
        assert served(pair.port) == certificate_of(pair.pki / "gateway.pem.crt") != before
        lasting.request("GET", "/v1/models", headers={"x-api-key": "none"})
        assert lasting.getresponse().status == 401


def test_a_certificate_that_is_broken_is_refused_and_the_old_one_stays(pair: Rig) -> None:
    before = served(pair.port)
    other = pair.pki / "other"
    other.mkdir()
    certificate(other, "x.pem", "x")
    mixed = (pair.pki / "gateway.pem.key").read_text() + (other / "x.pem.crt").read_text()
    for broken in (mixed, "rubbish\n", ""):
        (pair.pki / "gateway.pem").write_text(broken)
        done = pair.run("gateway-certificates")
        assert done.returncode == 1
        assert "PRIVATE" not in done.stderr
        assert served(pair.port) == before
    certificate(pair.pki, "gateway.pem", "gateway.mended")
    assert pair.run("gateway-certificates").returncode == 0
    assert served(pair.port) != before


def certificate_of(path: Path) -> str:
    return path.read_text()


def test_grpc_servers_go_with_those_for_http(make: Make) -> None:
    rig = make(upstreams=(upstream(free_port(), grpc_port=free_port()),))
    rig.ctl(f"set weight {A} 30", f"set server {A} state drain", f"set weight {B} 70")
    servers = rig.servers()
    assert servers[A] == (30, 8)
    weight, state = servers["grpc.chat/n1.chat-a"]
    assert (weight, state & 8) == (30, 8)
    assert servers["grpc.chat/n1.chat-b"] == servers[B] == (70, 0)
