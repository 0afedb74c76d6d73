"""What a sound node with two versions of a model says of its store; written for these tests."""

from __future__ import annotations

import base64

from flightline.audit.answers import Answer
from flightline.serving.state import ServiceState, dumps
from roles.models.checks import hashing
from roles.models.evidence import script
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion

ROLE = "models"
OLD, NEW = "1" * 64, "2" * 64
_GIB = 1 << 30


def settings(name: str) -> ModelsSettings:
    """Return what is declared for every such machine."""
    del name
    versions = tuple(
        ModelVersion(
            version=version,
            source=f"rclone:site:models/chat/{version}",
            manifest_sha256=digest,
        )
        for version, digest in (("1", OLD), ("2", NEW))
    )
    return ModelsSettings(
        models=(ModelSettings(name="chat", versions=versions, serve="1"),),
        rclone_config="/etc/flightline/rclone.conf",
    )


def answers(name: str) -> dict[str, Answer]:
    """Return the answers of a machine by label."""
    declared = settings(name)
    return {
        "models-store": Answer(script(declared), 0, _store().encode()),
        "models-hashing": Answer(hashing(declared), 0, _hashed().encode()),
    }


def _hashed() -> str:
    return "".join(f"chat {version} is as its manifest says\n" for version in ("1", "2"))


def _store() -> str:
    state = dumps(ServiceState(model="chat", active="a", a="1", b="2"))
    folded = base64.b64encode(state.encode()).decode()
    lines = [
        f"room {3840 * _GIB} {2900 * _GIB}",
        "readahead 4096",
        *_version("1", OLD),
        *_version("2", NEW),
        "version chat 0 " + "0" * 64,
        f"content chat 0 {140 * _GIB} 33",
        f"verified chat 0 2026-11-01T09:00:00Z {'0' * 64} earlier no",
        "current chat 1",
        "unit ActiveState inactive",
        "unit Result success",
        f"service chat {folded}",
        "credential 600 root /etc/flightline/rclone.conf",
        "end",
    ]
    return "\n".join([*lines, ""])


def _version(version: str, digest: str) -> list[str]:
    return [
        f"version chat {version} {digest}",
        f"content chat {version} {140 * _GIB} 33",
        f"verified chat {version} 2026-11-20T18:04:11Z {digest} this no",
    ]
