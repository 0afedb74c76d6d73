"""What lands where on each distribution, and what puts it to use."""

from __future__ import annotations

import os
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts
from flightline.operations.bundle import File
from roles.base import files
from roles.base.distributions import DEBIAN, RHEL, Distribution, distribution_of
from roles.base.settings import BaseSettings, OperatorSettings


def paths(distribution: Distribution, *, is_ubuntu: bool = False, **values: object) -> set[str]:
    settings = BaseSettings(**values)
    found = files.items(settings, "gpu-01", distribution, is_ubuntu=is_ubuntu)
    return {item.path for item in found}


def test_debian_and_rhel_differ_in_paths() -> None:
    debian, rhel = paths(DEBIAN), paths(RHEL)
    assert {
        "/etc/chrony/conf.d/flightline.conf",
        "/etc/default/locale",
        "/etc/apt/apt.conf.d/52flightline",
    } <= debian - rhel
    assert {
        "/etc/chrony.d/flightline.conf",
        "/etc/chrony.conf",
        "/etc/locale.conf",
    } <= rhel - debian
    assert {"/etc/hosts", "/etc/localtime", files.SSHD, files.SUDOERS} <= debian & rhel


def test_needrestart_is_told_only_on_ubuntu() -> None:
    assert files.NEEDRESTART in paths(DEBIAN, is_ubuntu=True) - paths(DEBIAN)


def test_dnf_automatic_is_set_only_where_it_runs() -> None:
    assert files.DNF_AUTOMATIC not in paths(RHEL)
    assert files.DNF_AUTOMATIC in paths(RHEL, automatic_upgrades=True)


@pytest.mark.parametrize(
    ("distribution", "ssh", "chrony"),
    [(DEBIAN, "ssh.service", "chrony.service"), (RHEL, "sshd.service", "chronyd.service")],
)
def test_hooks_name_the_units_of_the_distribution(
    distribution: Distribution, ssh: str, chrony: str
) -> None:
    commands = [hook.command for hook in files.hooks(BaseSettings(), distribution)]
    assert any(command.endswith(f"try-reload-or-restart {ssh}") for command in commands)
    assert any(f"systemctl restart {chrony} " in command for command in commands)


@pytest.mark.parametrize("distribution", [DEBIAN, RHEL])
def test_no_hook_waits_for_a_file_that_is_not_written(distribution: Distribution) -> None:
    hooked = {path for hook in files.hooks(BaseSettings(), distribution) for path in hook.paths}
    assert hooked <= paths(distribution)


PASSWORD_RULE = "    (ALL : ALL) ALL"
FREE_RULE = "    (ALL : ALL) NOPASSWD: ALL"


def passes(folder: Path, rule: str, *, has_sudo_password: bool, account: str = "alice") -> bool:
    """Whether the hook passes where sudo has this rule: without NOPASSWD, `sudo -n` fails."""
    free = "true" if "NOPASSWD" in rule else "false"
    programs = {
        "sudo": f'case "$*" in *-l*) echo "{rule}" ;; *) {free} ;; esac',
        "runuser": '[ "$1 $2 $3" = "-u alice --" ] && shift 3 && exec "$@"',
    }
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    found = files.hooks(BaseSettings(), DEBIAN, has_sudo_password=has_sudo_password)
    (command,) = (hook.command for hook in found if hook.paths == (files.SUDOERS,))
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "SUDO_USER": account}
    return subprocess.run(["sh", "-c", command], env=environment, check=False).returncode == 0


def test_a_run_that_lost_sudo_without_a_password_is_noticed(tmp_path: Path) -> None:
    assert passes(tmp_path, FREE_RULE, has_sudo_password=False)
    assert not passes(tmp_path, PASSWORD_RULE, has_sudo_password=False)
    assert passes(tmp_path, PASSWORD_RULE, has_sudo_password=False, account="")


def test_a_run_with_a_password_needs_a_rule_and_no_nopasswd(tmp_path: Path) -> None:
    assert passes(tmp_path, PASSWORD_RULE, has_sudo_password=True)
    assert not passes(tmp_path, "    (ALL : ALL) !ALL", has_sudo_password=True)
    said = "User alice is not allowed to run sudo on gpu-01."
    assert not passes(tmp_path, said, has_sudo_password=True)


def test_sshd_is_reloaded_only_after_it_has_read_its_whole_configuration() -> None:
    last = files.hooks(BaseSettings(), DEBIAN)[-1]
    assert last.command.startswith("sshd -t && ")


def test_what_could_shut_people_out_is_validated_before_it_is_put_in_place() -> None:
    settings = BaseSettings(operators=(OperatorSettings(name="alice"),))
    found = {
        item.path: item
        for item in files.items(settings, "gpu-01", DEBIAN, is_ubuntu=False)
        if isinstance(item, File)
    }
    assert found[files.SUDOERS].validate == "visudo -cf {staged}"
    assert found[files.SUDOERS].mode == "440"
    guard = found[files.SSHD].validate or ""
    assert guard.endswith("sshd {staged}")
    assert guard.count("{staged}") == 1


def test_our_sudoers_file_is_not_the_one_of_a_bootstrap() -> None:
    """An account `flightline` is often made with a file of its own name: not ours to overwrite."""
    assert files.SUDOERS.rsplit("/", 1)[1] != "flightline"
    assert "." not in files.SUDOERS.rsplit("/", 1)[1]  # sudo skips names with a dot


def node_that_runs(distribution: str, version: str, family: str) -> NodeFacts:
    """A node of which only the system is known."""
    nothing: dict[str, Any] = dict.fromkeys((field.name for field in fields(NodeFacts)), "")
    known = {"distribution": distribution, "version": version, "family": family}
    return NodeFacts(**{**nothing, **known})


@pytest.mark.parametrize(
    ("name", "version", "family", "locale"),
    [
        ("debian", "12", "debian", "/etc/default/locale"),
        ("debian", "13", "debian", "/etc/locale.conf"),
        ("ubuntu", "22.04", "debian", "/etc/default/locale"),
        ("ubuntu", "24.04", "debian", "/etc/default/locale"),
        ("rocky", "9.6", "rhel", "/etc/locale.conf"),
    ],
)
def test_the_locale_is_where_the_distribution_reads_it(
    name: str, version: str, family: str, locale: str
) -> None:
    node = node_that_runs(name, version, family)
    assert distribution_of(node).locale_path == locale


def test_an_unknown_family_is_refused_by_name() -> None:
    node = node_that_runs("alpine", "3.20", "unknown")
    with pytest.raises(NodeRefused, match=r"alpine 3\.20 is not a system"):
        distribution_of(node)


def test_rhel_does_not_ask_for_curl_which_conflicts_with_curl_minimal() -> None:
    assert "curl" in DEBIAN.packages
    assert "curl" not in RHEL.packages
