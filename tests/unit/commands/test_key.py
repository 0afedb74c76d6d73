"""`flightline key` against real gateways: sshd, the program on the node, HAProxy and its map."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightline.serving import keys
from tests.unit.commands.key_gateways import Gateway, declare, gateways
from tests.unit.test_bad_input import project, typed

__all__ = ["gateways", "project"]

NAMESPACES = subprocess.run(["unshare", "-rm", "true"], check=False).returncode == 0
pytestmark = pytest.mark.skipif(
    not (shutil.which("haproxy") and shutil.which("socat") and NAMESPACES),
    reason="needs haproxy, socat and user namespaces; `make setup` installs the programs",
)

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
