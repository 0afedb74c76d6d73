"""The transport that all traffic uses: strict, quick, counted, and it really disconnects.

`install()` makes our connector pyinfra's own for every host reached by SSH, in plain `pyinfra`
(through config.py) as in `flightline`. pyinfra looks its connector up by name in
`pyinfra.connectors.ssh` each time an inventory is made (entry point
`ssh = pyinfra.connectors.ssh:SSHConnector`, pyinfra 3.10, pyinfra/api/connectors.py), so one
assignment there lasts through every reconnect.
"""

from __future__ import annotations

import logging
import secrets
import shlex
import time
from dataclasses import dataclass

from pyinfra.api.host import Host
from pyinfra.connectors import ssh as pyinfra_ssh
from pyinfra.connectors.sshuserclient import client as pyinfra_client

from flightline.connector import Connector, Counts, counts
from flightline.ssh import Client

__all__ = ["Completed", "Counts", "counts", "install", "root_command", "run_as_root"]


@dataclass(frozen=True)
class Completed:
    """A script that ran to its end on a node."""

    rc: int
    stdout: str
    stderr: str
    seconds: float


def install() -> None:
    """Make ours pyinfra's SSH connector, for inventories made from now on; harmless twice."""
    pyinfra_ssh.SSHConnector = Connector  # type: ignore[misc]  # replacing the class is the point
    pyinfra_ssh.SSHClient = Client  # type: ignore[attr-defined]  # for its agent-key retry
    pyinfra_client.SSHClient = Client  # type: ignore[misc]  # for jump hosts
    pyinfra_client.get_host_keys.cache.clear()
    # paramiko logs what it also raises, with a traceback
    logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)


def run_as_root(host: Host, script: str, *, timeout_seconds: float) -> Completed:
    """Run a POSIX `sh` script as root on a connected host, in one command, and return its result.

    The script travels over standard input, so its length has no limit and nothing of it shows in
    the node's process list; its own standard input is /dev/null. What a login shell prints before
    it is dropped. Root is reached directly, or by sudo without a password, or with the
    `_sudo_password` of the host's data, which travels over standard input too.

    When root cannot be reached, `rc` is sudo's (1, or 127 without sudo) and stderr says why.
    Raises TimeoutError, and ConnectionError when the connection is lost.
    """
    started = time.monotonic()
    nonce = secrets.token_hex(8)
    password = host.data.get("_sudo_password")
    opening = f"{password}\n{nonce}\n" if password else f"{nonce}\n"
    status, output, errors = _client(host).exchange(
        root_command(nonce, with_password=bool(password)),
        (opening + script).encode(),
        timeout_seconds,
    )
    seconds = time.monotonic() - started
    return Completed(status, _after(nonce, output), _after(nonce, errors), seconds)


def root_command(nonce: str, *, with_password: bool = False) -> str:
    """Return the command that reads lines up to the nonce, then a script, and runs it as root.

    Lines before the nonce are a password that sudo did not ask for. No backslash and no `!`, which
    csh and fish treat in their own way inside quotes.
    """
    runner = (
        f'while IFS= read -r line; do [ "$line" = {nonce} ] && break; done; '
        f"script=$(cat); exec </dev/null; echo {nonce}; echo {nonce} >&2; "
        'eval "$script"'
    )
    sudo = 'sudo -H -S -p ""' if with_password else "sudo -H -n"
    chooser = f'[ "$(id -u)" = 0 ] && exec sh -c "$1"; exec {sudo} sh -c "$1"'
    return f"sh -c {shlex.quote(chooser)} sh {shlex.quote(runner)}"


def _after(nonce: str, text: str) -> str:
    return text.rpartition(f"{nonce}\n")[2]


def _client(host: Host) -> Client:
    client = getattr(host.connector, "client", None)
    if not isinstance(client, Client):
        raise ConnectionError(f"{host.name} is not connected over SSH")
    return client
