"""pyinfra's SSH connector, strict and counted: what a host's commands and files go through."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from paramiko import SFTPClient, SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.output import echo
from pyinfra.connectors.base import DataMeta
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import (
    CommandOutput,
    make_unix_command_for_host,
    read_output_buffers,
    remove_any_sudo_askpass_file,
    write_stdin,
)

from flightline import ssh_trouble
from flightline.ssh import SITE_KNOWN_HOSTS, Client

_TALLY = "flightline_tally"
LOST = "the connection was lost while a command ran"
_ERRORS = "flightline_errors"


@dataclass(frozen=True)
class Counts:
    """What was sent to one node since the inventory was loaded, over all its connections."""

    commands: int = 0
    uploads: int = 0
    downloads: int = 0


def counts(host: Host) -> Counts:
    """Return what was sent to the node so far; zeros for a connector that is not SSH."""
    return Counts(**host.connector_data.get(_TALLY, {}))


def last_errors(host: Host) -> str:
    """Return what the last command that failed on the node wrote to stderr."""
    return str(host.connector_data.get(_ERRORS, ""))


def forget_errors(host: Host) -> None:
    """Make `last_errors` speak of what comes next only."""
    host.connector_data.pop(_ERRORS, None)


class Connector(SSHConnector):
    """pyinfra's SSH connector with pinned host keys, sentences for errors, and counts."""

    data_meta = {  # noqa: RUF012 - pyinfra declares it so
        **SSHConnector.data_meta,
        "ssh_strict_host_key_checking": DataMeta("SSH strict host key checking", "yes"),
    }
    _sftp: SFTPClient | None = None

    def connect(self) -> None:
        """Connect; raises pyinfra's ConnectError with one sentence."""
        try:
            super().connect()
        except ConnectError as error:
            self._close()
            raise ConnectError(self._trouble(error.__context__ or error)) from error
        except (PyinfraError, ValueError) as error:  # an unreadable key, a port that is no number
            raise ConnectError(self._trouble(error)) from error

    def _connect(self) -> None:
        kwargs = self.make_paramiko_kwargs()
        hostname = kwargs.pop("hostname")
        self.client = Client()
        try:
            self.client.connect(hostname, **kwargs)
        except SSHException as error:
            if not self._retry_paramiko_agent_keys(hostname, kwargs, error):
                raise
        self.client.tally = self._tally()

    def disconnect(self) -> None:
        """Close the connection, jump hosts included."""
        if isinstance(self.client, Client) and self.client.is_alive():
            remove_any_sudo_askpass_file(self.host)
        self._close()

    def run_shell_command(
        self,
        command: StringCommand,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> tuple[bool, CommandOutput]:
        """Run a command as pyinfra does, but never ask for a password in the middle of a run."""
        expected = arguments.pop("_success_exit_codes", None) or [0]
        pty, timeout = arguments.pop("_get_pty", False), arguments.pop("_timeout", None)
        text, stdin = self._shell_text(command, arguments)
        if print_input:
            echo(f"{self.host.print_prefix}>>> {command}", err=True)
        if not isinstance(self.client, Client):
            raise SSHException("the node is not connected")
        feed, output, _ = self.client.exec_command(text, get_pty=pty)
        try:
            write_stdin(stdin, feed)
            lines = read_output_buffers(
                _decoded(output.channel.makefile("rb")),
                _decoded(output.channel.makefile_stderr("rb")),
                timeout,
                print_output,
                self.host.print_prefix,
            )
            status = output.channel.recv_exit_status()
        finally:
            output.channel.close()
        if status == -1 and not self.client.is_alive():
            self.host.connector_data[_ERRORS] = LOST
            raise SSHException(LOST)
        if status not in expected:
            self.host.connector_data[_ERRORS] = lines.stderr
        return status in expected, lines

    def get_file_transfer_connection(self) -> Any:
        """Return this connection's SFTP session, opened at its first use."""
        if self.data["ssh_file_transfer_protocol"] != "sftp":
            return SSHConnector.get_file_transfer_connection.__wrapped__(self)
        if self._sftp is None or self._sftp.get_channel().closed:  # type: ignore[union-attr]  # open
            assert self.client is not None
            self._sftp = self.client.open_sftp()
        return self._sftp

    def _put_file(self, filename_or_io: Any, remote_location: str) -> None:
        self._tally()["uploads"] += 1
        with self._told_transfer():
            super()._put_file(filename_or_io, remote_location)  # type: ignore[no-untyped-call]  # untyped

    def _get_file(self, remote_filename: str, filename_or_io: str | IO[Any]) -> None:
        self._tally()["downloads"] += 1
        with self._told_transfer():
            super()._get_file(remote_filename, filename_or_io)

    def _shell_text(self, command: StringCommand, arguments: dict[str, Any]) -> tuple[str, Any]:
        """Return the command line and its standard input; a sudo password goes to the latter."""
        stdin = arguments.pop("_stdin", None) or []
        password = arguments.pop("_sudo_password", None)
        if not (password and arguments.get("_sudo")):
            made = make_unix_command_for_host(self.state, self.host, command, **arguments)
            return made.get_raw_value(), stdin
        nonce = secrets.token_hex(8)
        drained = StringCommand(
            f'{{ while IFS= read -r line; do [ "$line" = {nonce} ] && break; done;', command, "\n}"
        )
        made = make_unix_command_for_host(self.state, self.host, drained, **arguments)
        text = made.get_raw_value().replace("sudo -H -n", "sudo -H -S -p ''", 1)
        return text, [password, nonce, *_lines(stdin)]

    @contextmanager
    def _told_transfer(self) -> Iterator[None]:
        """Keep why a transfer failed; a lost connection is an OSError, which pyinfra expects."""
        try:
            yield
        except (OSError, SSHException, EOFError) as error:
            lost = isinstance(error, EOFError) or not str(error)
            self.host.connector_data[_ERRORS] = LOST if lost else f"file transfer: {error}"
            raise OSError(str(self.host.connector_data[_ERRORS])) from error

    def _tally(self) -> dict[str, int]:
        tally: dict[str, int] = self.host.connector_data.setdefault(_TALLY, asdict(Counts()))
        return tally

    def _close(self) -> None:
        self._sftp = None
        if self.client is not None:
            self.client.close()

    def _trouble(self, error: BaseException) -> str:
        config = getattr(self.client, "_ssh_config", None) or {}
        files = self.data["ssh_known_hosts_file"] or getattr(self.client, "_host_keys_filename", "")
        target = ssh_trouble.Target(
            node=self.host.name,
            hostname=self.data["ssh_hostname"] or self.host.name,
            port=int(config.get("port") or self.data["ssh_port"] or 22),
            user=config.get("username") or self.data["ssh_user"] or "",
            key=self.data["ssh_key"] or "",
            known_hosts=tuple(str(Path(each).expanduser()) for each in (files, SITE_KNOWN_HOSTS)),
            timeout_seconds=self.state.config.CONNECT_TIMEOUT,
        )
        return ssh_trouble.sentence(target, error)


def _lines(stdin: Any) -> list[str]:
    if hasattr(stdin, "readlines"):
        return list(stdin.readlines())
    return [stdin] if isinstance(stdin, str) else list(stdin)


def _decoded(stream: Iterable[bytes]) -> Iterator[str]:
    """Yield lines; bytes that are no UTF-8 must not end the reading."""
    for line in stream:
        yield line.decode(errors="replace")
