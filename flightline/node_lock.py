"""One run at a time on a node: a lock that the node's kernel holds for a connection's life.

A command on a channel of its own takes `flock` and then waits for its standard input to end. When
the run ends, is interrupted, crashes or loses the connection, sshd closes that input, and the
kernel lets go of the lock: there is no stale lock to clean up, and a reboot clears it as well.
"""

from __future__ import annotations

import getpass
import os
import shlex
import socket
from datetime import UTC, datetime
from typing import Any

import gevent

LOCK = "/run/flightline.lock"
"""Not in /run/lock: that is writable by every account on Debian."""
ANSWER_SECONDS = 60
"""How long the node may take to answer; an emulated node under load needs several seconds."""

_CHANNEL = "flightline_lock"
_TAKE = """\
umask 077
exec 9>>"$1" || exit 73
if ! flock -n 9; then echo "busy $(cat "$1")"; exit 75; fi
for left in /var/lib/flightline/bundle.*/pid; do
    if read -r pid 2>/dev/null <"$left" && grep -qs bundle.XXXXXX "/proc/$pid/cmdline"; then
        echo "busy a command of an earlier run is still at work there (process $pid)"; exit 75
    fi
done 2>/dev/null
if [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]; then
    echo "busy the node is shutting down"; exit 75
fi
printf '%s\\n' "$2" >"$1"
echo held
exec cat >/dev/null"""


def take(host: Any) -> str:
    """Hold the node's lock from now until the connection closes; return "" or why not, a sentence.

    A node without SSH (such as @local) is not locked. Nothing is sent while the lock is held.
    """
    client = getattr(host.connector, "client", None)
    if client is None:
        return ""
    held = host.connector_data.get(_CHANNEL)
    if held is not None and _is_open(held.channel, client):
        return ""
    try:
        with gevent.Timeout(ANSWER_SECONDS, TimeoutError()):
            stdin, stdout, stderr = client.exec_command(_command(host))
            if password := host.data.get("_sudo") and host.data.get("_sudo_password"):
                stdin.write(f"{password}\n")
            answer = _answer(stdout)
            if answer == "held":
                # paramiko ends the command's input as soon as nobody refers to this object
                host.connector_data[_CHANNEL] = stdin
                return ""
            return _refused(answer, stderr.read().decode(errors="replace"))
    except TimeoutError:
        return (
            f"did not answer within {ANSWER_SECONDS} s when asked for its lock {LOCK}; try again."
        )


def _is_open(channel: Any, client: Any) -> bool:
    return not channel.closed and channel.get_transport() is client.get_transport()


def _answer(stdout: Any) -> str:
    """The first line that is ours: a login shell may print before it."""
    for line in stdout:
        text = str(line.decode(errors="replace") if isinstance(line, bytes) else line).strip()
        if text == "held" or text.startswith("busy "):
            return text
    return ""


def _refused(answer: str, errors: str) -> str:
    if answer.startswith("busy "):
        return (
            f"another run holds {LOCK}: {answer.removeprefix('busy ')}; "
            "wait until it has ended, then run again."
        )
    reason = " ".join(errors.split()) or "no answer"
    return (
        f"the lock {LOCK} could not be taken as root ({reason}); give the account sudo without a "
        "password (NOPASSWD: ALL), or set _sudo=True in the inventory."
    )


def _command(host: Any) -> str:
    script = shlex.join(["sh", "-c", _TAKE, "sh", LOCK, _holder()])
    if not host.data.get("_sudo"):
        return script
    asking = "-S -p ''" if host.data.get("_sudo_password") else "-n"
    return f"sudo -H {asking} {script}"


def _holder() -> str:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}, since {since}"
