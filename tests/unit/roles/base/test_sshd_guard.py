"""The guard in front of sshd's drop-in, run with the real sshd as its judge."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from flightline.templates import render
from roles.base.settings import BaseSettings, SshdSettings

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
SHELLS = [["sh"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIbVvd8nnFmRsv3h6S2eQZNVB1VqLQZbTPYVg0pVvZQK root\n"
pytestmark = pytest.mark.skipif(SSHD is None, reason="sshd is not installed; see `make setup`")


@dataclass
class Node:
    """A folder with what the guard reads: sshd's main file, its host key, an account's keys."""

    folder: Path
    shell: list[str]

    @property
    def main(self) -> Path:
        return self.folder / "sshd_config"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def judge(self, drop_in: str, account: str = "root") -> str | None:
        """None: the drop-in may be put in place; else what the guard says against it."""
        (self.folder / "staged").write_text(drop_in)
        (self.folder / "guard").write_text(render("base/validate/sshd.sh.j2"))
        run = subprocess.run(
            [*self.shell, "guard", self.folder / "staged", self.main],
            cwd=self.folder,
            env={**os.environ, "SUDO_USER": account},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode == 0:
            return None
        sentences = [line for line in run.stderr.splitlines() if line.startswith("sshd: ")]
        assert len(sentences) == 1, run.stderr
        return sentences[0]


@pytest.fixture(params=SHELLS, ids=" ".join)
def node(tmp_path: Path, request: pytest.FixtureRequest) -> Node:
    made = Node(tmp_path, request.param)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "host")]
    subprocess.run(command, check=True)
    made.main.write_text(
        "Include /etc/ssh/sshd_config.d/*.conf\n"
        f"HostKey {tmp_path / 'host'}\nAuthorizedKeysFile {made.keys}\nUsePAM no\n"
    )
    return made


def drop_in(**values: object) -> str:
    sshd = SshdSettings(**values)
    return render(
        "base/etc/ssh/sshd_config.d/00-flightline.conf.j2", **{**dict(BaseSettings()), "sshd": sshd}
    )


def test_keys_only_is_taken_where_the_account_has_a_key(node: Node) -> None:
    node.keys.write_text(f"# mine\n\n{KEY}")
    assert node.judge(drop_in()) is None


@pytest.mark.parametrize("keys", [None, "", "# commented out: " + KEY, "   \n"])
def test_keys_only_is_refused_where_the_account_has_no_key(node: Node, keys: str | None) -> None:
    if keys is not None:
        node.keys.write_text(keys)
    assert "root, the account that this run uses, has no key" in (node.judge(drop_in()) or "")


def test_without_a_key_passwords_may_stay_for_an_ordinary_account(node: Node) -> None:
    assert node.judge(drop_in(password_authentication=True), account="daemon") is None


def test_root_by_password_is_not_shut_out(node: Node) -> None:
    said = node.judge(drop_in(password_authentication=True))
    assert "has no key" in (said or "")


def test_root_is_not_shut_out_while_the_run_connects_as_root(node: Node) -> None:
    node.keys.write_text(KEY)
    said = node.judge(drop_in(permit_root_login="no"))
    assert "connect as an operator" in (said or "")
    assert node.judge(drop_in(permit_root_login="no"), account="daemon") is None


def test_allow_users_must_hold_the_account_of_the_run(node: Node) -> None:
    node.keys.write_text(KEY)
    wanted = drop_in(allow_users=("alice", "bob"))
    assert "AllowUsers leaves out root" in (node.judge(wanted) or "")
    assert node.judge(drop_in(allow_users=("alice", "root"))) is None


def test_allow_users_of_another_file_counts_with_its_patterns(node: Node) -> None:
    node.keys.write_text(KEY)
    node.main.write_text(node.main.read_text() + "AllowUsers ro*@10.0.0.0/8\n")
    assert node.judge(drop_in()) is None
    assert "leaves out daemon" in (node.judge(drop_in(), account="daemon") or "")


def test_an_option_that_sshd_does_not_know_is_refused_with_its_words(node: Node) -> None:
    node.keys.write_text(KEY)
    said = node.judge("NoSuchOption yes\n")
    assert "is not valid" in (said or "")
    assert "NoSuchOption" in (said or "")


def test_a_main_file_that_reads_no_drop_ins_is_refused(node: Node) -> None:
    node.keys.write_text(KEY)
    node.main.write_text(node.main.read_text().split("\n", 1)[1])
    assert "does not include sshd_config.d" in (node.judge(drop_in()) or "")


def test_keys_switched_off_elsewhere_are_noticed(node: Node) -> None:
    node.keys.write_text(KEY)
    node.main.write_text(node.main.read_text() + "PubkeyAuthentication no\n")
    assert "PubkeyAuthentication off" in (node.judge(drop_in()) or "")


def test_keys_from_a_directory_service_count(node: Node) -> None:
    more = "AuthorizedKeysCommand /bin/true\nAuthorizedKeysCommandUser nobody\n"
    node.main.write_text(node.main.read_text() + more)
    assert node.judge(drop_in()) is None


def test_keys_relative_to_a_home_are_found(node: Node) -> None:
    main = node.main.read_text().replace(str(node.keys), f"{node.folder}/%u.keys")
    node.main.write_text(main)
    (node.folder / "daemon.keys").write_text(KEY)
    assert node.judge(drop_in(), account="daemon") is None
    assert "has no key" in (node.judge(drop_in(), account="bin") or "")


@pytest.mark.parametrize(
    ("methods", "passwords", "is_way_in"),
    [
        ("publickey,keyboard-interactive", False, False),
        ("publickey,password keyboard-interactive:pam", False, False),
        ("publickey,keyboard-interactive", True, True),
        ("publickey,keyboard-interactive publickey", False, True),
        ("any", False, True),
    ],
)
def test_a_chain_of_methods_must_stay_open(
    node: Node, methods: str, passwords: bool, is_way_in: bool
) -> None:
    node.keys.write_text(KEY)
    match = f"Match User daemon\nAuthenticationMethods {methods}\n"
    node.main.write_text(node.main.read_text() + match)
    said = node.judge(drop_in(password_authentication=passwords), account="daemon")
    assert (said is None) is is_way_in
    assert is_way_in or "AuthenticationMethods asks daemon" in (said or "")


def test_methods_that_ask_for_a_key_need_one_though_passwords_stay(node: Node) -> None:
    node.main.write_text(node.main.read_text() + "AuthenticationMethods publickey,password\n")
    wanted = drop_in(password_authentication=True)
    assert "has no key" in (node.judge(wanted, account="daemon") or "")
    node.keys.write_text(KEY)
    assert node.judge(wanted, account="daemon") is None


def test_root_cannot_meet_a_chain_with_a_password(node: Node) -> None:
    node.keys.write_text(KEY)
    node.main.write_text(node.main.read_text() + "AuthenticationMethods publickey,password\n")
    said = node.judge(drop_in(password_authentication=True))
    assert "AuthenticationMethods asks root" in (said or "")
