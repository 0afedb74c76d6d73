"""What the node has of its certificates: one remote command, which changes nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from roles.pki import wanted
from roles.pki.files import RENEW

_SCRIPT = f"""\
LC_ALL=C; export LC_ALL
echo "timer $(systemctl is-active {wanted.TIMER})"
echo "service $(systemctl is-failed {wanted.SERVICE})"
for kind in node gateway; do
    place={wanted.AUTHORITIES}/$kind
    echo "authority $kind $(openssl x509 -in "$place.pem" 2>/dev/null | base64 | tr -d '\\n')"
    echo "request $kind $(base64 <"$place.next.csr" 2>/dev/null | tr -d '\\n')"
done 2>/dev/null
if [ -x {RENEW} ]; then {RENEW} --due | sed 's/^/due /'; fi
echo end"""


@dataclass(frozen=True)
class Certificates:
    """The node's authorities as PEM certificates, requests for new ones, and what is due."""

    authorities: Mapping[str, str]
    """By kind; empty text where there is none."""
    requests: Mapping[str, str]
    due: Mapping[str, str]
    """Why a certificate is due, by kind."""
    timer_runs: bool
    failed: bool
    """The last renewal failed."""


class PkiState(FactBase[Certificates | None]):
    """Authorities, requests, what is due, and the timer; None when the node could not be asked."""

    def command(self) -> str:
        """Return the one script."""
        return _SCRIPT

    def process(self, output: list[str]) -> Certificates:
        """Return the record; raises FactProcessError when the output is cut short."""
        try:
            return parse_certificates(output)
        except ValueError as error:
            raise FactProcessError(f"the certificates cannot be read: {error}") from error


def parse_certificates(lines: list[str]) -> Certificates:
    """Return what the script said.

    Lines such as `authority node LS0tLS1CRUdJTi...`, `due gateway it is 47 hours old`. Raises
    ValueError when the end is missing or a certificate is not base64.
    """
    if "end" not in lines:
        raise ValueError("the answer is cut short")
    told = [line.partition(" ")[::2] for line in lines]

    def of(word: str) -> dict[str, str]:
        parts = (rest.partition(" ") for key, rest in told if key == word)
        return {kind: rest for kind, _, rest in parts}

    return Certificates(
        authorities={kind: _decoded(rest) for kind, rest in of("authority").items()},
        requests={kind: _decoded(rest) for kind, rest in of("request").items()},
        due=of("due"),
        timer_runs="active" in of("timer"),
        failed="failed" in of("service"),
    )


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("ascii")
