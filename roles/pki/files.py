"""The role's files for one node, and what runs when they change."""

from __future__ import annotations

from functools import partial

from flightline.operations.bundle import Absent, Directory, File, Hook, Item, Link, Merge
from flightline.serving.layout import (
    GATEWAY_CERTIFICATES_LOAD,
    GATEWAY_UNIT,
    NODES_AUTHORITY,
    PKI,
    PROGRAMS,
)
from flightline.templates import render
from roles.pki import wanted
from roles.pki.settings import PkiSettings

RENEW = f"{PROGRAMS}/pki-renew"
AUTHORITY = f"{PROGRAMS}/pki-authority"
_SYSTEMD = "/etc/systemd/system"
SERVICE = f"{_SYSTEMD}/{wanted.SERVICE}"
TIMER = f"{_SYSTEMD}/{wanted.TIMER}"
WANTS = f"{_SYSTEMD}/timers.target.wants/{wanted.TIMER}"
BOOT = f"{_SYSTEMD}/multi-user.target.wants/{wanted.SERVICE}"
"""The timer alone may fire ten minutes after a boot."""

_RESTART_TIMER = (
    f"systemctl daemon-reload && systemctl try-restart {wanted.TIMER}"  # a changed calendar
)
_HAND_OVER = (
    f"if [ -x {GATEWAY_CERTIFICATES_LOAD} ] && systemctl -q is-active {GATEWAY_UNIT}; then "
    f"{GATEWAY_CERTIFICATES_LOAD}; fi"
)


def items(settings: PkiSettings, node: str, address: str | None) -> tuple[Item, ...]:
    """Return every path that the role owns on this node; raises FlightlineError without a root."""
    return (
        Directory(PKI),
        Directory(wanted.AUTHORITIES, mode="700"),
        File(wanted.ROOT, wanted.gateway_root(settings)),
        Merge(NODES_AUTHORITY, partial(wanted.kept_root, settings, wanted.nodes_root(settings))),
        _acme_root(settings),
        File(wanted.CONF, _conf(settings, node, address), validate="sh -n {staged}"),
        _program(RENEW),
        _program(AUTHORITY),
        File(SERVICE, render(f"pki{SERVICE}.j2", needs_network=settings.source == "acme")),
        File(TIMER, render(f"pki{TIMER}.j2")),
        Link(WANTS, TIMER),
        Link(BOOT, SERVICE),
    )


def hooks() -> tuple[Hook, ...]:
    """Return what runs after the moves; new certificates are made afterwards."""
    return (
        Hook(_RESTART_TIMER, (SERVICE, TIMER, WANTS, BOOT)),
        Hook(_HAND_OVER, (NODES_AUTHORITY,)),
    )


def packages(settings: PkiSettings) -> tuple[str, ...]:
    """Return what the programs need; certbot comes without its own timer's work: see the hooks."""
    return ("openssl", *(("certbot",) if settings.source == "acme" else ()))


def _acme_root(settings: PkiSettings) -> Item:
    if settings.acme is None:
        return Absent(wanted.ACME_ROOT)
    path = settings.acme.server_root_file
    if path is None:
        return File(wanted.ACME_ROOT, wanted.gateway_root(settings))
    return File(wanted.ACME_ROOT, wanted.site_root(path, "AcmeSettings.server_root_file"))


def _conf(settings: PkiSettings, node: str, address: str | None) -> str:
    return render(
        f"pki{wanted.CONF}.j2",
        settings=settings,
        gateway_names=wanted.gateway_names(settings, node),
        node_names=wanted.node_names(node, address),
    )


def _program(path: str) -> File:
    return File(path, render(f"pki{path}"), mode="755", validate="sh -n {staged}")
