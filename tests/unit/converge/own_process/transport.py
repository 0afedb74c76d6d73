"""The transport over a real sshd: what is refused, what is said, what is counted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flightline.converge import session as sessions
from flightline.converge.session import Session
from flightline.transport import Completed, counts, root_command, run_as_root

Connect = Callable[..., Session]


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Connect to one node with this data; a failure is in `failed`."""
    (tmp_path / "roles").mkdir()
    (tmp_path / "deploy.py").write_text("")
    monkeypatch.chdir(tmp_path)
    opened: list[Session] = []

    def make(data: dict[str, Any]) -> Session:
        Path("here.py").write_text(f"gpu = [('node', {data!r})]\n")
        session = sessions.opened("here.py")
        session.open()
        opened.append(session)
        return session

    yield make
    for each in opened:
        each.close()


def root(session: Session, script: str, seconds: float = 30) -> Completed:
    return run_as_root(session.hosts[0], script, timeout_seconds=seconds)


def test_a_script_is_one_command_and_its_result_is_whole(connect: Connect, sshd: Any) -> None:
    session = connect(sshd.data)
    before = counts(session.hosts[0]).commands
    script = "echo out; echo err >&2; cat; head -c 200000 /dev/zero | tr '\\0' x; exit 7"
    done = root(session, script)
    assert (done.rc, done.stdout[:4], len(done.stdout)) == (7, "out\n", 200004)
    assert done.stderr == "err\n"
    assert counts(session.hosts[0]).commands == before + 1


def test_a_script_longer_than_any_argument_runs(connect: Connect, sshd: Any) -> None:
    assert root(connect(sshd.data), f": {'x' * 3_000_000}\necho end").stdout == "end\n"


def test_a_script_that_does_not_end_is_a_timeout(connect: Connect, sshd: Any) -> None:
    with pytest.raises(TimeoutError):
        root(connect(sshd.data), "sleep 20", seconds=1)


def test_small_packets_are_sent_at_once(connect: Connect, sshd: Any) -> None:
    import socket

    client: Any = connect(sshd.data).hosts[0].connector
    sock = client.client.get_transport().sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_disconnecting_ends_the_connection_on_the_server_too(connect: Connect, sshd: Any) -> None:
    session = connect(sshd.data)
    connector: Any = session.hosts[0].connector
    transport = connector.client.get_transport()
    session.close()
    assert not transport.is_active()
    assert transport.sock.fileno() == -1


def test_counts_last_over_a_reconnect_and_include_files(
    connect: Connect, sshd: Any, tmp_path: Path
) -> None:
    host = connect(sshd.data).hosts[0]
    (tmp_path / "file").write_text("text")
    host.put_file(str(tmp_path / "file"), str(tmp_path / "copy"))
    host.disconnect()
    host.connect(raise_exceptions=True)
    host.get_file(str(tmp_path / "copy"), str(tmp_path / "back"))
    host.run_shell_command("true")
    assert (tmp_path / "back").read_text() == "text"
    seen = counts(host)
    assert (seen.commands, seen.uploads, seen.downloads) == (1, 1, 1)


def test_an_unknown_host_key_is_refused_with_its_fingerprint(connect: Connect, sshd: Any) -> None:
    sshd.known_hosts.write_text("")
    sentence = connect(sshd.data).failed["node"]
    listed = subprocess.run(
        ["ssh-keygen", "-lf", sshd.folder / "host.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert listed in sentence
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {sshd.known_hosts}" in sentence
    assert sshd.known_hosts.read_text() == ""


def test_a_changed_host_key_names_the_line_and_stays(connect: Connect, sshd: Any) -> None:
    sshd.pin("client.pub")
    pinned = "# a comment\n" + sshd.known_hosts.read_text()
    sshd.known_hosts.write_text(pinned)
    sentence = connect(sshd.data).failed["node"]
    assert f"{sshd.known_hosts}:2 pins SHA256:" in sentence
    assert "only if the node was rebuilt" in sentence
    assert sshd.known_hosts.read_text() == pinned


def test_a_refused_key_says_whose_and_how_to_authorise_it(connect: Connect, sshd: Any) -> None:
    sshd.folder.joinpath("client.pub").write_text("")
    sentence = connect(sshd.data).failed["node"]
    assert f"with the key {sshd.data['ssh_key']}" in sentence
    assert "ssh-copy-id" in sentence


def test_a_missing_key_file_concerns_its_node_only(connect: Connect, sshd: Any) -> None:
    sentence = connect({**sshd.data, "ssh_key": "/nowhere/key"}).failed["node"]
    assert sentence.startswith("node: ")
    assert "/nowhere/key" in sentence


def test_a_name_that_does_not_resolve_says_so(connect: Connect, sshd: Any) -> None:
    sentence = connect({**sshd.data, "ssh_hostname": "nowhere.invalid"}).failed["node"]
    assert "the name nowhere.invalid does not resolve" in sentence


def test_a_jump_host_is_used_and_is_strict_too(
    connect: Connect, make_sshd: Callable[..., Any], tmp_path: Path
) -> None:
    jump, target = make_sshd(), make_sshd()
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host jump\n HostName 127.0.0.1\n Port {jump.port}\n User {jump.data['ssh_user']}\n"
        f" IdentityFile {jump.folder / 'client'}\n UserKnownHostsFile {jump.known_hosts}\n"
        f"Host 127.0.0.1\n ProxyJump jump\n"
    )
    data = {**target.data, "ssh_config_file": str(config)}
    session = connect(data)
    assert session.failed == {}
    assert root(session, "echo through").stdout == "through\n"
    assert str(jump.port) in (target.folder / "log").read_text() or jump.process
    session.close()
    jump.known_hosts.write_text("")
    assert "is not pinned" in connect(data).failed["node"]


@pytest.mark.parametrize("shell", [["sh", "-c"], ["dash", "-c"], ["bash", "-c"]])
def test_what_a_login_shell_prints_first_is_dropped(shell: list[str]) -> None:
    command = f"echo noise; echo noise >&2; {root_command('0123456789abcdef')}"
    done = subprocess.run(
        [*shell, command],
        input="a password nobody asked for\n0123456789abcdef\necho $((1 + 1)); exit 3",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.rpartition("0123456789abcdef\n")[2] == "2\n"
    assert done.returncode == 3


def test_the_command_holds_no_part_of_script_or_password() -> None:
    command = root_command("0123456789abcdef", with_password=True)
    assert "password" not in command
    assert len(command) < 400
