"""The source lines that a Debian node already has, and what they lack for the driver: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

WANTED = ("contrib", "non-free", "non-free-firmware")
"""Debian 12 split the firmware off non-free."""


@dataclass(frozen=True)
class AptSource:
    """One repository of binary packages."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    """Fields such as ("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg")."""


def lacking(lines: Sequence[tuple[str, str]], codename: str, own: str) -> tuple[AptSource, ...]:
    """Return, for each of the node's own mirrors of this release, the components to add.

    `lines` are those of all source files, each with its file; those of the file `own` are ours.
    Empty when the node has them all. Backports and other releases are left as they are.
    """
    present = [source for source in _parsed(lines, own) if _is_of(source, codename)]
    found = []
    for source in present:
        if "main" not in source.components:
            continue
        others = {
            component
            for other in present
            if other.uri == source.uri and set(source.suites) <= set(other.suites)
            for component in other.components
        }
        missing = tuple(name for name in WANTED if name not in others)
        if missing:
            found.append(replace(source, components=missing))
    return tuple(dict.fromkeys(found))


def _is_of(source: AptSource, codename: str) -> bool:
    known = (codename, f"{codename}-updates", f"{codename}-security", "stable")
    return any(suite in known for suite in source.suites)


def _parsed(lines: Sequence[tuple[str, str]], own: str) -> Iterator[AptSource]:
    for file, group in groupby(lines, key=lambda line: line[0]):
        text = [line for _, line in group]
        if file == own:
            continue
        if file.endswith(".sources"):
            yield from _stanzas(text)
        else:
            yield from filter(None, map(_one_line, text))


def _stanzas(lines: Sequence[str]) -> Iterator[AptSource]:
    """From deb822: `Types: deb`, `URIs: ...`, `Suites: bookworm`, `Components: main`."""
    fields: dict[str, str] = {}
    name = ""
    for line in [*lines, ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            yield from _repositories(fields)
            fields, name = {}, ""
        elif line[0].isspace():
            fields[name] = f"{fields.get(name, '')}\n{line}"
        else:
            name, _, value = line.partition(":")
            fields[name] = value.strip()


def _repositories(fields: dict[str, str]) -> Iterator[AptSource]:
    known = {name.lower(): value for name, value in fields.items()}
    if "deb" not in known.get("types", "").split() or known.get("enabled", "yes") == "no":
        return
    ours = ("types", "uris", "suites", "components", "enabled")
    options = tuple((name, value) for name, value in fields.items() if name.lower() not in ours)
    suites = tuple(known.get("suites", "").split())
    components = tuple(known.get("components", "").split())
    for uri in known.get("uris", "").split():
        yield AptSource(uri, suites, components, options)


_OPTION_FIELDS = {
    "signed-by": "Signed-By",
    "arch": "Architectures",
    "trusted": "Trusted",
    "check-valid-until": "Check-Valid-Until",
}


def _one_line(line: str) -> AptSource | None:
    """From `deb [arch=amd64 signed-by=/a.gpg] http://mirror/debian bookworm main # why`."""
    words = line.partition("#")[0].split()
    if len(words) < 4 or words[0] != "deb":
        return None
    options: list[tuple[str, str]] = []
    rest = words[1:]
    if rest[0].startswith("["):
        end = next(number for number, word in enumerate(rest) if word.endswith("]"))
        for word in " ".join(rest[: end + 1]).strip("[] ").split():
            name, _, value = word.partition("=")
            if name in _OPTION_FIELDS:
                options.append((_OPTION_FIELDS[name], value.replace(",", " ")))
        rest = rest[end + 1 :]
    if len(rest) < 3:
        return None
    return AptSource(rest[0], (rest[1],), tuple(rest[2:]), tuple(options))
