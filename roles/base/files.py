"""The files of the role: what lands where, checked by its reader before, put to use after."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial

from flightline.operations.bundle import File, Hook, Item, Link, Merge
from flightline.templates import render
from roles.base import merges
from roles.base.distributions import DEBIAN, Distribution
from roles.base.settings import BaseSettings

SSHD = "/etc/ssh/sshd_config.d/00-flightline.conf"
SUDOERS = "/etc/sudoers.d/90-flightline-operators"
JOURNALD = "/etc/systemd/journald.conf.d/60-flightline.conf"
APT = "/etc/apt/apt.conf.d/52flightline"
NEEDRESTART = "/etc/needrestart/conf.d/flightline.conf"
DNF_AUTOMATIC = "/etc/dnf/automatic.conf"
LOCALTIME = "/etc/localtime"


def items(
    settings: BaseSettings, node: str, distribution: Distribution, *, is_ubuntu: bool
) -> list[Item]:
    """Return every file of the role for the node named `node` in the inventory."""
    return [
        *_name(settings, node),
        *_time(settings, distribution),
        *_upgrades(settings, distribution, is_ubuntu=is_ubuntu),
        _file(JOURNALD, settings),
        _file(distribution.locale_path, settings, template="etc/default/locale"),
        _file(SUDOERS, settings, mode="440", validate="visudo -cf {staged}"),
        _file(SSHD, settings, mode="600", validate=sshd_guard()),
    ]


def hooks(
    settings: BaseSettings, distribution: Distribution, *, has_sudo_password: bool = False
) -> list[Hook]:
    """Return what puts changed files to use; each leaves the old ones in force when it fails.

    `has_sudo_password`: the run answers sudo's question, so that a rule may ask for a password.
    """
    ssh, chrony = distribution.ssh_unit, distribution.chrony_unit
    # chronyd reads the whole configuration as it would at its start; restarting comes only then.
    # Up to 10 s for the first answers, so that the audit that follows finds a settled clock.
    restart = f"chronyd -p > /dev/null && systemctl restart {chrony}"
    settle = "{ chronyc -n waitsync 10 0 0 1 > /dev/null || :; }"
    return [
        Hook(f"test -e {LOCALTIME} # the zone {settings.timezone} exists", (LOCALTIME,)),
        Hook(f"{restart} && {settle}", (distribution.chrony_config, _chrony(distribution))),
        # The account that this run uses must still become root: the next command needs it.
        Hook(_becomes_root(has_password=has_sudo_password), (SUDOERS,)),
        # The flush moves what was logged so far to the disk, and logs the limits in force.
        Hook("systemctl restart systemd-journald && journalctl --flush", (JOURNALD,)),
        Hook(f"sshd -t && systemctl try-reload-or-restart {ssh}", (SSHD,)),
    ]


def _becomes_root(*, has_password: bool) -> str:
    """Tried as a run does it; the password is not on the node, so there sudo's rules must do."""
    trial = 'runuser -u "$SUDO_USER" -- sudo -n -k sh -c :'
    if has_password:
        trial = 'sudo -n -l -U "$SUDO_USER" | grep -q "[):] ALL$"'
    return f'test -z "${{SUDO_USER:-}}" || {trial}'


def sshd_guard() -> str:
    """Return the shell command that judges the staged sshd drop-in; see templates/base/validate."""
    script = shlex.quote(render("base/validate/sshd.sh.j2"))
    return f": sshd -t, and a way in for this run\nsh -c {script} sshd {{staged}}"


def _name(settings: BaseSettings, node: str) -> list[Item]:
    entries = [(entry.address, entry.names) for entry in settings.hosts]
    own = settings.hostname_of(node)
    merge: Callable[[str | None], str] = partial(merges.hosts, entries=entries, own=own)
    return [Merge("/etc/hosts", merge)]


def _time(settings: BaseSettings, distribution: Distribution) -> list[Item]:
    folder = None if distribution.chrony_reads_folder else distribution.chrony_folder
    merge = partial(merges.chrony, own_sources=settings.ntp_servers is not None, folder=folder)
    return [
        _file(_chrony(distribution), settings, template="etc/chrony/conf.d/flightline.conf"),
        Merge(distribution.chrony_config, merge),
        Link(LOCALTIME, f"/usr/share/zoneinfo/{settings.timezone}"),
    ]


def _upgrades(settings: BaseSettings, distribution: Distribution, *, is_ubuntu: bool) -> list[Item]:
    if distribution.upgrader != DEBIAN.upgrader:
        merge = partial(merges.dnf_automatic, prefixes=settings.upgrade_blocklist)
        return [Merge(DNF_AUTOMATIC, merge)] if settings.automatic_upgrades else []
    check = "apt-config -c {staged} dump > /dev/null"
    files: list[Item] = [_file(APT, settings, validate=check)]
    if is_ubuntu:  # there by default only on Ubuntu
        files.append(_file(NEEDRESTART, settings))
    return files


def _chrony(distribution: Distribution) -> str:
    return f"{distribution.chrony_folder}/flightline.conf"


def _file(
    path: str,
    settings: BaseSettings,
    *,
    template: str | None = None,
    mode: str = "644",
    validate: str | None = None,
) -> File:
    values = {name: getattr(settings, name) for name in BaseSettings.model_fields}
    content = render(f"base/{template or path.lstrip('/')}.j2", **values)
    return File(path, content, mode=mode, validate=validate)
