"""What must hold so that an engine is reached through the gateway alone, and leaks nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, not_applicable
from roles.inference import evidence
from roles.inference.container_checks import RESTART, STATES, pairs
from roles.inference.settings import InferenceSettings

PRESENT = (*STATES, "inference-containers-present")
_LOOPBACK = re.compile(r"(127\.[0-9.]+|\[::1\]|\[::ffff:127\.[0-9.]+\]):[0-9]+")
_SECRET = re.compile(r"(^|_)(TOKEN|KEY|APIKEY|PASSWORD|PASSWD|SECRET|CREDENTIALS?)(_|$)")
_KEYS = re.compile(r"--?[a-z-]*(api-key|password|token)$")


@check(
    "inference-ports-loopback",
    "the engines' ports listen on loopback alone",
    severity=CRITICAL,
    remedy="stop the engine, look at its extra_arguments, then `flightline apply --role inference`",
)
def ports_loopback(host: Host, settings: InferenceSettings) -> None:
    """Engines answer some paths without any key, so whoever reaches the port may ask."""
    found = evidence.live(host, settings)
    open_ports = [each for each in found.listening if not _LOOPBACK.fullmatch(each)]
    assert not open_ports, f"{', '.join(open_ports)} listens, expected 127.0.0.1 (EngineSettings)"


@check(
    "inference-containers-privileged",
    "no engine has more rights than it needs",
    severity=CRITICAL,
    remedy=RESTART,
    depends=PRESENT,
)
def containers_privileged(host: Host, settings: InferenceSettings) -> None:
    """A served model is code from elsewhere: pickles, templates, kernels."""
    found = evidence.docked(host, settings)
    wrong = []
    for slot, container in pairs(found, settings):
        given = container.host
        rights = [
            "--privileged" * bool(given.get("Privileged")),
            "capabilities" * ("ALL" not in (given.get("CapDrop") or ())),
            "added capabilities" * bool(given.get("CapAdd")),
            "new privileges" * (not _forbids_privileges(given.get("SecurityOpt") or ())),
            "the node's processes" * (given.get("PidMode") == "host"),
        ]
        if any(rights):
            wrong.append(f"{slot.name} has {', '.join(filter(None, rights))}")
    assert not wrong, f"{'; '.join(wrong)}, expected none of that (role inference)"


def _forbids_privileges(options: Sequence[str]) -> bool:
    return any(each.partition(":")[0].partition("=")[0] == "no-new-privileges" for each in options)


@check(
    "inference-environment-offline",
    "no engine fetches or reports anything",
    severity=ERROR,
    remedy=RESTART,
    depends=PRESENT,
)
def environment_offline(host: Host, settings: InferenceSettings) -> None:
    """A model library that asks its hub first starts late, or with other files."""
    found = evidence.docked(host, settings)
    if not any(each.kind.environment for each in settings.engines):
        not_applicable("no engine declared here has such variables (EngineSettings.engine)")
    wrong = [
        f"{slot.name} has {name}={container.environment.get(name, '(unset)')}, expected {value}"
        for slot, container in pairs(found, settings)
        for name, value in slot.engine.kind.environment.items()
        if container.environment.get(name) != value
    ]
    assert not wrong, f"{'; '.join(wrong)} (EngineSettings.environment)"


@check(
    "inference-environment-secrets",
    "no engine has a secret among its variables or arguments",
    severity=CRITICAL,
    remedy="put it into a file and name that in EngineSettings.secret_files; change the secret",
    depends=STATES,
)
def environment_secrets(host: Host, settings: InferenceSettings) -> None:
    """Everyone who may ask Docker, and every backup of its folder, has them. Names alone count."""
    found = evidence.docked(host, settings)
    wrong = [
        f"{each.name} has {name}"
        for each in found.containers
        if each.slot
        for name in (*each.environment, *(word.partition("=")[0] for word in each.arguments))
        if _SECRET.search(name) or _KEYS.fullmatch(name)
    ]
    assert not wrong, f"{', '.join(wrong)}, expected no secret there (EngineSettings.secret_files)"
