"""What differs between what a bundle wants and what the node has: pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from flightline.errors import FlightlineError, NodeRefused
from flightline.operations.bundle.items import Absent, Directory, File, Hook, Item, Link, Merge
from flightline.operations.bundle.state import Found, PathState


@dataclass(frozen=True)
class Change:
    """One path that is to change, why, and the bytes that a file is to have."""

    item: Item
    reason: str
    content: bytes = b""


@dataclass(frozen=True)
class Plan:
    """The changes, and the hooks that they or an interrupted run call for, both in order."""

    changes: tuple[Change, ...]
    hooks: tuple[Hook, ...]

    def __str__(self) -> str:
        """Return what would be told to a person, such as "/etc/motd (new), hook `x`"."""
        parts = [f"{change.item.path} ({change.reason})" for change in self.changes]
        hooks = [f"hook `{hook.command.splitlines()[0]}`" for hook in self.hooks]
        return ", ".join(parts + hooks)


def plan_of(items: Sequence[Item], hooks: Sequence[Hook], found: Found) -> Plan:
    """Return what is to be done; empty when everything is as wanted.

    Raises NodeRefused, naming all paths, when something stands there that a bundle never replaces.
    """
    changes, problems = [], []
    for item, state in zip(items, found.paths, strict=True):
        try:
            change = _change(item, state)
        except FlightlineError as error:
            problems.append(error.message)
        else:
            changes += [change] if change else []
    if problems:
        raise NodeRefused(" ".join(problems))
    changed = {change.item.path for change in changes}
    due = [
        hook
        for hook in hooks
        if hook.key in found.pending or (changed & set(hook.paths) if hook.paths else changed)
    ]
    return Plan(tuple(changes), tuple(due))


def _change(item: Item, state: PathState) -> Change | None:
    """Return the change that one path needs; raises NodeRefused when it must not be changed."""
    _refuse_wrong_kind(item, state)
    match item:
        case File():
            return _file_change(item, item.content.encode(errors="surrogateescape"), state)
        case Merge():
            return _file_change(item, _merged(item, state), state)
        case Directory():
            return _change_for(item, _reason(item, state))
        case Link():
            if state.kind == "link":
                return _change_for(item, "target" if state.target != item.target else "")
            return _change_for(item, _reason(None, state))
        case Absent():
            return _change_for(item, "" if state.kind == "absent" else "to be removed")


def _change_for(item: Item, reason: str, content: bytes = b"") -> Change | None:
    return Change(item, reason, content) if reason else None


def _file_change(item: File | Merge, content: bytes, state: PathState) -> Change | None:
    reason = _reason(item, state)
    if not reason and hashlib.sha256(content).hexdigest() != state.sha256:
        reason = "content"
    return _change_for(item, reason, content)


def _reason(item: File | Merge | Directory | None, state: PathState) -> str:
    if state.kind == "absent":
        return "new"
    if item is None:
        return "becomes a link"
    if int(item.mode, 8) != int(state.mode, 8):
        return f"mode {state.mode} to {item.mode}"
    if item.owner not in state.owner or item.group not in state.group:
        return f"owner {state.owner[1]}:{state.group[1]} to {item.owner}:{item.group}"
    return ""


def _merged(item: Merge, state: PathState) -> bytes:
    try:
        current = None if state.content is None else state.content.decode()
    except UnicodeDecodeError:
        raise NodeRefused(
            f"{item.path} is not UTF-8 text, so nothing can be merged into it; "
            "move it away and run again."
        ) from None
    try:
        return item.merge(current).encode()
    except FlightlineError as error:
        raise NodeRefused(f"{item.path}: {error.message}") from None


_REPLACEABLE = {
    File: ("absent", "file"),
    Merge: ("absent", "file"),
    Directory: ("absent", "directory"),
    Link: ("absent", "file", "link"),
    Absent: ("absent", "file", "link"),
}


def _refuse_wrong_kind(item: Item, state: PathState) -> None:
    accepted = _REPLACEABLE[type(item)]
    if state.kind not in accepted:
        kind = {"link": "symbolic link", "other": "device, socket or pipe"}.get(
            state.kind, state.kind
        )
        raise NodeRefused(
            f"{item.path} is a {kind}, expected a {accepted[1]} or nothing; "
            "move it away, or declare what it is to be."
        )
