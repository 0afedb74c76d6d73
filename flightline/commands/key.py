"""`flightline key`: who may ask the gateways; hashes in a file, a key shown once."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import click

from flightline.commands import key_table
from flightline.commands.key_handover import handed_over
from flightline.converge.session import Session, connect, opened
from flightline.errors import FlightlineError
from flightline.serving import key_push, keys
from flightline.serving.key_push import Gateways
from flightline.serving.keys import Key

_FILE = click.option(
    "--keys-file", metavar="FILE", help="Which keys file, where the gateways follow several."
)


@click.group("key")
def command() -> None:
    """Add, list, revoke and push API keys of the gateways.

    The project's keys file (GatewaySettings.keys_file) holds hashes; keep it in version control.
    Exit codes: 0 every gateway has taken it; 1 some gateway has not; 2 bad usage or bad input.
    """


@command.command("add")
@click.argument("inventory")
@click.option("--name", required=True, help="Whose key: as the audit log calls it.")
@click.option("--role", type=click.Choice(get_args(keys.Role)), required=True)
@click.option("--expires", metavar="DATE", help="Last day that it is honoured (UTC), YYYY-MM-DD.")
@click.option("--requests-per-minute", type=click.IntRange(1, 1_000_000), metavar="N")
@click.option("--requests-per-day", type=click.IntRange(1, 1_000_000_000), metavar="N")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write the key to this new file (mode 600) instead of showing it.",
)
@_FILE
def add(inventory: str, output: Path | None, keys_file: str | None, **fields: Any) -> None:
    """Make a key, show it once, and have every gateway of INVENTORY honour it.

    The key is all that standard output gets.
    """
    output = None if output is None else output.absolute()
    session, gateways = _gateways(inventory)
    path = gateways.file(keys_file)
    secret = keys.new_key()
    made = _made(secret, fields)
    with keys.locked(path):  # until the gateways have it: none may get an older state after it
        if not path.exists():
            _refuse_forgotten(inventory, gateways.by_file[path], path)
            session, gateways = _gateways(inventory)
        known = _known(path, must_exist=False)
        _refuse_taken(known, made.name, path)
        kept = (*known, made)
        with handed_over(output, secret):
            _write(path, kept)
        where = "the key is kept nowhere else, so keep it now"
        told = where if output is None else f"the key is in {output}"
        click.echo(f"{made.name}: stored in {path}; {told}.", err=True)
        _push(session, gateways, {path: kept}, "does not honour the new key yet")


@command.command("revoke")
@click.argument("inventory")
@click.option("--name", required=True, help="Whose key.")
@_FILE
def revoke(inventory: str, name: str, keys_file: str | None) -> None:
    """Have no gateway of INVENTORY honour a key any more, at once; answers under way go on."""
    session, gateways = _gateways(inventory)
    path = gateways.file(keys_file)
    with keys.locked(path):
        known = _known(path)
        key = _found(known, name, path)
        if key.revoked is None:
            gone = key.model_copy(update={"revoked": keys.now()})
            known = tuple(gone if each is key else each for each in known)
            _write(path, known)
        click.echo(f"{name}: revoked in {path}.", err=True)
        _push(session, gateways, {path: known}, f"may still honour the key of {name}")


@command.command("push")
@click.argument("inventory")
def push(inventory: str) -> None:
    """Have every gateway of INVENTORY honour the keys of its file: after one was out of reach."""
    session, gateways = _gateways(inventory)
    with keys.locked(*gateways.by_file):
        listed = {path: _known(path) for path in gateways.by_file}
        _push(session, gateways, listed, "may have other keys", may_drop=True)


@command.command("list")
@click.argument("inventory")
@click.option("--offline", is_flag=True, help="Ask no gateway.")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def listing(inventory: str, offline: bool, form: str) -> None:
    """List keys, and whether each gateway of INVENTORY honours the same ones."""
    session, gateways = _gateways(inventory)
    listed = {path: _known(path) for path in gateways.by_file}
    answers: tuple[dict[str, tuple[str, ...]], dict[str, str]] | None = None
    if not offline:
        with _connected(session):
            answers = key_push.live(session)
    found = key_table.Listing(gateways, listed, answers, keys.now())
    click.echo(found.json() if form == "json" else found.text(), nl=False)
    sys.exit(0 if found.agrees else 1)


def _gateways(inventory: str) -> tuple[Session, Gateways]:
    session = opened(inventory)
    return session, key_push.gateways(session, inventory)


def _known(path: Path, *, must_exist: bool = True) -> tuple[Key, ...]:
    try:
        return keys.read(path)
    except FileNotFoundError:
        if must_exist:
            raise FlightlineError(
                f"{path} is not there, so there is no key; make one with `flightline key add`."
            ) from None
        return ()


def _made(secret: str, fields: dict[str, Any]) -> Key:
    expires = None if fields["expires"] is None else _end_of(fields["expires"])
    values = {**fields, "expires": expires, "sha256": keys.digest(secret), "created": keys.now()}
    try:
        return Key(**values)
    except FlightlineError as error:
        raise FlightlineError(error.message.partition(": ")[2]) from None


def _end_of(day: str) -> datetime.datetime:
    """The last second of a day that is still to come."""
    written = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", day)
    try:  # date.fromisoformat takes 20270630 and weeks (2027-W05), too
        found = datetime.date(*map(int, written.groups() if written else ()))
    except (TypeError, ValueError):
        raise FlightlineError(
            f"--expires is {day}, expected a day such as 2027-06-30 (YYYY-MM-DD)."
        ) from None
    end = datetime.datetime.combine(found, datetime.time(23, 59, 59), datetime.UTC)
    if end <= keys.now():
        raise FlightlineError(f"--expires is {day}, which is over; name a day to come.")
    return end


def _refuse_forgotten(inventory: str, nodes: Sequence[str], path: Path) -> None:
    """A first key is not sent to gateways that have others: it would revoke all of them."""
    with connect(inventory, nodes) as session:
        honoured, _ = key_push.live(session)
    for node, lines in honoured.items():
        if lines:
            raise FlightlineError(
                f"{path} is not there, and {node} honours {len(lines)} keys, which a new file "
                "would revoke; put the newest keys file there, such as your version control's."
            )


def _refuse_taken(known: Sequence[Key], name: str, path: Path) -> None:
    for key in known:
        if key.name == name:
            raise FlightlineError(
                f"{path}: the name {name} is taken ({key.state(keys.now())}); choose another, so "
                "that the audit log's names stay clear."
            )


def _found(known: Sequence[Key], name: str, path: Path) -> Key:
    for key in known:
        if key.name == name:
            return key
    names = ", ".join(sorted(key.name for key in known)) or "none"
    raise FlightlineError(f"{path} has no key named {name}; the names are: {names}.")


def _write(path: Path, listed: Sequence[Key]) -> None:
    try:
        keys.write(path, listed)
    except OSError as error:
        raise FlightlineError(f"{path}: cannot be written ({error.strerror}).") from None


def _push(
    session: Session,
    gateways: Gateways,
    listed: Mapping[Path, Sequence[Key]],
    otherwise: str,
    *,
    may_drop: bool = False,
) -> None:
    """Tell the gateways that follow these files; ends the command where one did not take them."""
    wanted = {name: each for path, each in listed.items() for name in gateways.by_file[path]}
    key_push.only(session, wanted)
    with _connected(session):
        troubles = key_push.pushed(session, wanted, keys.now(), may_drop=may_drop)
    click.echo(f"{len(wanted) - len(troubles)} of {len(wanted)} gateways have taken it.", err=True)
    for name, why in troubles.items():
        click.echo(
            f"{name} {otherwise}: {why.rstrip('.')}; then run "
            f"`flightline key push {gateways.inventory}`.",
            err=True,
        )
    sys.exit(1 if troubles else 0)


@contextmanager
def _connected(session: Session) -> Iterator[None]:
    try:
        session.open()
        yield
    finally:
        session.close()
