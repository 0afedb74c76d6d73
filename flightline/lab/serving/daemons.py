"""The lab's registry and its mirror of models: docker-registry and nginx, on 127.0.0.1 alone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from flightline.errors import FlightlineError
from flightline.lab import machine, places, ports, programs
from flightline.lab.serving.offer import Daemon

START_SECONDS = 20  # 0.2 s measured, idle; a crowded computer takes its time

REGISTRY = """version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}/registry}}
http: {{addr: "127.0.0.1:{port}"}}
"""

# One process that runs as whoever started it: nothing to drop, nothing to leave behind.
MIRROR = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/mirror-errors.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/mirror-access.log;
    client_body_temp_path {folder}/nginx;
    proxy_temp_path {folder}/nginx;
    fastcgi_temp_path {folder}/nginx;
    uwsgi_temp_path {folder}/nginx;
    scgi_temp_path {folder}/nginx;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        root "{folder}/models";
    }}
}}
"""


def registry(was: Daemon | None, folder: Path) -> Daemon:
    """Return the running registry, started where it does not run; at its old port if that is free.

    Its images are in the folder's registry/.
    """
    config = folder / "registry.yml"
    command = ["docker-registry", "serve", str(config)]
    return _running(was, config, REGISTRY, command)


def mirror(was: Daemon | None, folder: Path) -> Daemon:
    """Return the running mirror of the folder's models/, started where it does not run.

    Plain HTTP with ranges; at its old port if that is free.
    """
    config = folder / "nginx.conf"
    errors = folder / "mirror-errors.log"
    command = ["nginx", "-p", str(folder), "-c", str(config), "-e", str(errors)]
    return _running(was, config, MIRROR, command)


def stop(daemon: Daemon, seconds: float = 5.0) -> None:
    """Hold that the daemon's own process does not run."""
    deadline = time.monotonic() + seconds
    first = True
    while daemon.is_running:
        late = time.monotonic() > deadline
        if first or late:
            with contextlib.suppress(ProcessLookupError):
                os.kill(daemon.pid, signal.SIGKILL if late else signal.SIGTERM)
        first = False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(daemon.pid, os.WNOHANG)
        time.sleep(0.05)


def _running(was: Daemon | None, config: Path, content: str, command: list[str]) -> Daemon:
    if was is not None and was.is_running:
        return was
    daemon = Daemon(ports.kept_or_free(was.port if was else 0))
    places.write_atomically(config, content.format(folder=config.parent, port=daemon.port))
    log = config.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=config.parent,
            start_new_session=True, env={**os.environ, "PATH": programs.SEARCHED},
        )  # fmt: skip
    daemon = replace(daemon, pid=process.pid, started=machine.started(process.pid))
    _wait_until_open(daemon, process, command[0], log)
    return daemon


def _wait_until_open(
    daemon: Daemon, process: subprocess.Popen[bytes], name: str, log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", daemon.port), 1):
            return
        time.sleep(0.05)
    stop(daemon)
    said = log.read_text(errors="replace").strip().splitlines()
    raise FlightlineError(
        f"{name} does not serve on 127.0.0.1:{daemon.port} "
        f"({said[-1] if said else 'it said nothing'}; log: {log})."
    )
