"""How answers are judged: real ones, and ones that must not pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flightline.audit.answers import Answer
from flightline.audit.backend import AnsweredBackend
from flightline.audit.check import REGISTRY
from flightline.audit.judge import attempt
from roles.base import checks
from roles.base.settings import BaseSettings, OperatorSettings, SshdSettings

assert checks
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIbVvd8nnFmRsv3h6S2eQZNVB1VqLQZbTPYVg0pVvZQK alice"
ALICE = BaseSettings(operators=(OperatorSettings(name="alice", authorized_keys=(KEY,)),))
SETTINGS = {
    "default": BaseSettings(),
    "alice": ALICE,
    "free": BaseSettings(ntp_servers=()),
    "ntp": BaseSettings(ntp_servers=("ntp1.example.org",)),
    "named": BaseSettings(hostname="{node}"),
    "motd": BaseSettings(dynamic_motd=True),
    "listed": BaseSettings(upgrade_blocklist=("a-", "b")),
    "allowed": BaseSettings(sshd=SshdSettings(allow_users=("a",))),
}
JUDGEMENTS = yaml.safe_load(Path(__file__).with_name("judgements.yaml").read_text())
CASES = [{"id": id, **case} for id, cases in JUDGEMENTS.items() for case in cases]


def judged(id: str, settings: BaseSettings, stdout: str) -> str:
    """Outcome and message of a check whose every command gets this answer."""

    def answer(command: str) -> Answer:
        return Answer(command, 0, stdout.encode())

    finding = attempt(REGISTRY[id], settings, AnsweredBackend("gpu-01", {}, answer))
    assert finding is not None
    return f"{finding.outcome.value}: {finding.message}"


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']}-{case['says']}" for case in CASES])
def test_an_answer_is_judged(case: dict[str, str]) -> None:
    told = judged(case["id"], SETTINGS[case["settings"]], case["answer"])
    assert told.startswith(case["says"])


def test_a_timer_that_is_on_against_the_declaration_is_named() -> None:
    timer = "Id={0}\nLoadState={1}\nActiveState={2}\nUnitFileState={3}\n"
    off = [timer.format("apt-daily.timer", "loaded", "inactive", "disabled")] * 2
    gone = timer.format("dnf-automatic.timer", "not-found", "inactive", "")
    on = timer.format("apt-daily-upgrade.timer", "loaded", "active", "enabled")
    assert judged("base-upgrades-timers", BaseSettings(), "\n".join([*off, gone])).startswith(
        "pass"
    )
    mixed = "\n".join([off[0], on, gone])
    wanted = BaseSettings(automatic_upgrades=True)
    assert "apt-daily-upgrade.timer is on" in judged("base-upgrades-timers", BaseSettings(), mixed)
    assert "apt-daily.timer is off" in judged("base-upgrades-timers", wanted, mixed)


def test_chronyd_has_to_run_now_and_at_boot() -> None:
    unit = "Id=chrony.service\nLoadState=loaded\nActiveState={0}\nUnitFileState={1}\n"
    missing = "Id=chronyd.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
    for active, enabled, says in (
        ("active", "enabled", "pass"),
        ("active", "disabled", "fail: chrony.service is active and disabled"),
        ("inactive", "enabled", "fail: chrony.service is inactive and enabled"),
    ):
        text = f"{missing}\n{unit.format(active, enabled)}"
        assert judged("base-time-daemon", BaseSettings(), text).startswith(says)
    assert "not installed" in judged("base-time-daemon", BaseSettings(), missing)
