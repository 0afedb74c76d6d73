"""What BaseSettings refuse, each with a sentence."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flightline.errors import SettingsError
from roles.base.settings import BaseSettings, HostEntry, OperatorSettings, SshdSettings

# Made by ssh-keygen for this test; the private halves were thrown away.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIFk+m9BHJq0lFLX92sSGxQ/aP4c9py+WAyD7AGxSGxF alice"
SHORTENED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIFk+m9BHJq0"
OTHER_TYPE = ED25519.replace("ssh-ed25519", "ssh-rsa")
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"


def refusal(kind: type[Any], **values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        kind(**values)
    sentence = str(caught.value.message)
    assert "\n" not in sentence
    return sentence


def test_the_defaults_stand() -> None:
    settings = BaseSettings()
    assert settings.timezone == "Etc/UTC"
    assert not settings.automatic_upgrades
    assert {"nvidia-", "linux-image", "docker"} <= set(settings.upgrade_blocklist)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (SHORTENED, "cut off or damaged"),
        (OTHER_TYPE, "cut off or damaged"),
        (PRIVATE, "private key"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACBAJ a", "not one line"),
        ("AAAAC3NzaC1lZDI1NTE5AAAAIIFk+m9BHJq0lFLX92sSGxQ/aP4c9py+WAyD7AGxSGxF", "not one line"),
        ("", "not one line"),
    ],
)
def test_what_is_no_public_key_is_refused_without_being_quoted(key: str, says: str) -> None:
    sentence = refusal(OperatorSettings, name="alice", authorized_keys=(ED25519, key))
    assert says in sentence
    assert "number 2" in sentence
    assert not any(len(word) > 10 and word in sentence for word in key.split())


@pytest.mark.parametrize("name", ["root", "Alice", "a b", "-rf", "", "x" * 33, "a;reboot"])
def test_an_account_name_is_an_ordinary_one(name: str) -> None:
    assert "OperatorSettings.name" in refusal(OperatorSettings, name=name)


def test_the_docker_group_is_refused_because_it_is_root_without_a_log() -> None:
    assert "sudo docker" in refusal(OperatorSettings, name="alice", groups=("docker",))


def test_an_operator_is_declared_once() -> None:
    twice = (OperatorSettings(name="alice"), OperatorSettings(name="alice"))
    assert "alice twice" in refusal(BaseSettings, operators=twice)


def test_allow_users_that_leaves_out_an_operator_is_refused() -> None:
    sentence = refusal(
        BaseSettings,
        operators=(OperatorSettings(name="alice"), OperatorSettings(name="bob")),
        sshd=SshdSettings(allow_users=("alice",)),
    )
    assert "shuts out the operator bob" in sentence


@pytest.mark.parametrize("pattern", ["*", "alice@10.0.0.1", "al?ce"])
def test_allow_users_holds_plain_names(pattern: str) -> None:
    assert "allow_users" in refusal(SshdSettings, allow_users=(pattern,))


def test_root_by_password_cannot_be_declared() -> None:
    assert "permit_root_login" in refusal(SshdSettings, permit_root_login="yes")


@pytest.mark.parametrize(
    ("hostname", "node", "name"),
    [
        (None, "gpu-01", None),
        ("{node}", "gpu-01", "gpu-01"),
        ("{node}.rack1.example.org", "gpu-01", "gpu-01.rack1.example.org"),
        ("fixed", "gpu-01", "fixed"),
    ],
)
def test_a_name_may_follow_the_inventory(hostname: str | None, node: str, name: str | None) -> None:
    assert BaseSettings(hostname=hostname).hostname_of(node) == name


@pytest.mark.parametrize("hostname", ["-a", "a..b", "a_b", "{nod}", "{", "x" * 65, "a.", ""])
def test_what_is_no_host_name_is_refused(hostname: str) -> None:
    assert "hostname" in refusal(BaseSettings, hostname=hostname)


def test_an_inventory_name_that_cannot_be_a_host_name_is_refused() -> None:
    with pytest.raises(SettingsError, match=re.escape("'@local'")):
        BaseSettings(hostname="{node}").hostname_of("@local")


@pytest.mark.parametrize(
    "values",
    [
        {"ntp_servers": ("a b",)},
        {"ntp_servers": ("ntp1\nserver evil",)},
        {"timezone": "Etc/UTC; reboot"},
        {"locale": "C"},
        {"journal_max_mib": 1},
        {"packages": ("--allow-unauthenticated",)},
        {"upgrade_blocklist": ('a"; };',)},
        {"root_free_min_percent": 0},
        {"max_time_offset_milliseconds": 0},
        {"journal_max_mb": 5},
    ],
)
def test_a_value_that_could_break_a_file_or_a_command_is_refused(values: dict[str, Any]) -> None:
    assert next(iter(values)) in refusal(BaseSettings, **values)


def test_a_host_entry_without_a_name_is_refused() -> None:
    assert "has no name" in refusal(HostEntry, address="10.0.0.1", names=())
