"""The gateways of an inventory, and how they come to honour the keys of their file."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightline.converge.session import Session
from flightline.errors import FlightlineError
from flightline.serving import keys_map, layout
from flightline.serving.keys import Key
from flightline.transport import Completed, run_as_root

SECONDS = 120
"""How long a gateway may take, s: 10,000 keys took 4 s (HAProxy 2.6, two cores, 2026-11-21)."""

_NOT_THERE = 127
_END = "END-OF-KEYS"


@dataclass(frozen=True)
class Gateways:
    """The gateways that clients reach, by the keys file that they follow."""

    inventory: str
    by_file: Mapping[Path, tuple[str, ...]]

    def file(self, named: str | None) -> Path:
        """Return the one keys file that is meant: the only one there is, or the one named.

        Raises FlightlineError where there is a choice, and for a file that no gateway follows.
        """
        listed = ", ".join(str(each) for each in self.by_file)
        if named is not None:
            if Path(named) in self.by_file:
                return Path(named)
            raise FlightlineError(
                f"no gateway of {self.inventory} follows {named} (GatewaySettings.keys_file); "
                f"there is {listed}."
            )
        if len(self.by_file) > 1:
            raise FlightlineError(
                f"the gateways of {self.inventory} follow several keys files ({listed}); "
                "choose one with --keys-file."
            )
        return next(iter(self.by_file))


def gateways(session: Session, inventory: str) -> Gateways:
    """Return the gateways, and leave only them chosen in a session that is not open yet.

    Raises FlightlineError where there is none.
    """
    by_file: dict[Path, tuple[str, ...]] = {}
    for host in session.chosen:
        settings = session.data(host, "gateway")
        if settings is not None and settings.enabled and settings.public:
            path = Path(settings.keys_file)
            by_file[path] = (*by_file.get(path, ()), host.name)
    if not by_file:
        raise FlightlineError(
            f"{inventory} has no gateway; set enabled=True in the GatewaySettings of a group."
        )
    names = {name for each in by_file.values() for name in each}
    session.chosen = [host for host in session.chosen if host.name in names]
    return Gateways(inventory, by_file)


def only(session: Session, names: Iterable[str]) -> None:
    """Leave only these nodes chosen, in a session that is not open yet."""
    wanted = set(names)
    session.chosen = [host for host in session.chosen if host.name in wanted]


def pushed(
    session: Session,
    wanted: Mapping[str, Sequence[Key]],
    moment: datetime.datetime,
    *,
    may_drop: bool,
) -> dict[str, str]:
    """Make every chosen gateway honour its keys; return why not, by name, for those that do not.

    `wanted` has the keys by node. One remote command for each; the map travels on its standard
    input. The session is open. A key that was revoked on a gateway is not honoured there again;
    keys that the list never had are dropped with `may_drop`, otherwise that gateway refuses.
    """
    word = "-" if may_drop else "newer"
    scripts = {
        name: _script(word, keys_map.rendered(each, moment)) for name, each in wanted.items()
    }
    done = session.map(lambda host: run_as_root(host, scripts[host.name], timeout_seconds=SECONDS))
    troubles = {name: _trouble(each) for name, each in done.items()}
    return {**_unreached(session), **{name: said for name, said in troubles.items() if said}}


def _script(word: str, text: str) -> str:
    return f"exec {layout.GATEWAY_KEYS_LOAD} {word} <<'{_END}'\n{text}{_END}\n"


def live(session: Session) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return the lines that each running gateway honours, and why others did not say."""
    script = f"exec {layout.GATEWAY_KEYS_LOAD} live\n"
    done = session.map(lambda host: run_as_root(host, script, timeout_seconds=SECONDS))
    troubles = {name: said for name, each in done.items() if (said := _trouble(each))}
    lines = {
        name: tuple(each.stdout.splitlines())
        for name, each in done.items()
        if isinstance(each, Completed) and name not in troubles
    }
    return lines, {**_unreached(session), **troubles}


def _unreached(session: Session) -> dict[str, str]:
    return {name: said.removeprefix(f"{name}: ") for name, said in session.failed.items()}


def _trouble(done: Any) -> str:
    """Why a gateway did not do as told; empty when it did."""
    if isinstance(done, BaseException):
        return str(done) or type(done).__name__
    if done.rc == 0:
        return ""
    if done.rc == _NOT_THERE:
        return "the gateway is not set up yet; run `flightline apply --role gateway`"
    said = (done.stderr.strip().splitlines() or [f"exit status {done.rc}"])[-1]
    return str(said).removeprefix("gateway-keys: ").rstrip(".")
