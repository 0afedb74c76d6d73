"""Where serving keeps things on a node, and how they are named.

A service is a model served by one engine on one node. It has two slots, a and b, so that a new
version can start beside the old one: each slot is a unit, a container and a port of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Letter = Literal["a", "b"]
LETTERS: tuple[Letter, Letter] = ("a", "b")

ENGINES = "/etc/flightline/engines"
"""Holds a folder for each slot: what its unit runs."""

STATES = "/var/lib/flightline/serving"
"""Holds `<service>.json` for each service: state.py."""

PKI = "/etc/flightline/pki"
GATEWAY_CERTIFICATE = f"{PKI}/gateway.pem"
"""Key, certificate and chain that clients meet; mode 600."""
NODE_CERTIFICATE = f"{PKI}/node.pem"
"""Key, certificate and chain that this node shows to other nodes, as server and as client."""
NODES_AUTHORITY = f"{PKI}/nodes-ca.pem"
"""Authorities that certificates of other nodes must come from."""

GATEWAY = "/etc/flightline/gateway"
GATEWAY_CONFIG = f"{GATEWAY}/haproxy.cfg"
GATEWAY_KEYS = f"{GATEWAY}/keys.map"
GATEWAY_UNIT = "flightline-gateway.service"
GATEWAY_SOCKET = "/run/flightline-gateway/admin.sock"
GATEWAY_STATE = "/var/lib/flightline/gateway/servers.state"
"""Weights and drains, saved after each change: HAProxy loads them at its start."""

PROGRAMS = "/usr/local/lib/flightline"
GATEWAY_CTL = f"{PROGRAMS}/gateway-ctl"
"""Runs one runtime command, and saves the servers' state when the command may have changed it."""
GATEWAY_KEYS_LOAD = f"{PROGRAMS}/gateway-keys"
"""Makes the running gateway's keys those of the file, in one transaction; `-` takes the file from
standard input and writes it first."""
GATEWAY_CERTIFICATES_LOAD = f"{PROGRAMS}/gateway-certificates"
"""Hands the certificates on disk to the running gateway, without a reload."""
MODEL_VERIFY = f"{PROGRAMS}/model-verify"
"""`model-verify STORE NAME VERSION`: exit 0 when every file is as the manifest says."""

WEIGHT_FULL = 100
"""Weight of a slot that takes all of its service's requests; 0 takes none."""


def slot(service: str, letter: Letter) -> str:
    """Return the slot's name: chat-a."""
    return f"{service}-{letter}"


def other(letter: Letter) -> Letter:
    """Return the other slot's letter."""
    return "b" if letter == "a" else "a"


def unit(slot: str) -> str:
    """Return the systemd unit that runs a slot."""
    return f"flightline-engine@{slot}.service"


def container(slot: str) -> str:
    """Return the name of a slot's container."""
    return f"flightline-{slot}"


def slot_port(port: int, letter: Letter) -> int:
    """Return a slot's port: slot a has the service's port, slot b the next one."""
    return port + LETTERS.index(letter)


SIDE_PORTS: Mapping[str, int] = {"fastchat": 2}
"""Ports that a slot takes from its service's side port on, by kind of engine; one elsewhere."""


def side_ports(engine: str, first: int) -> tuple[tuple[int, Letter], ...]:
    """Return the side ports of both slots of a service, with the slot's letter."""
    rounds = range(SIDE_PORTS.get(engine, 1))
    return tuple(
        (slot_port(first, letter) + 2 * each, letter) for each in rounds for letter in LETTERS
    )


def backend(model: str) -> str:
    """Return the name of a model's backend in the gateway."""
    return f"model.{model}"


def server(node: str, slot: str) -> str:
    """Return the name of a slot's server in its backend, on every gateway."""
    return f"{node}.{slot}"


def version_folder(store: str, model: str, version: str) -> str:
    """Return the folder of one version of a model."""
    return f"{store}/{model}/{version}"


def current_link(store: str, model: str) -> str:
    """Return the link to the version that serves."""
    return f"{store}/{model}/current"
