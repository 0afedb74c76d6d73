"""The role's files: programs, what is declared, the units."""

from __future__ import annotations

from flightline.operations.bundle import Absent, Directory, File, Hook, Item, Link
from flightline.serving import layout, store
from flightline.templates import render
from roles.models.settings import ModelsSettings

SETTINGS = "/etc/flightline/models/settings"
DECLARED = store.DECLARED
PROGRAMS = layout.PROGRAMS
FETCH = f"{PROGRAMS}/model-fetch"
READAHEAD = f"{PROGRAMS}/model-readahead"
FETCH_UNIT = "/etc/systemd/system/flightline-models-fetch.service"
READAHEAD_UNIT = "/etc/systemd/system/flightline-models-readahead.service"
WANTS = "/etc/systemd/system/multi-user.target.wants/flightline-models-readahead.service"

_SHELL = "sh -n {staged}"


def items(settings: ModelsSettings) -> tuple[Item, ...]:
    """Return every path that the role owns, the versions themselves aside."""
    return (
        Directory("/etc/flightline/models"),
        Directory(store.RECORDS, mode="700"),
        Directory(
            settings.store, mode=settings.folder_mode, owner=settings.owner, group=settings.group
        ),
        File(SETTINGS, _rendered(SETTINGS, settings), validate=_SHELL),
        File(DECLARED, _rendered(DECLARED, settings)),
        *(_program(name) for name in ("model-store.sh", "model-transport.sh")),
        *(_program(name, "755") for name in ("model-fetch", "model-verify")),
        File(FETCH_UNIT, _rendered(FETCH_UNIT, settings)),
        *_readahead(settings),
    )


def hooks(settings: ModelsSettings) -> tuple[Hook, ...]:
    """Return what makes changed files take effect."""
    reload = Hook("systemctl daemon-reload", (FETCH_UNIT, READAHEAD_UNIT))
    if settings.readahead_kib is None:
        return (reload,)
    start = Hook("systemctl restart flightline-models-readahead.service", (READAHEAD_UNIT,))
    return (reload, start)


def _readahead(settings: ModelsSettings) -> tuple[Item, ...]:
    if settings.readahead_kib is None:
        return (Absent(WANTS), Absent(READAHEAD_UNIT))
    return (
        _program("model-readahead", "755"),
        File(READAHEAD_UNIT, _rendered(READAHEAD_UNIT, settings)),
        Link(WANTS, READAHEAD_UNIT),
    )


def _program(name: str, mode: str = "644") -> File:
    path = f"{PROGRAMS}/{name}"
    return File(path, render(f"models{path}"), mode=mode, validate=_SHELL)


def _rendered(path: str, settings: ModelsSettings) -> str:
    return render(f"models{path}.j2", settings=settings, store=store)
