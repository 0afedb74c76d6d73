"""The reboot: when it is due, when it is refused, and how a node is waited for."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from paramiko import SSHException
from pyinfra.api.exceptions import ConnectError, FactProcessError
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host

from flightline.operations.reboot import reboot_when_needed, wait
from flightline.operations.reboot.command import Reboot, trigger
from flightline.operations.reboot.need import Intent, Need, RebootNeed, parse_need, probe_key
from flightline.operations.refusal import Refusal
from flightline.reboot import RebootProbe, RebootSettings

CMDLINE = RebootProbe("the kernel command line differs", "test -e /a")
NOUVEAU = RebootProbe("nouveau is loaded", "test -e /b")
INTENT = Intent(("x",), (probe_key(CMDLINE),), "boot-1", 1, "2026-11-21T01:00:00+00:00")


@dataclass
class Asked:
    """Stands for pyinfra's host; answers what it needs."""

    need: Need | None
    print_prefix: str = ""
    noops: list[str] = field(default_factory=list)

    def get_fact(self, _fact: object, **_arguments: Any) -> Need | None:
        return self.need

    def noop(self, text: str) -> None:
        self.noops.append(text)


def decided(need: Need | None, *, allowed: bool = True) -> list[Any]:
    with ctx_host.use(Asked(need)):
        settings = RebootSettings(allowed=allowed)
        return list(reboot_when_needed._inner(settings, (CMDLINE, NOUVEAU)))


def test_a_quiet_node_is_left_alone() -> None:
    assert decided(Need("boot-1", (), None)) == []


def test_a_node_that_asks_is_rebooted_once_for_all_its_reasons() -> None:
    [command] = decided(Need("boot-1", (0, 1), None))
    assert isinstance(command, Reboot)
    assert command.intent.reasons == (CMDLINE.reason, NOUVEAU.reason)
    assert (command.intent.boot_id, command.intent.count) == ("boot-1", 1)


def test_a_reboot_that_is_not_allowed_is_told_as_pending() -> None:
    [refusal] = decided(Need("boot-1", (1,), None), allowed=False)
    assert refusal.sentence.startswith("reboot pending: nouveau is loaded; allow it with")


def test_a_node_is_not_rebooted_twice_for_one_reason() -> None:
    [refusal] = decided(Need("boot-2", (0,), INTENT))
    assert isinstance(refusal, Refusal)
    assert "still asks for a reboot: the kernel command line differs; it is not" in (
        refusal.sentence
    )


def test_a_reboot_that_never_began_is_begun_again() -> None:
    [command] = decided(Need("boot-1", (0,), INTENT))
    assert isinstance(command, Reboot)
    assert command.intent.count == 2


def test_another_reason_after_a_reboot_is_another_reboot() -> None:
    [command] = decided(Need("boot-2", (1,), INTENT))
    assert isinstance(command, Reboot)


def test_changed_settings_are_another_reason() -> None:
    assert probe_key(CMDLINE) != probe_key(replace(CMDLINE, command="test -e /c"))


def test_the_record_of_an_interrupted_runs_reboot_is_removed_when_it_helped() -> None:
    [command] = decided(Need("boot-2", (), INTENT))
    assert command.get_raw_value() == "rm -f /var/lib/flightline/reboot.json"


def test_a_node_that_could_not_be_asked_is_not_rebooted() -> None:
    [refusal] = decided(None)
    assert isinstance(refusal, Refusal)


def test_probes_and_record_are_read_by_one_script(tmp_path: Path) -> None:
    record = tmp_path / "reboot.json"
    record.write_text(INTENT.to_json() + "\n")
    script = RebootNeed().command(["true", "false", "exit 3", "echo noise; true"], str(record))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    need = parse_need(done.stdout.splitlines())
    assert need.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert need.due == (0, 3)
    assert need.intent == INTENT


def test_a_record_that_cannot_be_read_counts_as_none() -> None:
    assert parse_need(["boot_id b", "record {", "end"]).intent is None


def test_an_answer_that_is_cut_short_is_never_believed() -> None:
    with pytest.raises(FactProcessError, match="cut short"):
        RebootNeed().process(["boot_id b", "due 0"])


def test_the_intent_is_on_disk_before_the_node_goes_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, seen = tmp_path / "state" / "reboot.json", tmp_path / "seen"
    stand_in = tmp_path / "systemctl"
    stand_in.write_text(f"#!/bin/sh\ncp {record} {seen}.new && mv {seen}.new {seen}\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    subprocess.run(["sh", "-c", trigger(INTENT, str(record))], check=True, timeout=5)
    assert not seen.exists(), "the command returns before the node goes down"
    subprocess.run(["sh", "-c", f"until [ -e {seen} ]; do sleep 0.1; done"], check=True, timeout=9)
    assert json.loads(seen.read_text())["boot_id"] == "boot-1"


class Rebooting:
    """Stands for a host and its connector: each connection meets the next of `boots`.

    "" is a node that refuses connections, "mute" one that accepts and does not answer.
    """

    name, print_prefix = "gpu-07", ""

    def __init__(self, boots: list[str], due: list[list[str]] | None = None) -> None:
        self.boots, self.due = boots, due or []
        self.connector, self.connector_data = self, dict[str, Any]()
        self.now, self.sent = "", list[str]()

    def disconnect(self) -> None:
        self.now = ""

    def connect(self) -> None:
        self.now = self.boots.pop(0) if len(self.boots) > 1 else self.boots[0]
        if not self.now:
            raise ConnectError("refused")

    def run_shell_command(self, command: Any, **_: Any) -> tuple[bool, CommandOutput]:
        text = command.get_raw_value()
        self.sent.append(text)
        if self.now == "mute":
            raise SSHException("lost")
        lines = [self.now]
        if "probe" in text:
            lines = [f"boot_id {self.now}", *(self.due.pop(0) if self.due else []), "end"]
        return True, CommandOutput([OutputLine("stdout", line) for line in lines])


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as little as can be."""
    monkeypatch.setattr(wait, "PAUSE_SECONDS", 0.01)


def test_a_node_is_back_when_its_boot_id_differs() -> None:
    node = Rebooting(["boot-1", "boot-1", "", "mute", "", "boot-2"])
    assert wait.wait_for_boot(wait.Away(node, {}), "boot-1", 5) is None


def test_a_node_that_does_not_come_back_is_told_with_its_last_boot() -> None:
    sentence = wait.wait_for_boot(wait.Away(Rebooting([""]), {}), "boot-1", 0.2)  # type: ignore[arg-type]
    assert sentence is not None
    assert "did not come back from reboot within 0.2 seconds" in sentence
    assert "its last boot id was boot-1; look at its console (BMC)" in sentence


def test_a_node_that_never_goes_down_is_told_apart() -> None:
    sentence = wait.wait_for_boot(wait.Away(Rebooting(["boot-1"]), {}), "boot-1", 0.2)  # type: ignore[arg-type]
    assert sentence is not None
    assert "was told to reboot, but is still on boot boot-1" in sentence


def test_a_node_that_asks_again_fails_in_the_same_run_and_keeps_its_record() -> None:
    node = Rebooting(["boot-2"], due=[["due 1"]])
    node.connect()
    sentence = wait.settle(wait.Away(node, {}), (CMDLINE, NOUVEAU))
    assert sentence is not None
    assert "still asks for a reboot: nouveau is loaded (`test -e /b`)" in sentence
    assert not any(text.startswith("rm ") for text in node.sent)


def test_a_node_that_asks_for_nothing_more_loses_its_record() -> None:
    node = Rebooting(["boot-2"])
    node.connect()
    assert wait.settle(wait.Away(node, {}), (CMDLINE,)) is None
    assert node.sent[-1] == "rm -f /var/lib/flightline/reboot.json"
