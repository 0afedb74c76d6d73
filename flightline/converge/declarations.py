"""What group_data declares for the chosen hosts, judged before anything is connected to."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Mapping, Sequence

from pyinfra.api.host import Host

from flightline.audit.selection import settings_classes
from flightline.errors import FlightlineError
from flightline.reboot import RebootSettings
from flightline.serving import declared as serving
from flightline.settings import Settings, declared

LIKENESS = 0.8
"""Of difflib: `krenel` is 0.83 like `kernel`; `ssh_key`, the nearest of pyinfra's own, 0.46."""


def check_declarations(hosts: Iterable[Host]) -> None:
    """Hold that every host's settings are of the right types, under names that a role reads.

    And that those of several roles go together. Raises FlightlineError with every problem, each
    named once.
    """
    kinds: dict[str, type[Settings]] = {**settings_classes(), "reboot": RebootSettings}
    found: dict[str, None] = {}
    chosen = list(hosts)
    for host in chosen:
        found |= dict.fromkeys(_mistyped(host, kinds)) | dict.fromkeys(_misnamed(host, kinds))
    found = found or {f"{each}.": None for each in serving.problems(chosen, _everyone(chosen))}
    if found:
        raise FlightlineError(" ".join(found))


def declared_warnings(hosts: Iterable[Host]) -> tuple[str, ...]:
    """Return what is allowed and unwise in the hosts' settings, each sentence once."""
    kinds: dict[str, type[Settings]] = {**settings_classes(), "reboot": RebootSettings}
    today = datetime.datetime.now(datetime.UTC).date()
    chosen = list(hosts)
    found = (
        f"{kind.__name__}: {warning}"
        for host in chosen
        for name, kind in kinds.items()
        for warning in declared(host.data, name, kind).warnings(today)
    )
    together = (f"{each}." for each in serving.warnings(chosen, _everyone(chosen)))
    return tuple(dict.fromkeys((*found, *together)))


def declared_notes(hosts: Iterable[Host]) -> tuple[str, ...]:
    """Return what the declarations mean for a later switch of models, a sentence each."""
    return tuple(f"{each}." for each in serving.notes(hosts))


def _everyone(chosen: Sequence[Host]) -> tuple[Host, ...]:
    """Return all hosts of the inventory that the chosen ones are of."""
    return tuple(chosen[0].inventory) if chosen else ()


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
