"""The role's operations: files, the node's authorities signed here, certificates made there."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.api.state import StateStage
from pyinfra.context import host, state

from flightline.errors import FlightlineError, NodeRefused
from flightline.operations.bundle import Item, bundle
from flightline.operations.packages import installed
from flightline.operations.refusal import Refusal
from flightline.serving import authority
from flightline.serving.authority import Kind
from roles.pki import files, wanted
from roles.pki.facts import Certificates, PkiState
from roles.pki.settings import PkiSettings

_DISABLED = "no certificates are declared (PkiSettings.enabled)"
_RENEW = (
    f"systemctl start {wanted.SERVICE} || "
    f"{{ journalctl -u {wanted.SERVICE} -n 6 -o cat --no-pager >&2; exit 1; }}"
)


@operation()
def pki_files(settings: PkiSettings, node: str, address: str | None) -> Generator[StringCommand]:
    """openssl, the programs, their timer and the trusted roots are on the node.

    + settings: what is declared
    + node: the inventory's name
    + address: where other nodes reach it; None: nowhere

    Two remote commands when nothing differs, none when nothing is declared. The internal authority
    is made on this computer at the first run, never by a plan, and never for a node that has one.
    """
    if not settings.enabled:
        host.noop(_DISABLED)
        return
    try:
        wanted.refuse_names(settings, node, address)
        _refuse_second_authority(settings)
        if state.current_stage is StateStage.Execute:
            authority.ensure(wanted.folder(settings))
        items = _items(settings, node, address)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    yield from installed._inner(packages=files.packages(settings))
    if items is None:
        yield StringCommand("# makes the internal authority on the operator's computer first")
        return
    yield from bundle._inner(items=items, hooks=files.hooks())


@operation()
def node_certified(
    settings: PkiSettings, node: str, address: str | None
) -> Generator[StringCommand]:
    """The node's authorities are signed for its names, and its certificates are made from them.

    + settings: what is declared
    + node: the inventory's name
    + address: where other nodes reach it; None: nowhere

    One remote command when nothing differs, none when nothing is declared. Keys are made on the
    node; only requests and certificates travel. An interrupted run is taken up where it ended.
    """
    if not settings.enabled:
        host.noop(_DISABLED)
        return
    try:
        found = _state()
        unsigned = _unsigned(settings, found, node, address)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    if unsigned:
        yield from _sign(settings, unsigned, node, address)
    if unsigned or found.due or found.failed:
        yield StringCommand(_RENEW)
    if not found.timer_runs:
        yield StringCommand(f"systemctl start {wanted.TIMER}")
    if not (unsigned or found.due or found.failed) and found.timer_runs:
        host.noop("the certificates are as declared")


def _refuse_second_authority(settings: PkiSettings) -> None:
    """Raise NodeRefused where the authority that this node has got certificates from is missing."""
    place = wanted.folder(settings)
    if authority.is_made(place):
        return
    found = host.get_fact(PkiState)
    if found is not None and any(found.authorities.values()):
        raise NodeRefused(
            f"the node has certificates of an authority that is not in {place} "
            "(PkiSettings.authority_folder); a new one would cut this node off from the others and "
            "from its clients: restore the folder from its backup, or apply where it is."
        )


def _items(settings: PkiSettings, node: str, address: str | None) -> Sequence[Item] | None:
    """The files, or None in a plan before the internal authority is made."""
    planning = state.current_stage is not StateStage.Execute
    if planning and not authority.is_made(wanted.folder(settings)):
        return None
    return files.items(settings, node, address)


def _state() -> Certificates:
    found = host.get_fact(PkiState)
    if found is None:
        raise NodeRefused("the node did not say which certificates it has.")
    return found


def _unsigned(
    settings: PkiSettings, found: Certificates, node: str, address: str | None
) -> tuple[Kind, ...]:
    """The kinds whose authority on the node must be signed."""
    place = wanted.folder(settings)
    if not authority.is_made(place):
        return wanted.kinds(settings)
    return tuple(
        kind
        for kind in wanted.kinds(settings)
        if authority.problem(
            found.authorities.get(kind, ""),
            authority.current(place, kind),
            kind,
            wanted.names(settings, kind, node, address),
        )
    )


def _sign(
    settings: PkiSettings, kinds: Sequence[Kind], node: str, address: str | None
) -> Generator[StringCommand]:
    """Have the node make keys, sign its requests on this computer, and give it the certificates."""
    yield StringCommand(f"{files.AUTHORITY} request {' '.join(kinds)}")
    if state.current_stage is not StateStage.Execute:
        return
    try:
        requests = _state().requests
        signed = {
            kind: authority.sign_authority(
                authority.root_of(wanted.folder(settings), kind),
                requests.get(kind, ""),
                kind,
                node,
                wanted.names(settings, kind, node, address),
            )
            for kind in kinds
        }
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    for kind, certificate in signed.items():
        yield StringCommand(f"{files.AUTHORITY} install {kind}", _stdin=certificate)
