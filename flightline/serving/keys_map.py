"""The map of a gateway: which keys it honours, as HAProxy reads them.

A line: `<SHA-256 in upper-case hex> role|name|requests per minute|requests per day|expiry`, the
expiry in seconds since 1970, an empty field for none. Keys that ended are comments, `# revoked HASH
name` or `# expired HASH name`: an older list cannot bring a revoked key back. The last line is
`# end`: a file without it was cut short.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping

from flightline.serving.keys import Key

HEADER = (
    "# Managed by Flightline, role gateway: edits are lost. Who may ask, by SHA-256 of the key."
)
END = "# end"
SEPARATOR = "|"

_HONOURED = re.compile(r"^([0-9A-F]{64}) \w+\|([A-Za-z0-9._@-]+)\|", re.MULTILINE)
_REVOKED = re.compile(r"^# revoked ([0-9A-F]{64}) ([A-Za-z0-9._@-]+)$", re.MULTILINE)


def rendered(
    keys: Iterable[Key], moment: datetime.datetime, revoked_before: Mapping[str, str] | None = None
) -> str:
    """Return the map's text: the keys that are active at that moment, sorted by hash.

    `revoked_before` has further keys that stay revoked, hash → name.
    """
    keys = tuple(keys)
    ended = {f"# revoked {sha256} {name}" for sha256, name in (revoked_before or {}).items()}
    ended |= {
        f"# {key.state(moment)} {key.sha256} {key.name}"
        for key in keys
        if key.state(moment) != "active"
    }
    return "\n".join([HEADER, *sorted(ended), *entries(keys, moment), END, ""])


def honoured(text: str) -> dict[str, str]:
    """Return the keys that a map honours: hash → name."""
    return dict(_HONOURED.findall(text))


def revoked(text: str) -> dict[str, str]:
    """Return the keys that a map knows as revoked: hash → name."""
    return dict(_REVOKED.findall(text))


def entries(keys: Iterable[Key], moment: datetime.datetime) -> list[str]:
    """Return the map's lines that HAProxy reads."""
    return sorted(_line(key) for key in keys if key.state(moment) == "active")


def _line(key: Key) -> str:
    expires = "" if key.expires is None else str(int(key.expires.timestamp()))
    limits = (key.requests_per_minute, key.requests_per_day)
    fields = (key.role, key.name, *("" if each is None else str(each) for each in limits), expires)
    return f"{key.sha256} {SEPARATOR.join(fields)}"


def differences(
    keys: Iterable[Key], live: Iterable[str], moment: datetime.datetime
) -> tuple[str, ...]:
    """Return how a running gateway's lines differ from the keys, in words; none when they agree.

    A key that expired since the gateway was told of it is refused there all the same, by its
    expiry, so its line is no difference.
    """
    keys = tuple(keys)
    wanted = dict(line.split(" ", 1) for line in entries(keys, moment))
    there = dict(line.split(" ", 1) for line in live if " " in line)
    by_hash = {key.sha256: key for key in keys}
    lacking = [by_hash[each].name for each in wanted if each not in there]
    other = [by_hash[each].name for each in wanted if each in there and there[each] != wanted[each]]
    extra = [
        each for each in there if each not in wanted and not _has_expired(each, by_hash, moment)
    ]
    revoked = sorted(by_hash[each].name for each in extra if each in by_hash)
    unknown = sum(each not in by_hash for each in extra)
    return tuple(
        said
        for said, is_so in (
            (f"lacks {', '.join(sorted(lacking))}", lacking),
            (f"has other rights or limits for {', '.join(sorted(other))}", other),
            (f"still honours {', '.join(revoked)}", revoked),
            (f"honours {unknown} unknown key{'s' * (unknown > 1)}", unknown),
        )
        if is_so
    )


def _has_expired(sha256: str, keys: Mapping[str, Key], moment: datetime.datetime) -> bool:
    return sha256 in keys and keys[sha256].state(moment) == "expired"
