"""What is done to a node's name and operators, command by command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from roles.base import operations
from roles.base.facts import Account, Identity
from roles.base.settings import OperatorSettings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIbVvd8nnFmRsv3h6S2eQZNVB1VqLQZbTPYVg0pVvZQK alice"
ALICE = OperatorSettings(name="alice", authorized_keys=(KEY,))


def account(**values: object) -> Account:
    base: dict[str, object] = {
        "home": "/home/alice",
        "groups": ("alice", "adm", "systemd-journal"),
        "primary_group": "alice",
        "keys": (KEY,),
        "paths": {
            "/home/alice/.ssh": ("700", "alice"),
            "/home/alice/.ssh/authorized_keys": ("600", "alice"),
        },
    }
    return Account(**{**base, **values})  # type: ignore[arg-type]  # a dict of mixed values


def test_an_operator_who_is_as_declared_needs_nothing() -> None:
    assert list(operations._account(account(), ALICE)) == []


def test_a_missing_operator_is_made_unlocked_and_without_a_password() -> None:
    made, keys = operations._account(None, ALICE)
    assert made == (
        "useradd --create-home --user-group --password '*' --shell /bin/bash "
        "--groups adm,systemd-journal alice"
    )
    assert KEY in keys


def test_groups_are_added_and_never_taken() -> None:
    found = account(groups=("alice", "adm", "wheel"))
    assert list(operations._account(found, ALICE)) == [
        "usermod --append --groups systemd-journal alice"
    ]


def test_a_key_with_another_comment_or_with_options_is_the_same_key() -> None:
    blob = " ".join(KEY.split()[:2])
    for line in (f"{blob} other comment", f'from="10.0.0.0/8" {blob}', f"{blob}"):
        assert list(operations._account(account(keys=(line,)), ALICE)) == []


def test_a_key_file_that_sshd_would_ignore_is_mended() -> None:
    paths = {"/home/alice/.ssh/authorized_keys": ("644", "root")}
    assert len(list(operations._account(account(paths=paths), ALICE))) == 1


def test_a_name_is_set_in_the_kernel_and_on_disk_only_where_it_differs() -> None:
    both = list(operations._rename(Identity("old", "old"), "gpu-01"))
    assert ["/etc/hostname" in both[0], "/proc/sys/kernel/hostname" in both[1]] == [True, True]
    assert list(operations._rename(Identity("gpu-01", "gpu-01"), "gpu-01")) == []
    assert list(operations._rename(Identity("anything", "else"), None)) == []


def test_missing_groups_are_made() -> None:
    found = Identity("a", "a", groups=("adm",))
    assert list(operations._make_groups(found, ["adm", "gpu"])) == ["groupadd --force --system gpu"]


def test_keys_are_added_to_a_file_without_a_last_newline(tmp_path: Path) -> None:
    """Runs the command itself, with getent, chown and the like answering for a home of the test."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "authorized_keys").write_text("ssh-rsa AAAAB3 old")
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name, body in {
        "getent": f"echo alice:x:1:1::{home}:/bin/sh",
        "id": "echo staff",
        "chown": ":",
        "install": ":",
    }.items():
        (stubs / name).write_text(f"#!/bin/sh\n{body}\n")
        (stubs / name).chmod(0o755)
    command = operations._write_keys("alice", [KEY])
    environment = {"PATH": f"{stubs}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", command], check=True, env=environment)
    file = home / ".ssh" / "authorized_keys"
    assert file.read_text() == f"ssh-rsa AAAAB3 old\n{KEY}\n"
    assert oct(file.stat().st_mode) == "0o100600"
    assert [path.name for path in (home / ".ssh").iterdir()] == ["authorized_keys"]
