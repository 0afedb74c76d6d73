"""Pure merges into files that others write too: /etc/hosts, chrony.conf, dnf's automatic.conf.

Each takes the node's text (None: no file) and returns the text that it shall have; merging twice
is merging once, and what others wrote stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

BEGIN = "# BEGIN Flightline, role base: edits between these lines are lost"
END = "# END Flightline, role base"
SWITCHED_OFF = "#flightline: "

_LOOPBACK = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_CHRONY = "driftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\n"
# Where chronyd gets its servers from; sourcedir brings in those of DHCP (chrony.conf(5), 4.3).
_SOURCE = re.compile(r"\s*(server|pool|peer|refclock|sourcedir)\s", re.IGNORECASE)
_SECTION = re.compile(r"\s*\[([^]]*)\]")


def with_block(text: str, lines: Sequence[str], *, begin: str = BEGIN, end: str = END) -> str:
    """Return `text` with exactly one block of `lines` between the markers, or none when empty.

    A block that is there is replaced where it stands; a marker without its partner is dropped, the
    lines around it kept.
    """
    rows = text.removesuffix("\n").split("\n") if text else []
    if not lines and begin not in rows and end not in rows:
        return text
    before, after = _around(rows, begin, end)
    block = [begin, *lines, end] if lines else []
    merged = "\n".join([*before, *block, *after])
    return merged + "\n" if merged else ""


def _around(rows: list[str], begin: str, end: str) -> tuple[list[str], list[str]]:
    """Rows before and after the block, stray markers dropped; all before where it is gone."""
    first = rows.index(begin) if begin in rows else len(rows)
    last = rows.index(end, first) if end in rows[first:] else first
    around = rows[:first], rows[last + 1 :] if last > first else rows[first:]
    before, after = ([row for row in part if row not in (begin, end)] for part in around)
    return before, after


def hosts(
    current: str | None, entries: Sequence[tuple[str, Sequence[str]]], own: str | None
) -> str:
    """Return /etc/hosts with a block of `entries` (address, names) and the node's own name.

    `own` gets 127.0.1.1, as Debian's installer does it, only where no other line has it: to answer
    with a loopback address where the site gives a routable one breaks the rendezvous of distributed
    jobs, which look up their own name.
    """
    text = _LOOPBACK if current is None else current
    lines = [f"{address}\t{' '.join(names)}" for address, names in entries]
    if own is not None and own not in _names(with_block(text, lines)):
        short = own.split(".", 1)[0]
        lines.append("127.0.1.1\t" + (own if short == own else f"{own} {short}"))
    return with_block(text, lines)


def _names(text: str) -> set[str]:
    words = [line.split("#", 1)[0].split() for line in text.splitlines()]
    return {name for line in words for name in line[1:]}


def chrony(current: str | None, *, own_sources: bool, folder: str | None) -> str:
    """Return chronyd's main file, its sources switched off where the site declares its own.

    `own_sources` comments out the lines that name sources, reversibly; without it they come back.
    `folder` adds a confdir line for our drop-in, where the package's file has none. Without a file
    (the package is not there yet) the result is the least that chronyd needs.
    """
    text = _CHRONY if current is None else current
    lines = [line.removeprefix(SWITCHED_OFF) for line in text.split("\n")]
    if own_sources:
        lines = [SWITCHED_OFF + line if _SOURCE.match(line) else line for line in lines]
    return with_block("\n".join(lines), [f"confdir {folder}"] if folder else [])


def dnf_automatic(current: str | None, prefixes: Sequence[str]) -> str:
    """Return dnf-automatic's file: security upgrades only, applied, `prefixes` excluded.

    Only the named settings change; comments and other settings stay where they are.
    """
    text = current or ""
    for section, key, value in (
        ("commands", "upgrade_type", "security"),
        ("commands", "apply_updates", "yes"),
        ("base", "excludepkgs", ",".join(f"{prefix}*" for prefix in prefixes)),
    ):
        text = _set(text, section, key, value)
    return text


def _set(text: str, section: str, key: str, value: str) -> str:
    """Return an INI text with one setting: replaced where it is, else first in its section."""
    line, where = f"{key} = {value}", ""
    lines = text.splitlines()
    for number, old in enumerate(lines):
        if found := _SECTION.match(old):
            where = found[1]
        elif where == section and re.match(rf"{key}\s*[=:]", old):
            lines[number] = line
            return "\n".join(lines) + "\n"
    heads = [n for n, old in enumerate(lines) if (m := _SECTION.match(old)) and m[1] == section]
    if heads:
        lines.insert(heads[0] + 1, line)
    else:
        lines += [f"[{section}]", line]
    return "\n".join(lines) + "\n"
