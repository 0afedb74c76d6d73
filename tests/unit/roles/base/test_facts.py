"""What a node says of its name and operators, read back."""

from __future__ import annotations

import getpass
import pwd
import subprocess
from pathlib import Path

import pytest

from roles.base.facts import NodeIdentity, parse_identity

# Printed by node-2 of the lab (Debian 12), keys shortened.
OUTPUT = """\
kernel_name\tnode-2
static_name\tnode-2
motd\t/etc/update-motd.d/10-uname
group\tadm
account\tflightline\t/home/flightline\tflightline sudo\tflightline
path\tflightline\t/home/flightline\t700 flightline
path\tflightline\t/home/flightline/.ssh\t700 flightline
path\tflightline\t/home/flightline/.ssh/authorized_keys\t600 flightline
key\tflightline\tssh-ed25519 AAAAC3 lab
key\tflightline\tfrom="10.0.0.1"\tssh-rsa AAAAB3 two
""".splitlines()


def test_the_record_has_what_the_node_said() -> None:
    found = parse_identity(OUTPUT)
    account = found.accounts["flightline"]
    assert (found.kernel_name, found.static_name, found.groups) == ("node-2", "node-2", ("adm",))
    assert found.motd_scripts == ("/etc/update-motd.d/10-uname",)
    assert account.groups == ("flightline", "sudo")
    assert account.paths["/home/flightline/.ssh"] == ("700", "flightline")
    assert account.keys == ("ssh-ed25519 AAAAC3 lab", 'from="10.0.0.1"\tssh-rsa AAAAB3 two')


def test_a_node_that_says_nothing_is_an_empty_record() -> None:
    assert parse_identity([]).accounts == {}


def test_the_script_runs_and_knows_this_computer() -> None:
    me = pwd.getpwnam(getpass.getuser())
    script = NodeIdentity().command([me.pw_name, "no-such-account"], ["root", "no-such-group"])
    run = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    found = parse_identity(run.stdout.splitlines())
    assert set(found.accounts) == {me.pw_name}
    assert found.accounts[me.pw_name].home == me.pw_dir
    assert found.groups == ("root",)


@pytest.mark.parametrize("linked", [".ssh", ".ssh/authorized_keys"])
def test_nothing_behind_a_link_is_read(tmp_path: Path, linked: str) -> None:
    me, home = getpass.getuser(), tmp_path / "home"
    target = tmp_path / "target"
    target.mkdir()
    (target / "authorized_keys").write_text("ssh-rsa AAAAB3 secret\n")
    (home / linked).parent.mkdir(parents=True)
    (home / linked).symlink_to(target if linked == ".ssh" else target / "authorized_keys")
    answer = f"getent() {{ echo '{me}:x:1:1::{home}:/bin/sh'; }}; "
    script = answer + NodeIdentity().command([me], [])
    run = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    found = parse_identity(run.stdout.splitlines()).accounts[me]
    assert (found.link, found.keys) == (f"{home}/{linked}", ())


def test_keys_are_read_as_the_account(tmp_path: Path) -> None:
    """As root they are; the functions answer for root, its tools and the home."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "authorized_keys").write_text("# mine\nssh-rsa AAAAB3 old\n")
    answer = (
        f"getent() {{ echo 'alice:x:1:1::{tmp_path}:/bin/sh'; }}; id() {{ echo 0; }}; "
        f'runuser() {{ echo "$2" > {tmp_path}/became; shift 3; "$@"; }}; '
    )
    script = answer + NodeIdentity().command(["alice"], [])
    run = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    found = parse_identity(run.stdout.splitlines()).accounts["alice"]
    assert (found.link, found.keys) == (None, ("ssh-rsa AAAAB3 old",))
    assert (tmp_path / "became").read_text() == "alice\n"
