"""Healthy machines as they answer: written by us, from the shape of real ones.

`machine("h100_sxm_8")` (short: "h100") has the answers to the questions of flightline.gpu.evidence
under the labels "smi", "bus" and "kernel-log". A module beside this one adds those of its role by
`answers(name) -> dict[label, Answer]`, and its settings by `settings(name) -> Settings`; `name` is
the long one. A module that is not called like its role names it in ROLE.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flightline.audit.answers import Answer
from flightline.gpu.evidence import KERNEL_LOG, PCI_BUS, SMI
from flightline.settings import Settings
from tests.machines import bus_text, kernel_text, smi_xml
from tests.machines.models import ALIASES, BUILDS, Build

_OURS = ("models", "smi_xml", "smi_sections", "smi_readings", "bus_text", "kernel_text")


@dataclass(frozen=True)
class Machine:
    """A machine's answers by command, and the commands by label."""

    name: str
    answers: Mapping[str, Answer]
    labels: Mapping[str, str]
    settings: Mapping[str, Settings]


def machine(name: str) -> Machine:
    """Return the machine of a name in `models.BUILDS` or `models.ALIASES`."""
    return _machine(ALIASES.get(name, name))


def build(name: str) -> Build:
    """Return what the machine is made of."""
    return BUILDS[ALIASES.get(name, name)]


@cache
def _machine(name: str) -> Machine:
    answers = {
        "smi": Answer(SMI, 0, smi_xml.render(BUILDS[name]).encode()),
        "bus": Answer(PCI_BUS, 0, bus_text.render(BUILDS[name]).encode()),
        "kernel-log": Answer(KERNEL_LOG, 0, kernel_text.render(BUILDS[name]).encode()),
    }
    settings = {}
    for module in _role_modules():
        if hasattr(module, "answers"):
            answers.update(module.answers(name))
        if hasattr(module, "settings"):
            role = getattr(module, "ROLE", module.__name__.rpartition(".")[2])
            settings[role] = module.settings(name)
    labels = {label: answer.command for label, answer in answers.items()}
    by_command = {answer.command: answer for answer in answers.values()}
    return Machine(name, by_command, labels, settings)


def _role_modules() -> tuple[Any, ...]:
    names = (each.name for each in pkgutil.iter_modules(__path__))
    return tuple(
        importlib.import_module(f"{__name__}.{each}") for each in names if each not in _OURS
    )
