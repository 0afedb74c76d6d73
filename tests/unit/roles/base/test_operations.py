"""What is done to a node's name and operators, command by command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of the test, next to a folder of programs that answer for getent, chown and such."""
    home, stubs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    stubs.mkdir()
    for name, body in {
        "getent": f"echo alice:x:1:1::{home}:/bin/sh",
        "id": "echo staff",
        "chown": f'echo "$@" >> {tmp_path}/chowned',
        "runuser": f'echo "$2" >> {tmp_path}/became; shift 3; exec "$@"',
    }.items():
        (stubs / name).write_text(f"#!/bin/sh\n{body}\n")
        (stubs / name).chmod(0o755)
    return home


def write_keys(home: Path, keys: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command itself."""
    environment = {"PATH": f"{home.parent / 'bin'}:{os.environ['PATH']}"}
    command = ["sh", "-c", operations._write_keys("alice", keys)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_keys_are_added_to_a_file_without_a_last_newline(home: Path) -> None:
    file = home / ".ssh" / "authorized_keys"
    file.parent.mkdir()
    file.write_text("ssh-rsa AAAAB3 old")
    assert write_keys(home, [KEY]).returncode == 0
    assert file.read_text() == f"ssh-rsa AAAAB3 old\n{KEY}\n"
    assert oct(file.stat().st_mode) == "0o100600"
    assert [path.name for path in file.parent.iterdir()] == ["authorized_keys"]


def test_a_folder_and_a_file_are_made_as_the_account(home: Path) -> None:
    assert write_keys(home, [KEY]).returncode == 0
    assert (home / ".ssh" / "authorized_keys").read_text() == f"{KEY}\n"
    assert oct((home / ".ssh").stat().st_mode) == "0o40700"
    assert (home.parent / "became").read_text() == "alice\n"


def test_mending_without_keys_to_add_keeps_the_content(home: Path) -> None:
    file = home / ".ssh" / "authorized_keys"
    file.parent.mkdir()
    file.write_text(f"{KEY}\n")
    file.chmod(0o644)
    assert write_keys(home, []).returncode == 0
    assert (file.read_text(), oct(file.stat().st_mode)) == (f"{KEY}\n", "0o100600")


def test_a_key_that_the_account_could_not_read_before_is_not_added_twice(home: Path) -> None:
    file = home / ".ssh" / "authorized_keys"
    file.parent.mkdir()
    file.write_text(f"{KEY}\n")
    assert write_keys(home, [KEY]).returncode == 0
    assert file.read_text() == f"{KEY}\n"


def test_a_folder_that_became_a_link_is_not_followed(home: Path) -> None:
    """The link may appear after the node was asked."""
    target = home.parent / "target"
    target.mkdir(mode=0o755)
    (home / ".ssh").symlink_to(target)
    run = write_keys(home, [KEY])
    assert run.returncode != 0
    assert run.stderr == f"{home}/.ssh is a symbolic link\n"
    assert list(target.iterdir()) == []
    assert oct(target.stat().st_mode) == "0o40755"
    assert not (home.parent / "chowned").exists()


def test_root_changes_no_file_behind_a_link(home: Path) -> None:
    """What is read through the link is read as the account, and chown is told not to follow."""
    target = home.parent / "target"
    target.write_text("ssh-rsa AAAAB3 old\n")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "authorized_keys").symlink_to(target)
    assert write_keys(home, [KEY]).returncode == 0
    chowned = (home.parent / "chowned").read_text().splitlines()
    assert chowned == ["alice:staff .", "-h alice:staff authorized_keys"]
    assert target.read_text() == "ssh-rsa AAAAB3 old\n"


def test_an_operator_with_a_link_is_refused_by_its_path() -> None:
    link = "/home/alice/.ssh/authorized_keys"
    said = operations._refusal(Identity("a", "a", accounts={"alice": account(link=link)}))
    assert said.startswith(f"{link}: is a symbolic link, expected ")
    assert operations._refusal(Identity("a", "a", accounts={"alice": account()})) == ""
