"""What a node has at a bundle's paths: one remote command for all of them."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

HOME = "/var/lib/flightline"
"""Where a node keeps what Flightline must remember there; readable by root alone."""

_HASH = re.compile(r"\\?([0-9a-f]{64})\b")


@dataclass(frozen=True)
class PathState:
    """One path. Owner and group are (number, name); `sha256` and `content` are a file's."""

    kind: str
    """absent, file, directory, link or other."""
    mode: str = ""
    owner: tuple[str, str] = ("", "")
    group: tuple[str, str] = ("", "")
    sha256: str = ""
    content: bytes | None = None
    """Only of the paths whose content was asked for."""
    target: str = ""
    """Only of the links whose target was asked for."""


@dataclass(frozen=True)
class Found:
    """All paths in the order asked, and the keys of the hooks that an earlier run still owes."""

    paths: tuple[PathState, ...]
    pending: frozenset[str]


class BundleState(FactBase[Found | None]):
    """State of `paths`; None when it could not be read."""

    def command(
        self,
        paths: Sequence[str],
        contents: Sequence[int] = (),
        targets: Sequence[int] = (),
        markers: Sequence[str] = (),
        home: str = HOME,
    ) -> str:
        """Return the script; `contents` and `targets` are positions in `paths`."""
        words = {"contents": contents, "targets": targets, "markers": markers, "home": [home]}
        lines = [f"{key}={shlex.quote(' '.join(map(str, value)))}" for key, value in words.items()]
        lines.append(shlex.join(["set", "--", *paths]))
        script = Path(__file__).with_name("state.sh").read_text(encoding="utf-8")
        return "\n".join([*lines, script])

    def process(self, output: list[str]) -> Found:
        """Return the record; raises FactProcessError when the output does not add up."""
        try:
            return parse_state(output)
        except (ValueError, IndexError) as error:
            raise FactProcessError(f"the state of the files cannot be read: {error}") from error


def parse_state(lines: Sequence[str]) -> Found:
    """Return what the output of state.sh says.

    Real lines, Debian 12 (2026-11-21): `kind 0 file`, `content 0 cm9vdA==`, `stat 644 0 root 0
    root`, then sha256sum's own. `stat` and hash lines follow the order of the paths that exist.
    Raises ValueError when a path has no line of its own.
    """
    if "end" not in lines:
        raise ValueError("it is cut short")
    told = [line.split() for line in lines]
    kinds = [words[2] for words in told if words[0:1] == ["kind"]]
    stats = [words[1:] for words in told if words[0:1] == ["stat"]]
    hashes = [match[1] for match in map(_HASH.match, lines) if match]
    if len(stats) != len(kinds) - kinds.count("absent") or len(hashes) != kinds.count("file"):
        raise ValueError("a path changed while it was read")
    stat_of, hash_of, decoded = iter(stats), iter(hashes), _decoded(told)
    return Found(
        paths=tuple(
            PathState(kind)
            if kind == "absent"
            else _path_state(
                kind,
                next(stat_of),
                next(hash_of) if kind == "file" else "",
                decoded.get(("content", number)),
                decoded.get(("target", number)),
            )
            for number, kind in enumerate(kinds)
        ),
        pending=frozenset(words[1] for words in told if words[0:1] == ["pending"]),
    )


def _decoded(told: Sequence[Sequence[str]]) -> dict[tuple[str, int], bytes]:
    return {
        (words[0], int(words[1])): base64.b64decode("".join(words[2:]))
        for words in told
        if words[0:1] in (["content"], ["target"])
    }


def _path_state(
    kind: str, stat: Sequence[str], sha256: str, content: bytes | None, target: bytes | None
) -> PathState:
    mode, uid, user, gid, group = stat
    return PathState(
        kind=kind,
        mode=mode,
        owner=(uid, user),
        group=(gid, group),
        sha256=sha256,
        content=content,
        target=(target or b"").decode(errors="surrogateescape").removesuffix("\n"),
    )
