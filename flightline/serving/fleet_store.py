"""Model stores of an inventory's nodes: read or hashed, one remote command for each node."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flightline.errors import FlightlineError
from flightline.serving import layout, store
from flightline.serving.store import Store, parse_store

READ_SECONDS = 120
HASH_SECONDS = 6 * 3600
"""A petabyte-sized store aside, no node needs longer: 10 TB at 0.5 GB/s."""


@dataclass(frozen=True)
class Wanted:
    """A declared version, whoever declared it."""

    name: str
    version: str
    manifest: str


@dataclass(frozen=True)
class NodeStore:
    """What came of reading one node's store."""

    node: str
    declared: tuple[Wanted, ...] = ()
    found: Store | None = None
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """What hashing one version on one node showed."""

    node: str
    name: str
    version: str
    problem: str
    """Empty: every file is as its manifest says."""
    is_known: bool = True
    """Whether the version could be judged at all."""


def declared(data: Any) -> tuple[Wanted, ...]:
    """Return the versions that a host's data declares, in their order."""
    settings = data.get("models")
    return tuple(
        Wanted(model.name, each.version, each.manifest_sha256)
        for model in (settings.models if settings is not None else ())
        for each in model.versions
    )


def read(session: Any) -> list[NodeStore]:
    """Return every chosen node's store, in the inventory's order; one that fails says why."""
    outcome = session.map(_read)
    return [_node_store(session, host, outcome) for host in session.chosen]


def verify(session: Any, model: str | None = None, version: str | None = None) -> list[Verdict]:
    """Hash the declared versions on every chosen node, all nodes at once.

    Raises FlightlineError when no node declares what is asked for.
    """
    wanted = {
        host.name: tuple(each for each in declared(host.data) if _is_asked(each, model, version))
        for host in session.chosen
    }
    if not any(wanted.values()):
        asked = " ".join(each for each in (model, version) if each) or "a model"
        raise FlightlineError(
            f"no node declares {asked}; `flightline model list` shows what they declare."
        )
    outcome = session.map(lambda host: _verified(host, wanted[host.name]))
    verdicts: list[Verdict] = []
    for host in session.chosen:
        result = outcome.get(host.name, session.failed.get(host.name, "it was not reached"))
        verdicts += (
            result
            if isinstance(result, list)
            else _unknown(host, wanted, str(result).removeprefix(f"{host.name}: "))
        )
    return verdicts


def verifying(place: str, wanted: Iterable[Wanted]) -> str:
    """Return the script that hashes versions and says of each, on a line of its own, how it is."""
    program = layout.MODEL_VERIFY
    lines = [f"[ -x {program} ] || {{ echo absent; exit 0; }}"]
    for each in wanted:
        words = shlex.join([program, place, each.name, each.version, "--full"])
        of = f"{each.name} {each.version}"
        lines.append(
            f'if said=$({words} 2>&1); then echo "right {of}"; else echo "wrong {of} $said"; fi'
        )
    return "\n".join([*lines, "echo end"])


def parse_verdicts(node: str, wanted: Sequence[Wanted], text: str) -> list[Verdict]:
    """Return a verdict for each wanted version; one without a line of its own is unknown."""
    lines = text.splitlines()
    if "absent" in lines:
        why = "the role models has not been applied on this node"
        return [Verdict(node, each.name, each.version, why, is_known=False) for each in wanted]
    return [_verdict(node, each, lines) for each in wanted]


def _verdict(node: str, each: Wanted, lines: Sequence[str]) -> Verdict:
    of = f"{each.name} {each.version}"
    if f"right {of}" in lines:
        return Verdict(node, each.name, each.version, "")
    said = next((line for line in lines if line.startswith(f"wrong {of} ")), None)
    if said is None:
        return Verdict(node, each.name, each.version, "the node did not say", is_known=False)
    return Verdict(node, each.name, each.version, said.removeprefix(f"wrong {of} "))


def _verified(host: Any, wanted: tuple[Wanted, ...]) -> list[Verdict]:
    from flightline.transport import run_as_root  # noqa: PLC0415 - loads pyinfra: live nodes only

    if not wanted:
        return []
    script = verifying(host.data.get("models").store, wanted)
    done = run_as_root(host, script, timeout_seconds=HASH_SECONDS)
    return parse_verdicts(host.name, wanted, done.stdout)


def _unknown(host: Any, wanted: dict[str, tuple[Wanted, ...]], why: str) -> list[Verdict]:
    return [
        Verdict(host.name, each.name, each.version, why, is_known=False)
        for each in wanted[host.name]
    ]


def _is_asked(each: Wanted, model: str | None, version: str | None) -> bool:
    return model in (None, each.name) and version in (None, each.version)


def _read(host: Any) -> Store | None:
    from flightline.transport import run_as_root  # noqa: PLC0415 - loads pyinfra: live nodes only

    settings = host.data.get("models")
    if settings is None or not settings.models:
        return None
    script = store.script(settings.store, owner=settings.owner, group=settings.group)
    done = run_as_root(host, script, timeout_seconds=READ_SECONDS)
    return parse_store(done.stdout)


def _node_store(session: Any, host: Any, outcome: Any) -> NodeStore:
    result = outcome.get(host.name, session.failed.get(host.name, "it was not reached"))
    wanted = declared(host.data)
    if isinstance(result, Store) or result is None:
        return NodeStore(host.name, wanted, result)
    return NodeStore(host.name, wanted, problem=str(result).removeprefix(f"{host.name}: "))
