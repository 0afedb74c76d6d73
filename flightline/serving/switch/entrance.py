"""Ask a gateway as a client does, on its own node: TLS, key, limits and all.

Where few clients ask, these are the requests that tell whether the new version answers behind the
gateway as it does on its own port.
"""

from __future__ import annotations

import math

from flightline.serving.switch.targets import Gateway

REQUESTS_MAX = 20
"""Enough to reach a server with a tenth of the weight twice; answers cost GPU time."""
TOO_MANY = "429"
_SLACK_SECONDS = 10.0


def count(weight: int) -> int:
    """Return how many requests reach a server of this weight, in percent, about twice."""
    return min(REQUESTS_MAX, math.ceil(2 * 100 / weight))


def command(max_seconds: float) -> str:
    """Return the command that sends what its standard input says.

    It prints the answer, then a line with the status and the seconds that it took. The certificate
    is not judged: the node asks itself, and the audit judges certificates.
    """
    return (
        f"curl -sS --insecure --noproxy '*' --max-time {max_seconds + _SLACK_SECONDS:g} "
        "-w '\\n%{http_code} %{time_total}\\n' --config -"
    )


def chat(gateway: Gateway, key: str, body: str) -> str:
    """Return curl's configuration for a chat request: the key is in no process's arguments."""
    return _config(
        ("url", f"{gateway.url}/v1/chat/completions"),
        ("header", "content-type: application/json"),
        ("header", f"authorization: Bearer {key}"),
        ("data-binary", body),
    )


def models(gateway: Gateway, key: str) -> str:
    """Return curl's configuration for the list of models, which tells whether the key is taken."""
    return _config(("url", f"{gateway.url}/v1/models"), ("header", f"authorization: Bearer {key}"))


def status(output: str) -> str:
    """Return the status of an answer."""
    return output.rstrip("\n").rpartition("\n")[2].partition(" ")[0]


def _config(*options: tuple[str, str]) -> str:
    return "".join(f'{name} = "{_escaped(value)}"\n' for name, value in options)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
