"""Judges one check on a machine of tests/machines whose answers were edited."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from flightline.audit.answers import Answer, missing, text
from flightline.audit.judge import Finding, judge
from flightline.audit.selection import all_checks
from flightline.audit.verdict import root_cause
from flightline.gpu import nvlink
from flightline.gpu.evidence import PCI_BUS, SMI
from flightline.report.record import Outcome
from flightline.settings import Settings
from roles.nvidia.settings import NvidiaSettings
from tests.machines import machine

SAMPLES = Path(__file__).parents[5] / "shared" / "samples"
CHECKS = tuple(each for each in all_checks() if each.role == "nvidia" and each.phase == "converged")
Edit = tuple[str, str, str]


def finding(id: str, *edits: Edit, name: str = "h100", **settings: Any) -> tuple[Outcome, str]:
    """Outcome and message of one check; an edit is (label, regex, text), for all its matches."""
    found = _judged(_edited(name, edits), _declared(name, settings))[id]
    return found.outcome, found.message


def alarms(*edits: Edit, name: str = "h100", **settings: Any) -> dict[str, str]:
    """What is red or unknown for a reason of its own, among the checks of one report."""
    found = _judged(_edited(name, edits), _declared(name, settings))
    return _own(found)


def of_capture(path: Path, **settings: Any) -> dict[str, str]:
    """As `alarms`, for a report alone; bus and NVLink are made to fit it."""
    report = path.read_bytes()
    addresses = re.findall(r'<gpu id="0000(\S+)">', report.decode())
    device = re.search(r"<pci_device_id>(....)10DE", report.decode())
    assert device
    bus = "".join(
        f"{each.lower()}/vendor:0x10de\n{each.lower()}/device:0x{device[1].lower()}\n"
        f"{each.lower()}/class:0x030200\n{each.lower()}/driver:nvidia\n"
        for each in addresses
    )
    answers = {
        SMI: Answer(SMI, 0, report),
        PCI_BUS: Answer(PCI_BUS, 0, f"{bus}end\n".encode()),
        nvlink.COMMAND: Answer(nvlink.COMMAND, 0, _links(len(addresses)).encode()),
    }
    return _own(_judged(answers, NvidiaSettings(**settings)))


def _own(found: dict[str, Finding]) -> dict[str, str]:
    return {
        name: f"{each.outcome}: {each.message}"
        for name, each in found.items()
        if each.outcome in (Outcome.FAIL, Outcome.UNKNOWN) and root_cause(each, found) is None
    }


def _links(gpus: int) -> str:
    lines = "".join(f"\t Link {link}: 53.125 GB/s\n" for link in range(18))
    return "".join(f"GPU {index}: any (UUID: GPU-{index})\n{lines}" for index in range(gpus))


def _edited(name: str, edits: tuple[Edit, ...]) -> dict[str, Answer]:
    recorded = machine(name)
    answers = dict(recorded.answers)
    for label, pattern, by in edits:
        command = recorded.labels[label]
        before = text(answers[command].stdout)
        after = re.sub(pattern, by, before)
        assert after != before, f"{pattern!r} changes nothing"
        answers[command] = replace(answers[command], stdout=after.encode())
    return answers


def _declared(name: str, settings: dict[str, Any]) -> Settings:
    return machine(name).settings["nvidia"].model_copy(update=settings)


def _judged(answers: dict[str, Answer], settings: Settings) -> dict[str, Finding]:
    ours = [each for each in CHECKS if _asks_reports_only(each.function.__module__)]
    return judge(
        "node",
        ours,
        {"nvidia": settings},
        lambda asked: {each: answers.get(each) or missing(each, "no answer") for each in asked},
    ).findings


def _asks_reports_only(module: str) -> bool:
    """Those that need no more than nvidia-smi, NVLink's status and the bus."""
    kinds = ("gpu", "memory", "link", "nvlink", "state", "mode", "release")
    return module.removeprefix("roles.nvidia.") in {f"{kind}_checks" for kind in kinds}
