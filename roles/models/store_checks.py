"""What must hold of the store: who may write it, its room, its readahead, its credentials."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable
from roles.models.evidence import stored
from roles.models.settings import ModelsSettings

_APPLY = "run `flightline apply --role models`"
_PRIVATE = ("400", "600")


@check(
    "models-store-private",
    "nobody but the declared owner can change a model",
    severity=CRITICAL,
    remedy="`chown -R` and `chmod -R go-w` the store; find out who wrote there",
)
def store_private(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    assert not found.loose, (
        f"{settings.store}: {', '.join(found.loose)}, expected {settings.owner}:{settings.group} "
        "and no write for group and others (ModelsSettings.owner, group)."
    )


@check(
    "models-fetches-finished",
    "no version is there in part",
    severity=ERROR,
    remedy=f"{_APPLY}, which goes on where the fetch stopped, or removes what nobody declares",
)
def fetches_finished(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    halves = [
        f"{each.name} {each.version} ({each.bytes >> 20} MiB, the last {each.idle_seconds} s ago)"
        for each in found.halves
    ]
    state = "a fetch is at work" if found.fetch_state == "activating" else "no fetch is at work"
    assert not halves, f"of {', '.join(halves)} only a part is there, and {state}."


@check(
    "models-room-left",
    "the store's file system has the declared room left",
    severity=WARNING,
    remedy="declare fewer versions, lower keep_versions, or give the store a larger disk",
)
def room_left(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    assert found.exists, f"{settings.store} is not there (ModelsSettings.store)."
    free = found.free_bytes / 2**30
    assert free >= settings.free_gib_min, (
        f"{settings.store} has {free:.1f} GiB free, expected at least {settings.free_gib_min:g} "
        "GiB (ModelsSettings.free_gib_min)."
    )


@check(
    "models-readahead-live",
    "the store's disk reads ahead as far as declared",
    severity=WARNING,
    remedy="`systemctl restart flightline-models-readahead`; look for a udev rule beside it",
)
def readahead_live(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    if settings.readahead_kib is None:
        not_applicable("ModelsSettings.readahead_kib is None")
    if found.readahead_kib is None:
        not_applicable(f"the file system of {settings.store} has no readahead that can be set")
    assert found.readahead_kib >= settings.readahead_kib, (
        f"the disk of {settings.store} reads {found.readahead_kib} KiB ahead, expected at "
        f"least {settings.readahead_kib} KiB (ModelsSettings.readahead_kib)."
    )


@check(
    "models-credentials-private",
    "files with credentials are there, root's, and for nobody else to read",
    severity=CRITICAL,
    remedy="put the file there, `chown root` and `chmod 600` it; replace a secret that was open",
)
def credentials_private(host: Host, settings: ModelsSettings) -> None:
    found = stored(host, settings)
    if not settings.credentials:
        not_applicable("no field of ModelsSettings names a file with credentials")
    wrong = [
        f"{file} is missing" if told == "- -" else f"{file} has mode and owner {told}"
        for file in settings.credentials
        if (told := found.credentials.get(file, "- -")).split() not in _allowed()
    ]
    assert not wrong, f"{', '.join(wrong)}, expected mode 600 or 400 and owner root."


def _allowed() -> list[list[str]]:
    return [[mode, "root"] for mode in _PRIVATE]
