"""`flightline key` against real gateways: sshd, the program on the node, HAProxy and its map.

Each gateway is an sshd on this computer, whose commands see a folder of their own in the place of
/usr/local/lib/flightline (a mount namespace), and an HAProxy that answers with the key's entry.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flightline.serving import keys, keys_map, layout
from flightline.templates import render
from tests.unit.conftest import Sshd, free_port
from tests.unit.test_bad_input import project, typed

__all__ = ["project"]

NAMESPACES = subprocess.run(["unshare", "-rm", "true"], check=False).returncode == 0
pytestmark = pytest.mark.skipif(
    not (shutil.which("haproxy") and shutil.which("socat") and NAMESPACES),
    reason="needs haproxy, socat and user namespaces; `make setup` installs the programs",
)

CONFIG = """
global
  stats socket {folder}/admin.sock mode 600 level admin
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend clients
  bind 127.0.0.1:{port}
  http-request set-var(txn.hash) req.hdr(authorization),word(2,' '),sha2(256),hex
  http-request set-var(txn.entry) var(txn.hash),map({folder}/keys.map)
  http-request return status 401 unless {{ var(txn.entry) -m found }}
  http-request return status 200 content-type text/plain lf-string "%[var(txn.entry)]"
"""

SHELL = """\
#!/bin/sh
export FLIGHTLINE_GATEWAY_KEYS={folder}/keys.map FLIGHTLINE_GATEWAY_SOCKET={folder}/admin.sock
exec unshare -rm sh -c 'mount --bind "$0" /usr/local/lib; eval "$SSH_ORIGINAL_COMMAND"' {folder}/lib
"""


class Gateway:
    """One node with HAProxy, the program and sshd."""

    def __init__(self, folder: Path, make_sshd: Callable[..., Sshd]) -> None:
        self.folder = folder
        self.port = free_port()
        program = folder / "lib" / "flightline" / "gateway-keys"
        program.parent.mkdir(parents=True)
        source = f"gateway{layout.GATEWAY_KEYS_LOAD}.j2"
        unit = "flightline-none-such.service"
        program.write_text(render(source, keys="-", socket="-", unit=unit, end=keys_map.END))
        program.chmod(0o755)
        shell = folder / "shell"
        shell.write_text(SHELL.format(folder=folder))
        shell.chmod(0o755)
        (folder / "keys.map").write_text(keys_map.rendered((), keys.now()))
        (folder / "haproxy.cfg").write_text(CONFIG.format(folder=folder, port=self.port))
        self.sshd = make_sshd(f"ForceCommand {shell}")
        self.process = subprocess.Popen(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")])
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            time.sleep(0.05)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def answer(self, key: str, on: http.client.HTTPConnection | None = None) -> str:
        connection = on or self.connection()
        connection.request("GET", "/", headers={"Authorization": f"Bearer {key}"})
        answered = connection.getresponse()
        return f"{answered.status} {answered.read().decode()}".strip()


@pytest.fixture
def gateways(
    tmp_path_factory: pytest.TempPathFactory, make_sshd: Callable[..., Sshd], project: Path
) -> Iterator[list[Gateway]]:
    made = [Gateway(tmp_path_factory.mktemp("gw"), make_sshd) for _ in range(2)]
    hosts: list[Any] = [(f"gw-{n}", each.sshd.data) for n, each in enumerate(made, start=1)]
    engine = ("engine-1", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})
    (project / "inventories" / "two.py").write_text(f"front = {hosts!r}\nback = {[engine]!r}\n")
    declare(project, "front", enabled=True)
    yield made
    for each in made:
        each.process.terminate()
        each.process.wait()


def declare(project: Path, group: str, **values: object) -> None:
    text = (
        "from group_data.all import gateway as declared, pki as certified\n"
        "gateway = declared.model_copy(update={})\n"
        "pki = certified.model_copy(update=dict(enabled=True))"
    )
    (project / "group_data" / f"{group}.py").write_text(text.format(values) + "\n")


TWO = "inventories/two.py"
ADD = f"flightline key add {TWO} --name alice --role admin"


def test_a_new_key_is_shown_once_and_honoured_by_every_gateway(
    project: Path, gateways: list[Gateway]
) -> None:
    done = typed(project, f"{ADD} --requests-per-minute 60 --requests-per-day 900")
    assert done.returncode == 0, done.stderr
    (key,) = done.stdout.splitlines()
    assert re.fullmatch(keys.PATTERN, key)
    assert key not in done.stderr
    assert "2 of 2 gateways have taken it." in done.stderr
    assert [each.answer(key) for each in gateways] == ["200 admin|alice|60|900|"] * 2
    assert key not in (project / "keys.yaml").read_text()
    assert all((each.folder / "keys.map").stat().st_mode & 0o777 == 0o600 for each in gateways)
    assert all(key not in path.read_text(errors="replace") for path in files(project))


def files(project: Path) -> Iterator[Path]:
    return (path for path in project.rglob("*") if path.is_file())


def test_a_revoked_key_is_refused_at_once_on_a_connection_that_stays(
    project: Path, gateways: list[Gateway]
) -> None:
    key = typed(project, ADD).stdout.strip()
    other = typed(project, ADD.replace("alice", "bob")).stdout.strip()
    kept = gateways[0].connection()
    assert gateways[0].answer(key, on=kept).startswith("200")
    before = kept.sock
    done = typed(project, f"flightline key revoke {TWO} --name alice")
    assert done.returncode == 0, done.stderr
    assert [each.answer(key) for each in gateways] == ["401"] * 2
    assert gateways[0].answer(key, on=kept) == "401"
    assert kept.sock is before  # the same connection: it was not dropped
    assert gateways[1].answer(other).startswith("200 admin|bob")
    again = typed(project, f"flightline key revoke {TWO} --name alice")
    assert again.returncode == 0, again.stderr


def test_a_lost_keys_file_revokes_nobody(project: Path, gateways: list[Gateway]) -> None:
    key = typed(project, ADD).stdout.strip()
    (project / "keys.yaml").unlink()
    done = typed(project, ADD.replace("alice", "bob"))
    assert done.returncode == 2
    assert "keys.yaml is not there, and gw-1 honours 1 keys" in done.stderr
    assert not (project / "keys.yaml").exists()
    assert [each.answer(key)[:3] for each in gateways] == ["200"] * 2


def test_an_older_keys_file_neither_revives_a_key_nor_takes_one_away(
    project: Path, gateways: list[Gateway]
) -> None:
    alice = typed(project, ADD).stdout.strip()
    older = (project / "keys.yaml").read_bytes()
    bob = typed(project, ADD.replace("alice", "bob")).stdout.strip()
    newest = (project / "keys.yaml").read_bytes()
    (project / "keys.yaml").write_bytes(older)  # of an operator who has not pulled
    done = typed(project, ADD.replace("alice", "cem"))
    assert done.returncode == 1
    assert "gw-1 does not honour the new key yet: clients use bob here, which" in done.stderr
    assert gateways[0].answer(bob).startswith("200")
    (project / "keys.yaml").write_bytes(newest)
    assert typed(project, f"flightline key revoke {TWO} --name alice").returncode == 0
    (project / "keys.yaml").write_bytes(newest)
    done = typed(project, f"flightline key push {TWO}")
    assert done.returncode == 1
    assert "gw-2 may have other keys: alice was revoked here, and the list would" in done.stderr
    assert [gateways[1].answer(each)[:3] for each in (alice, bob)] == ["401", "200"]
    # a list that knows nothing of the revoked key may be sent, and does not forget it
    (project / "keys.yaml").write_text("schema: flightline.keys/1\nkeys: []\n")
    assert typed(project, f"flightline key push {TWO}").returncode == 0
    assert gateways[0].answer(bob) == "401"
    (project / "keys.yaml").write_bytes(older)
    assert "alice was revoked here" in typed(project, f"flightline key push {TWO}").stderr
    assert gateways[0].answer(alice) == "401"


def test_a_gateway_out_of_reach_is_named_with_what_to_run(
    project: Path, gateways: list[Gateway]
) -> None:
    key = typed(project, ADD).stdout.strip()
    gateways[1].sshd.stop()
    done = typed(project, f"flightline key revoke {TWO} --name alice")
    assert done.returncode == 1
    assert "gw-2 may still honour the key of alice" in done.stderr
    assert f"flightline key push {TWO}" in done.stderr
    assert gateways[0].answer(key) == "401"
    assert gateways[1].answer(key).startswith("200")
    listed = typed(project, f"flightline key list {TWO}")
    assert listed.returncode == 1
    assert "gw-1: agrees" in listed.stdout
    assert "gw-2: nothing answers" in listed.stdout
    gateways[1].sshd.start()
    told = typed(project, f"flightline key list {TWO} --format json")
    verdict = json.loads(told.stdout)["gateways"][1]
    assert verdict == {"node": "gw-2", "agrees": False, "difference": "still honours alice"}
    assert typed(project, f"flightline key push {TWO}").returncode == 0
    assert gateways[1].answer(key) == "401"
    assert typed(project, f"flightline key list {TWO}").returncode == 0


def test_a_key_can_go_to_a_file_of_its_own(project: Path, gateways: list[Gateway]) -> None:
    done = typed(project, f"{ADD} --output secret")
    assert (done.returncode, done.stdout) == (0, "")
    path = project / "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert gateways[0].answer(path.read_text().strip()).startswith("200")
    taken = typed(project, f"{ADD.replace('alice', 'bob')} --output secret")
    assert taken.returncode == 2
    assert "secret: cannot be written (File exists)" in taken.stderr
    assert "bob" not in (project / "keys.yaml").read_text()


def test_a_gateway_that_does_not_run_gets_the_file(project: Path, gateways: list[Gateway]) -> None:
    gateways[0].process.terminate()
    gateways[0].process.wait()
    key = typed(project, ADD).stdout.strip()
    assert keys.digest(key) in (gateways[0].folder / "keys.map").read_text()
    listed = typed(project, f"flightline key list {TWO}")
    assert "gw-1: the gateway does not run" in listed.stdout


def test_a_gateway_that_is_not_set_up_says_what_to_run(
    project: Path, gateways: list[Gateway]
) -> None:
    (gateways[0].folder / "lib" / "flightline" / "gateway-keys").unlink()
    done = typed(project, ADD)
    assert done.returncode == 1
    assert "gw-1 does not honour the new key yet: the gateway is not set up yet" in done.stderr


def test_gateways_may_follow_different_files(project: Path, gateways: list[Gateway]) -> None:
    text = (project / "inventories" / "two.py").read_text()
    hosts = text.replace("front = [", "front = [").replace("), ('gw-2'", ")]\nside = [('gw-2'")
    (project / "inventories" / "two.py").write_text(hosts)
    declare(project, "side", enabled=True, keys_file="side.yaml")
    undecided = typed(project, ADD)
    assert undecided.returncode == 2
    assert "choose one with --keys-file" in undecided.stderr
    assert "follows none.yaml" in typed(project, f"{ADD} --keys-file none.yaml").stderr
    key = typed(project, f"{ADD} --keys-file side.yaml").stdout.strip()
    assert [each.answer(key)[:3] for each in gateways] == ["401", "200"]


def test_two_new_keys_at_once_are_both_honoured(project: Path, gateways: list[Gateway]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lines = [ADD.replace("alice", name) for name in ("ann", "ben", "cem")]
    with ThreadPoolExecutor(3) as pool:
        made = [each.stdout.strip() for each in pool.map(lambda line: typed(project, line), lines)]
    assert [gateways[0].answer(key)[:3] for key in made] == ["200"] * 3
