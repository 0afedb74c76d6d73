"""One SSH connection: pinned host keys, no Nagle delay, a dead peer noticed, everything closed.

Built on pyinfra 3.10's client, which honours ~/.ssh/config, jump hosts and certificates.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import paramiko
from paramiko import Channel, ChannelFile, MissingHostKeyPolicy, PKey, SSHException
from pyinfra.connectors.sshuserclient import client as pyinfra_client

KEEPALIVE_SECONDS = 15
"""Shorter than the idle limit of common firewalls (60 s and up)."""

DEAD_PEER_SECONDS = 90
"""Linux gives up on unanswered data after about 15 minutes otherwise (tcp(7), TCP_USER_TIMEOUT);
90 s outlives a busy hypervisor's pauses."""

GREETING_SECONDS = 60
"""How long sshd may take to greet or authenticate: an emulated node under load needs 20 s."""

SITE_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
"""Where OpenSSH looks for keys pinned for everyone (ssh_config(5), GlobalKnownHostsFile)."""


class UnknownHostKey(SSHException):
    """The server's key is pinned nowhere; `hostname` is in the notation of known_hosts."""

    def __init__(self, hostname: str, key: PKey, file: str) -> None:
        super().__init__(f"no pinned host key for {hostname}")
        self.hostname, self.key, self.file = hostname, key, file


class Pinned(MissingHostKeyPolicy):
    """Refuse a server whose key is not pinned."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: PKey) -> None:
        """Raise UnknownHostKey."""
        raise UnknownHostKey(hostname, key, str(getattr(client, "_host_keys_filename", "")))


class Client(pyinfra_client.SSHClient):
    """A connection to one server, through its jump hosts where ssh_config names some."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = {"commands": 0}

    def connect(self, hostname: str, *args: Any, **options: Any) -> None:
        """Connect; raises the exceptions of paramiko, UnknownHostKey among them."""
        options.setdefault("banner_timeout", GREETING_SECONDS)
        options.setdefault("auth_timeout", GREETING_SECONDS)
        options.setdefault("channel_timeout", GREETING_SECONDS)
        options.setdefault("transport_factory", transport)
        super().connect(hostname, *args, **options)  # type: ignore[no-untyped-call]  # pyinfra

    def parse_config(self, *args: Any, **options: Any) -> tuple[Any, ...]:
        """Return what ssh_config says, with asking for a key turned into refusing it.

        A question in the middle of many connections cannot be answered with care, and the site's
        known_hosts counts as the user's own.
        """
        name, config, forward, policy, files, *rest = self._parsed(*args, **options)
        if isinstance(policy, pyinfra_client.AskPolicy | pyinfra_client.StrictPolicy):
            policy = Pinned()
        if SITE_KNOWN_HOSTS.is_file():
            files = (*files, str(SITE_KNOWN_HOSTS))
        return (name, config, forward, policy, files, *rest)

    def _parsed(self, *args: Any, **options: Any) -> tuple[Any, ...]:
        return tuple(super().parse_config(*args, **options))  # type: ignore[no-untyped-call]  # untyped

    def exec_command(self, *args: Any, **options: Any) -> Any:
        """Start a command, as paramiko does; a connection that is gone is an SSHException."""
        self.tally["commands"] += 1
        try:
            return super().exec_command(*args, **options)
        except (EOFError, AttributeError) as error:
            raise SSHException("the connection is closed") from error

    def is_alive(self) -> bool:
        """Tell whether the connection is believed to be up."""
        current = self.get_transport()
        return bool(current and current.is_active())

    def exchange(self, command: str, stdin: bytes, timeout_seconds: float) -> tuple[int, str, str]:
        """Run a command with this standard input; return exit status, stdout, stderr.

        Raises TimeoutError when it takes longer, ConnectionError when the connection is lost.
        """
        # held to the end: paramiko's file for standard input ends it when it is collected
        held = self.exec_command(command)
        channel = held[1].channel
        try:
            with gevent.Timeout(timeout_seconds, TimeoutError(f"no end after {timeout_seconds} s")):
                return self._collected(channel, stdin)
        finally:
            channel.close()

    def _collected(self, channel: Channel, stdin: bytes) -> tuple[int, str, str]:
        feeder = gevent.spawn(_feed, channel, stdin)
        errors = gevent.spawn(_drained, channel.makefile_stderr("rb"))
        try:
            output = _drained(channel.makefile("rb"))
            status = channel.recv_exit_status()
            if status == -1 and not self.is_alive():
                raise ConnectionError("the connection was lost while a command ran")
            return status, output, errors.get()
        finally:
            gevent.killall([feeder, errors])

    def close(self) -> None:
        """Close the connection and those of the jump hosts under it."""
        for each in self._chain():
            each.close()
        super().close()

    def _chain(self) -> Iterable[paramiko.Transport]:
        current = self.get_transport()
        while current is not None:
            yield current
            below = current.sock
            current = below.get_transport() if isinstance(below, Channel) else None


class Transport(paramiko.Transport):
    """A transport that gives the key exchange the time of a greeting."""

    def start_client(self, event: Any = None, timeout: float | None = None) -> None:  # noqa: ARG002 - paramiko's signature
        """Negotiate; raises TimeoutError when the server takes longer than GREETING_SECONDS.

        paramiko 4.0 allows it the time of a TCP connect only, and then goes on as if it had ended.
        """
        super().start_client(event, GREETING_SECONDS)
        if event is None and not self.initial_kex_done:
            self.close()
            raise TimeoutError


def transport(sock: Any, **options: Any) -> paramiko.Transport:
    """Return a paramiko transport whose socket sends small packets at once and notices a dead peer.

    paramiko leaves Nagle's algorithm on, which costs about 45 ms on every command (measured
    2026-11-20, paramiko 4.0). A jump host's channel is no TCP socket and is left as it is.
    """
    if isinstance(sock, socket.socket) or hasattr(sock, "setsockopt"):
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_SECONDS * 1000)
    made = Transport(sock, **options)
    made.set_keepalive(KEEPALIVE_SECONDS)
    return made


def _feed(channel: Channel, data: bytes) -> None:
    with suppress(OSError, EOFError):  # a command may end before it has read everything
        while data and not (channel.closed or channel.eof_sent):  # sendall would spin then
            data = data[channel.send(data) :]
        channel.shutdown_write()


def _drained(stream: ChannelFile) -> str:
    return bytes(stream.read()).decode(errors="replace")
