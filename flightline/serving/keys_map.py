"""The map of a gateway: which keys it honours, as HAProxy reads them.

A line: `<SHA-256 in upper-case hex> role|name|requests per minute|requests per day|expiry`, the
expiry in seconds since 1970, an empty field for none. The last line is `# end`: a file without it
was cut short.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from flightline.serving.keys import Key

HEADER = (
    "# Managed by Flightline, role gateway: edits are lost. Who may ask, by SHA-256 of the key."
)
END = "# end"
SEPARATOR = "|"


def rendered(keys: Iterable[Key], moment: datetime.datetime) -> str:
    """Return the map's text: the keys that are active at that moment, sorted by hash."""
    return "\n".join([HEADER, *entries(keys, moment), END, ""])


def entries(keys: Iterable[Key], moment: datetime.datetime) -> list[str]:
    """Return the map's lines without header and end."""
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
