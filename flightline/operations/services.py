"""Systemd units as wanted: one query for all of them, then only what differs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.operations.refusal import Refusal

# systemctl(1), is-enabled: states in which nothing is left to enable: started by another unit, by
# a generator, or enabled already; enabled-runtime would end with the boot.
_ENABLED = frozenset({"enabled", "static", "indirect", "generated", "alias", "transient"})
_DISABLED = frozenset({"disabled", "static", "indirect", "generated", "transient", "masked", ""})


@dataclass(frozen=True)
class Service:
    """What a systemd unit is to be; None leaves that side alone.

    A masked unit cannot be started by anything, and is stopped. A unit that is wanted neither
    running nor enabled may be missing.
    """

    unit: str
    running: bool | None = True
    enabled: bool | None = True
    masked: bool = False

    @property
    def may_be_missing(self) -> bool:
        """Whether a node without the unit is as wanted."""
        return self.masked or not (self.running or self.enabled)


@dataclass(frozen=True)
class UnitState:
    """A unit as `systemctl show` has it."""

    load: str
    """LoadState: loaded, not-found, masked, bad-setting, error."""
    active: str
    """ActiveState: active, reloading, inactive, failed, activating, deactivating."""
    file: str
    """UnitFileState: enabled, disabled, static, masked and others; empty when there is no file."""

    @property
    def is_active(self) -> bool:
        """Whether it runs."""
        return self.active in ("active", "reloading")

    @property
    def is_masked(self) -> bool:
        """Whether it is masked for good, not only until the next boot."""
        return self.file == "masked"


class Units(FactBase[tuple[UnitState, ...] | None]):
    """States of `units` in their order; None when systemd does not answer."""

    def command(self, units: Sequence[str]) -> str:
        """Return the one query."""
        query = "LC_ALL=C systemctl show --no-pager -p LoadState,ActiveState,UnitFileState --"
        return f"{query} {shlex.join(units)}"

    def process(self, output: list[str]) -> tuple[UnitState, ...]:
        """Return the states; raises FactProcessError when the output is not systemctl's."""
        try:
            return parse_units(output)
        except KeyError as error:
            raise FactProcessError(f"systemctl show did not say {error}") from error


def parse_units(lines: Sequence[str]) -> tuple[UnitState, ...]:
    """Return one state for each block of `NAME=value` lines; an empty line ends a block.

    A real block: `LoadState=loaded`, `ActiveState=active`, `UnitFileState=enabled` (systemd 252,
    Debian 12). Raises KeyError when a block lacks one of the three.
    """
    blocks: list[dict[str, str]] = [{}]
    for line in lines:
        name, separator, value = line.partition("=")
        if separator:
            blocks[-1][name] = value
        elif blocks[-1]:
            blocks.append({})
    return tuple(
        UnitState(block["LoadState"], block["ActiveState"], block["UnitFileState"])
        for block in blocks
        if block
    )


@operation()
def services(wanted: Sequence[Service]) -> Generator[StringCommand]:
    """Every unit runs, is enabled and is masked as wanted.

    + wanted: the units; each once

    One remote command when nothing differs, one more for each kind of difference. A unit that the
    node does not have ends its run with a sentence that names it; a unit that does not start, with
    its last log lines.
    """
    if not wanted:
        host.noop("no unit is declared")
        return
    states = host.get_fact(Units, units=tuple(service.unit for service in wanted))
    if states is None or len(states) != len(wanted):
        yield Refusal("systemd did not say how its units are; is it the node's init?")
        return
    pairs = list(zip(wanted, states, strict=True))
    missing = [service.unit for service, state in pairs if _is_missing(service, state)]
    if missing:
        yield Refusal(
            f"{', '.join(missing)}: systemd has no such unit; "
            "install the package that brings it, or correct the name."
        )
        return
    commands = list(_differences(pairs))
    if not commands:
        host.noop(f"{len(wanted)} units are as declared")
    yield from commands


def _is_missing(service: Service, state: UnitState) -> bool:
    return state.load == "not-found" and not service.may_be_missing


_Need = Callable[[Service, UnitState], bool]
_NEEDS: tuple[tuple[str, _Need], ...] = (
    ("unmask", lambda s, u: not s.masked and u.is_masked and bool(s.running or s.enabled)),
    ("mask --now", lambda s, u: s.masked and (not u.is_masked or u.is_active)),
    ("disable", lambda s, u: _unwanted(s, u) and u.file not in _DISABLED),
    ("stop", lambda s, u: not s.masked and s.running is False and u.is_active),
    ("enable", lambda s, u: s.enabled is True and not s.masked and u.file not in _ENABLED),
    ("start", lambda s, u: s.running is True and not s.masked and not u.is_active),
)


def _unwanted(service: Service, state: UnitState) -> bool:
    return service.enabled is False and not service.masked and state.load != "not-found"


def _differences(pairs: Sequence[tuple[Service, UnitState]]) -> Generator[StringCommand]:
    """One command for each verb that some units need."""
    for verb, needs in _NEEDS:
        units = [service.unit for service, state in pairs if needs(service, state)]
        if units:
            yield StringCommand(_told(f"systemctl {verb} {shlex.join(units)}", units))


def _told(command: str, units: Sequence[str]) -> str:
    """The command, with the units' state and last log lines on stderr when it fails."""
    status = f"systemctl status --no-pager --full --lines=5 {shlex.join(units)}"
    return f"{command} || {{ {status} >&2; exit 1; }}"
