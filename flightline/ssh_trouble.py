"""Why a connection failed, as one sentence with what to do. Pure but for `ssh-keygen -F`."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from dataclasses import dataclass

from paramiko import AuthenticationException, BadHostKeyException, PKey
from paramiko.ssh_exception import NoValidConnectionsError

from flightline.ssh import UnknownHostKey


@dataclass(frozen=True)
class Target:
    """What was connected to."""

    node: str
    hostname: str
    port: int
    user: str
    key: str
    known_hosts: tuple[str, ...]
    timeout_seconds: float


def sentence(target: Target, error: BaseException | None) -> str:
    """Return why connecting to the target failed and what to do about it."""
    return f"{target.node}: {_reason(target, error)}"


def _reason(target: Target, error: BaseException | None) -> str:  # noqa: PLR0911 - one line per kind of failure
    place = f"{target.hostname}:{target.port}"
    if isinstance(error, UnknownHostKey):
        return _unknown(error)
    if isinstance(error, BadHostKeyException):
        return _changed(target, error)
    if isinstance(error, AuthenticationException):
        return _refused_login(target)
    if isinstance(error, socket.gaierror):
        return (
            f"the name {target.hostname} does not resolve ({error.strerror}); "
            "correct the name, or set ssh_hostname in the inventory."
        )
    if isinstance(error, TimeoutError):
        return (
            f"no answer from {place} within {target.timeout_seconds:g} s; check power, cable and "
            "firewall, and ssh_hostname and ssh_port in the inventory."
        )
    if isinstance(error, NoValidConnectionsError | ConnectionRefusedError):
        return (
            f"nothing answers at {place} ({_cause(error)}); check that the node is up and its "
            "sshd is running, and ssh_hostname and ssh_port in the inventory."
        )
    if isinstance(error, EOFError):
        return f"{place} closed the connection while greeting; look at sshd's log on the node."
    detail = " ".join(str(error).split()).rstrip(".")
    return (
        f"the SSH connection to {place} failed: {detail}; "
        f"try `ssh -v -p {target.port} {target.hostname}`."
    )


def _cause(error: BaseException) -> str:
    if isinstance(error, NoValidConnectionsError):
        causes = {os.strerror(getattr(each, "errno", 0)) for each in error.errors.values()}
        return ", ".join(sorted(causes)).lower()
    return "connection refused"


def _refused_login(target: Target) -> str:
    offered = f"the key {target.key}" if target.key else "the keys of the SSH agent and ~/.ssh"
    return (
        f"sshd refused {target.user or 'the user'} with {offered}; set ssh_user and ssh_key in the "
        f"inventory, or authorise the key with `ssh-copy-id -p {target.port} "
        f"{target.user + '@' if target.user else ''}{target.hostname}`."
    )


def _unknown(error: UnknownHostKey) -> str:
    name, file = shlex.quote(error.hostname), shlex.quote(error.file)
    return (
        f"its {_kind(error.key)} host key {fingerprint(error.key)} is not pinned in {error.file}; "
        f"compare it with `{_on_console(error.key)}` on the node's console, then pin it with "
        f"`{_keyscan(error.hostname)} >> {file}` and look again with "
        f"`ssh-keygen -lF {name} -f {file}`."
    )


def _changed(target: Target, error: BadHostKeyException) -> str:
    name = error.hostname if target.port == 22 else f"[{error.hostname}]:{target.port}"
    file, line = pinned_at(name, target.known_hosts)
    where = f"{file}:{line}" if line else file
    return (
        f"its host key is {fingerprint(error.key)}, but {where} pins "
        f"{fingerprint(error.expected_key)}: someone may be in between; only if the node was "
        f"rebuilt and `{_on_console(error.key)}` on its console shows the new one, remove the old "
        f"with `ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(file)}` and pin the "
        f"new with `{_keyscan(name)} >> {shlex.quote(file)}`."
    )


def fingerprint(key: PKey) -> str:
    """Return the SHA256 fingerprint as `ssh-keygen -l` prints it."""
    return str(key.fingerprint)


def pinned_at(hostname: str, files: tuple[str, ...]) -> tuple[str, int]:
    """Return the file and line that pin a key for the name, by `ssh-keygen -F`; line 0 if none."""
    for file in files:
        for found in _keygen_lines(hostname, file):
            if found.startswith("# Host ") and "line " in found:
                return file, int(found.rsplit("line ", 1)[1].split()[0])
    return (files[0] if files else "known_hosts"), 0


def _keygen_lines(hostname: str, file: str) -> list[str]:
    command = ["ssh-keygen", "-F", hostname, "-f", file]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines()


def _kind(key: PKey) -> str:
    return key.get_name().removeprefix("ssh-").removesuffix("-nistp256")


def _on_console(key: PKey) -> str:
    short = _kind(key).removeprefix("ecdsa-sha2").lstrip("-") or "ecdsa"
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{short}_key.pub"


def _keyscan(hostname: str) -> str:
    if hostname.startswith("["):
        name, _, port = hostname[1:].partition("]:")
        return f"ssh-keyscan -p {port} {name}"
    return f"ssh-keyscan {hostname}"
