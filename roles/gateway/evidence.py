"""What the checks ask a gateway: one script and plain parsing, no pyinfra."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from testinfra.host import Host

from flightline.audit.check import not_applicable, unknown
from flightline.serving import layout
from roles.gateway.config import JWT_KEY
from roles.gateway.settings import GatewaySettings

_SCRIPT = Path(__file__).with_name("live.sh").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Slot:
    """A server of HAProxy, as `show servers state` has it."""

    backend: str
    name: str
    address: str
    weight: int
    first_weight: int
    """As the configuration has it."""
    is_drained: bool
    is_in_maintenance: bool

    @property
    def label(self) -> str:
        """As the runtime commands name it."""
        return f"{self.backend}/{self.name}"

    @property
    def takes_requests(self) -> bool:
        """Whether new requests may come."""
        return self.weight > 0 and not self.is_drained and not self.is_in_maintenance


@dataclass(frozen=True)
class Report:
    """Everything the script said, by key; repeated keys in their order."""

    said: Mapping[str, tuple[str, ...]]

    def of(self, key: str) -> str:
        """Return the last value of a key, empty without one."""
        return self.said.get(key, ("",))[-1]

    def all(self, key: str) -> tuple[str, ...]:
        """Return every value of a key."""
        return self.said.get(key, ())

    def slots(self, kind: str) -> dict[str, Slot]:
        """Return the models' servers by label: "live" now, "saved" in the file."""
        found = [_slot(line.split()) for line in self.all(f"{kind}.state")]
        return {each.label: each for each in found if each.backend.startswith(("model.", "grpc."))}

    @property
    def answers(self) -> dict[str, str]:
        """The status that each path got without a key."""
        pairs = (line.split() for line in self.all("answer"))
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def script(settings: GatewaySettings) -> str:
    """Return the question to a node, whose answer `parse_report` reads."""
    values = {
        "address": host_of(settings.address),
        "port": str(settings.port),
        "public": "yes" if settings.public else "no",
        "socket": layout.GATEWAY_SOCKET,
        "state": layout.GATEWAY_STATE,
        "config": layout.GATEWAY_CONFIG,
        "jwt": JWT_KEY,
    }
    lines = (f"{name}={shlex.quote(value)}" for name, value in values.items())
    return "\n".join((*lines, _SCRIPT))


def host_of(address: str) -> str:
    """Return where the node itself reaches what is bound to an address, as URLs have it."""
    if address == "*":
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address


def report(host: Host, settings: GatewaySettings) -> Report:
    """Return the evidence; ends the check as not applicable where no gateway is declared."""
    if not settings.enabled:
        not_applicable("GatewaySettings.enabled is False")
    try:
        return parsed(host.run(script(settings)).stdout)
    except (ValueError, IndexError) as error:
        unknown(f"{error}.")


def public(host: Host, settings: GatewaySettings) -> Report:
    """Return the evidence; ends the check as not applicable where no client enters."""
    found = report(host, settings)
    if not settings.public:
        not_applicable("GatewaySettings.public is False: no client enters here")
    return found


@lru_cache(maxsize=16)
def parsed(printed: str) -> Report:
    """Return the report; an audit re-runs its checks, and all of them ask for it."""
    return parse_report(printed)


def parse_report(printed: str) -> Report:
    """Return what the script said.

    Real lines (HAProxy 2.6.12, Debian 12): "live.Version=2.6.12-1+deb12u4",
    "server=model.chat n1.chat-a UP L7OK", "live.state=model.chat n1.chat-a 127.0.0.1 100 100 0 0",
    "tls.new=TLSv1.3". Raises ValueError where the end is missing.
    """
    said: dict[str, list[str]] = {}
    for line in printed.splitlines():
        key, sign, value = line.partition("=")
        if sign:
            said.setdefault(key, []).append(value.strip())
    if printed.splitlines()[-1:] != ["end"]:
        raise ValueError("the gateway cannot be read: the answer is cut short")
    return Report({key: tuple(values) for key, values in said.items()})


def _slot(words: list[str]) -> Slot:
    backend, name, address, weight, first, drained, maintained = words
    return Slot(backend, name, address, int(weight), int(first), drained == "1", maintained == "1")
