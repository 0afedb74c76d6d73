"""What the gateway costs: latency and requests a second, beside nginx as a plain reverse proxy.

    python -m tests.bench.gateway

Same work for both, on this computer: TLS 1.3 to the client, plain HTTP to one engine that answers
at once (nginx with a fixed answer), so that what differs is the proxy. The gateway does all that it
does for a client: key, role, limits, the model from the body, audit log; nginx passes on. wrk sends
from the same two cores. In turn, round after round; medians, and ratios.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from flightline.serving.upstreams import Upstream
from roles.gateway.settings import GatewaySettings
from tests.gateway.rig import KEY, NODE, Rig, free_port, prepared

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = 5
CONNECTIONS = {"latency": 1, "throughput": 32}
NO_LIMIT = 1_000_000

_ENGINE = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 10000000;
  upstream engine {{ server 127.0.0.1:{engine}; keepalive 64; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{engine};
    default_type application/json;
    location / {{ return 200 '{answer}'; }}
  }}
  server {{
    listen 127.0.0.1:{peer} ssl;
    ssl_certificate {folder}/pki/gateway.pem; ssl_certificate_key {folder}/pki/gateway.pem;
    ssl_protocols TLSv1.3;
    location / {{
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
_ANSWER = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":0,"model":"chat","choices":[{"index"'
    ':0,"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],"usage":'
    '{"prompt_tokens":64,"completion_tokens":64,"total_tokens":128}}'
) % ("word " * 64)
_REQUEST = """\
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer {key}"
wrk.body = '{{"messages":[{{"role":"user","content":"{prompt}"}}],"model":"chat","max_tokens":64}}'
"""


@contextmanager
def _standing(folder: Path) -> Iterator[dict[str, str]]:
    """Give the three addresses while engine, gateway and peer run."""
    engine, peer = free_port(), free_port()
    settings = GatewaySettings(
        enabled=True, address="127.0.0.1", port=free_port(), metrics_port=free_port(),
        requests_per_minute=NO_LIMIT, requests_per_day=None, concurrent_requests=1000,
    )  # fmt: skip
    behind = Upstream(NODE, None, "chat", "chat", (), engine, None, "/health")
    rig: Rig = prepared(folder, settings, (behind,))
    conf = folder / "nginx.conf"
    conf.write_text(_ENGINE.format(folder=folder, engine=engine, peer=peer, answer=_ANSWER))
    nginx = subprocess.Popen(["nginx", "-c", str(conf), "-p", str(folder)])
    # as in the unit's template
    os.environ["GLIBC_TUNABLES"] = (
        "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824"
    )
    try:
        rig.start()
        rig.up()
        yield {
            "engine": f"http://127.0.0.1:{engine}",
            "flightline": f"https://127.0.0.1:{settings.port}",
            "nginx": f"https://127.0.0.1:{peer}",
        }
    finally:
        rig.close()
        nginx.terminate()
        nginx.wait(10)


def _asked(script: Path, url: str, connections: int) -> dict[str, float]:
    """Return what wrk measured: p50 and p99 in milliseconds, requests a second."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(script),
         f"{url}/v1/chat/completions"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if refused := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", done.stdout):
        raise SystemExit(f"{url}: {refused[0]}")
    found = {f"p{percent}": _milliseconds(done.stdout, percent) for percent in (50, 99)}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate, done.stdout
    return {**found, "rate": float(rate[1])}


def _milliseconds(said: str, percent: int) -> float:
    found = re.search(rf"\b{percent}%\s+([\d.]+)(us|ms|s)\b", said)
    assert found, said
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def main() -> None:
    """Measure in turn, and print medians and ratios."""
    folder = Path(tempfile.mkdtemp(prefix="fl-bench-", dir="/tmp"))
    script = folder / "request.lua"
    measured: dict[tuple[str, str], list[dict[str, float]]] = {}
    try:
        with _standing(folder) as addresses:
            script.write_text(_REQUEST.format(key=KEY, prompt="word " * 64))
            for _ in range(ROUNDS):
                for work, connections in CONNECTIONS.items():
                    for name, url in addresses.items():
                        found = _asked(script, url, connections)
                        measured.setdefault((work, name), []).append(found)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    Console().print(_table(measured))


def _table(measured: dict[tuple[str, str], list[dict[str, float]]]) -> Table:
    def of(work: str, name: str, figure: str) -> float:
        return median(each[figure] for each in measured[work, name])

    table = Table("", "engine itself", "flightline", "nginx", "ratio", box=None)
    for figure in ("p50", "p99"):
        engine, ours, theirs = (
            of("latency", name, figure) for name in ("engine", "flightline", "nginx")
        )
        added, other = ours - engine, theirs - engine
        table.add_row(
            f"added at {figure}, 1 connection, ms", f"({engine:.2f})", f"{added:.2f}",
            f"{other:.2f}", f"{added / other:.2f}" if other > 0 else "",
        )  # fmt: skip
    rates = [of("throughput", name, "rate") for name in ("engine", "flightline", "nginx")]
    table.add_row(
        f"requests/s, {CONNECTIONS['throughput']} connections",
        *(f"{rate:.0f}" for rate in rates),
        f"{rates[1] / rates[2]:.2f}",
    )
    return table


if __name__ == "__main__":
    main()
