"""What is on a node before the role: its packages, and a HAProxy of the site's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from flightline.operations.packages import Installed, Packages, parse_packages
from roles.gateway.weights import FRESH

# The package's own configuration has no proxy on Debian; on the RHEL family it has examples, but
# its unit is off until somebody turns it on.
_QUERY = f"""\
echo "ground version $(haproxy -v 2>/dev/null | sed -n '1s/.*version \\([0-9][0-9.]*\\).*/\\1/p')"
echo "ground unit $(systemctl is-active haproxy.service 2>/dev/null)"
if grep -qE '^[[:space:]]*(frontend|listen)[[:space:]]' /etc/haproxy/*.cfg 2>/dev/null; then
    echo ground proxies yes
fi
if [ -e {FRESH} ]; then echo ground fresh yes; fi"""


@dataclass(frozen=True)
class Ground:
    """What the role finds."""

    packages: Installed
    version: tuple[int, int] | None
    """HAProxy's, such as (2, 6); None: it is not installed."""
    is_site_running: bool
    """A HAProxy of the site's own runs, with proxies of its own."""
    is_fresh: bool = False
    """The gateway has not been given all of its weights yet."""


class Found(FactBase[Ground | None]):
    """State of the packages called `names`, and of haproxy.service; None when it cannot be read."""

    def command(self, names: Sequence[str]) -> str:
        """Return the one query."""
        return f"{_QUERY}\n{Packages().command(names=names)}"

    def process(self, output: list[str]) -> Ground:
        """Return the record; raises FactProcessError when the output is cut short."""
        try:
            return parse_ground(output)
        except ValueError as error:
            raise FactProcessError(f"what is installed cannot be read: {error}") from error


def parse_ground(lines: Sequence[str]) -> Ground:
    """Return what the query said.

    Real lines (Debian 12): "ground version 2.6.12", "ground unit active". Raises ValueError when
    the end is missing.
    """
    ground = [
        words for words in map(str.split, lines) if words[:1] == ["ground"] and len(words) == 3
    ]
    said = {words[1]: words[2] for words in ground}
    version = re.match(r"(\d+)\.(\d+)", said.get("version", ""))
    return Ground(
        parse_packages(lines),
        (int(version[1]), int(version[2])) if version else None,
        said.get("unit") == "active" and said.get("proxies") == "yes",
        said.get("fresh") == "yes",
    )


_LAST: WeakKeyDictionary[Any, Ground] = WeakKeyDictionary()


def ground_of(host: Any, names: Sequence[str]) -> Ground | None:
    """Return what is on the node now; None when it cannot be read."""
    found: Ground | None = host.get_fact(Found, names=names)
    if found is not None:
        _LAST[host] = found
    return found


def is_fresh(host: Any) -> bool:
    """Return whether the gateway lacked weights when the node was last asked."""
    found = _LAST.get(host)
    return found is not None and found.is_fresh
