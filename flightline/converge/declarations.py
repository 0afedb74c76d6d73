"""What group_data declares for the chosen hosts, judged before anything is connected to."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Mapping

from pyinfra.api.host import Host

from flightline.audit.selection import settings_classes
from flightline.errors import FlightlineError
from flightline.reboot import RebootSettings
from flightline.settings import Settings, declared

LIKENESS = 0.8
"""Of difflib: `krenel` is 0.83 like `kernel`; `ssh_key`, the nearest of pyinfra's own, 0.46."""


def check_declarations(hosts: Iterable[Host]) -> None:
    """Hold that every host's settings are of the right types, under names that a role reads.

    Raises FlightlineError with every problem, each named once.
    """
    kinds: dict[str, type[Settings]] = {**settings_classes(), "reboot": RebootSettings}
    found: dict[str, None] = {}
    for host in hosts:
        found |= dict.fromkeys(_mistyped(host, kinds)) | dict.fromkeys(_misnamed(host, kinds))
    if found:
        raise FlightlineError(" ".join(found))


def declared_warnings(hosts: Iterable[Host]) -> tuple[str, ...]:
    """Return what is allowed and unwise in the hosts' settings, each sentence once."""
    kinds: dict[str, type[Settings]] = {**settings_classes(), "reboot": RebootSettings}
    today = datetime.datetime.now(datetime.UTC).date()
    found = (
        f"{kind.__name__}: {warning}"
        for host in hosts
        for name, kind in kinds.items()
        for warning in declared(host.data, name, kind).warnings(today)
    )
    return tuple(dict.fromkeys(found))


def _mistyped(host: Host, kinds: Mapping[str, type[Settings]]) -> list[str]:
    problems = []
    for name, kind in kinds.items():
        try:
            declared(host.data, name, kind)
        except FlightlineError as error:
            problems.append(error.message)
    return problems


def _misnamed(host: Host, kinds: Iterable[str]) -> list[str]:
    """Settings under a name that nothing reads would leave the defaults in place unnoticed."""
    near = {
        name: difflib.get_close_matches(name, kinds, 1, LIKENESS)
        for name in host.data.dict()
        if name not in kinds and not name.startswith("_")  # pyinfra's own, such as _sudo
    }
    return [
        f"group_data: nothing reads {name}; did you mean {meant[0]}?"
        for name, meant in near.items()
        if meant
    ]
