"""What goes wrong during a renewal: clocks, disks, kills, and a gateway that refuses."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator

import pytest

from tests.pki.node import Node
from tests.pki.test_renewal import KINDS, age, is_sound, keys


@pytest.fixture
def late(node: Node) -> Iterator[Node]:
    """Return a node whose clock can be set: `date` is the system's, moved."""
    node.program(
        "date",
        "#!/bin/sh\n"
        'for word; do case $word in -d) exec /bin/date "$@" ;; esac; done\n'
        '[ "$*" != +%s ] || { echo $(($(/bin/date +%s) + ${SHIFT:-0})); exit; }\n'
        'exec /bin/date "$@"\n',
    )
    yield node


def test_before_the_root_was_made_nothing_is_renewed(late: Node) -> None:
    before = keys(late)
    late.environment["SHIFT"] = str(-7200)
    said = late.run("pki-renew", "--now", fails=True)
    assert "the clock says" in said
    assert "set it, nothing was renewed" in said
    assert keys(late) == before


def test_a_clock_that_was_in_the_future_is_noticed(node: Node) -> None:
    age(node, "gateway", -24)
    assert node.run("pki-renew", "--due") == "gateway it was made in the future\n"


def test_a_slow_clock_makes_certificates_that_others_accept(late: Node) -> None:
    late.environment["SHIFT"] = str(1800)
    late.run("pki-renew", "--now")
    assert is_sound(late, "gateway")


def test_a_full_disk_keeps_the_old_pair(node: Node) -> None:
    before = (node.etc / "gateway.pem").read_bytes()
    node.program("sync", "#!/bin/sh\necho 'sync: No space left on device' >&2; exit 1\n")
    said = node.run("pki-renew", "--now", fails=True)
    assert "gateway.pem cannot be written, the old one stays: sync: No space left" in said
    assert (node.etc / "gateway.pem").read_bytes() == before
    assert not list(node.etc.glob(".*.new"))
    (node.programs / "sync").unlink()
    node.run("pki-renew", "--now")
    assert (node.etc / "gateway.pem").read_bytes() != before


@pytest.mark.parametrize("turn", range(12))
def test_a_kill_at_any_moment_leaves_sound_pairs(node: Node, turn: int) -> None:
    after = random.Random(turn).uniform(0.0, 0.4)
    node.run_killed("pki-renew", "--now", after=after)
    assert all(is_sound(node, kind) for kind in KINDS)
    node.run("pki-renew")
    assert node.run("pki-renew", "--due") == ""
    assert all(is_sound(node, kind) for kind in KINDS)
    assert not list(node.state.glob("work.*"))


def test_two_renewals_at_a_time_leave_a_sound_pair(node: Node) -> None:
    node.run_killed("pki-renew", "--now", after=0.01)
    node.run("pki-renew", "--now")
    assert all(is_sound(node, kind) for kind in KINDS)


def test_no_secret_is_ever_on_a_command_line(node: Node) -> None:
    log = node.folder / "arguments"
    real = subprocess.check_output(["sh", "-c", "command -v openssl"], text=True).strip()
    node.program("openssl", f'#!/bin/sh\necho "$*" >>{log}\nexec {real} "$@"\n')
    node.run("pki-renew", "--now")
    node.certify()
    assert "PRIVATE" not in log.read_text()
    assert len(log.read_text()) > 1000


def test_the_running_gateway_is_handed_new_certificates(node: Node) -> None:
    node.loader.write_text(f"#!/bin/sh\ncat {node.etc}/gateway.pem >{node.folder}/handed\n")
    node.loader.chmod(0o755)
    node.run("pki-renew", "--now")
    assert not (node.folder / "handed").exists()
    (node.folder / "gateway-runs").touch()
    node.run("pki-renew", "--now")
    assert (node.folder / "handed").read_text() == (node.etc / "gateway.pem").read_text()


def test_a_gateway_that_is_starting_is_handed_them_when_it_runs(node: Node) -> None:
    """It may have read the old certificates, and nothing is due again for days."""
    node.loader.write_text(f"#!/bin/sh\ncat {node.etc}/gateway.pem >{node.folder}/handed\n")
    node.loader.chmod(0o755)
    node.program("systemctl", "#!/bin/sh\n[ $1 != -q ] && echo activating\n")
    node.program("sleep", f"#!/bin/sh\nprintf '#!/bin/sh\\n' >{node.programs}/systemctl\n")
    node.run("pki-renew", "--now")
    assert (node.folder / "handed").read_text() == (node.etc / "gateway.pem").read_text()


def test_a_gateway_that_refuses_is_told_of_and_tried_again(node: Node) -> None:
    node.loader.write_text("#!/bin/sh\necho 'no such certificate' >&2; exit 1\n")
    node.loader.chmod(0o755)
    (node.folder / "gateway-runs").touch()
    said = node.run("pki-renew", "--now", fails=True)
    assert "did not take the new certificates" in said
    assert "no such certificate" in said
    node.run("pki-renew", fails=True)
    node.loader.write_text("#!/bin/sh\n")
    node.run("pki-renew")
    assert not (node.state / "owed").exists()
