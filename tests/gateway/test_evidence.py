"""The audit's question, asked of a real gateway: a sound one, and ones that are not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from roles.gateway.config import digest
from roles.gateway.evidence import Report, parse_report, script
from tests.gateway.client import free_port, wait
from tests.gateway.conftest import Make
from tests.gateway.rig import Rig

A = "model.chat/n1.chat-a"


@pytest.fixture(scope="module")
def rig(make: Make) -> Rig:
    return make(serving_address="127.0.0.9")


def asked(rig: Rig) -> Report:
    """Ask as an audit does, in the node's own shell."""
    question = rig.moved(script(rig.settings))
    done = subprocess.run(["dash"], check=True, input=question, text=True, capture_output=True)
    assert done.stderr == ""
    return parse_report(done.stdout)


def test_a_sound_gateway_says_so(rig: Rig) -> None:
    found = asked(rig)
    assert (found.of("tls.new"), found.of("tls.old")) == ("TLSv1.3", "(NONE)")
    assert found.of("tls.alpn") == "h2"
    assert found.of("plain") == ""
    assert found.answers.pop("/v1/models") == "401"
    assert set(found.answers.values()) == {"404", "401"}
    assert [path for path, status in found.answers.items() if status == "401"] == ["/v1/models"]
    assert len(found.answers) == 9
    assert found.of("socket.mode") == "600 root:root"
    assert {"per_minute", "per_day"} <= set(found.all("table"))
    assert found.of("live.description") == found.of("config.told")
    assert int(found.of("live.Ulimit-n")) >= 2 * int(found.of("live.Maxconn"))
    assert re.match(r"[23]\.\d+\.\d+", found.of("installed"))
    assert found.of("live.Version") == found.of("installed")


def test_the_digest_is_of_what_is_on_disk(rig: Rig) -> None:
    text = (rig.folder / "etc" / "haproxy.cfg").read_text()
    assert asked(rig).of("config.digest") == digest(text)


def test_doors_are_found_and_closed(rig: Rig) -> None:
    port = rig.upstreams[0].port
    ours = {f"127.0.0.9:{port}", f"127.0.0.9:{port + 1}"}
    # other gateways of this computer may listen beside this one
    told = {line.split()[0]: line.split()[1:] for line in asked(rig).all("door")}
    assert [told[door] for door in sorted(ours)] == [["closed"], ["closed"]]


DOORS = """
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 1s
listen plain
  bind 127.0.0.9:{port}
  http-request return status 200
listen silent
  mode tcp
  bind 127.0.0.9:{next}
  server nobody 127.0.0.9:1
"""


def test_a_door_without_tls_is_open_and_one_that_says_nothing_is_not_closed(
    rig: Rig, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "doors.cfg").write_text(DOORS.format(port=port, next=port + 1))
    with subprocess.Popen(["haproxy", "-db", "-f", str(tmp_path / "doors.cfg")]) as doors:
        wait(lambda: asked(rig).all("door").count(f"127.0.0.9:{port} open"), "no open door is seen")
        told = asked(rig).all("door")
        doors.terminate()
    assert f"127.0.0.9:{port + 1} silent" in told


def test_weights_drains_and_what_is_saved_are_told(rig: Rig) -> None:
    rig.ctl(f"set weight {A} 40")
    rig.ctl(f"set server {A} state drain")
    found = asked(rig)
    live, saved = found.slots("live")[A], found.slots("saved")[A]
    assert live == saved
    assert (live.weight, live.first_weight, live.is_drained) == (40, 100, True)
    assert not live.takes_requests
    # somebody who goes past gateway-ctl
    subprocess.run(
        ["socat", "-", f"UNIX-CONNECT:{rig.socket}"], check=True, text=True,
        input=f"set weight {A} 77\n", capture_output=True,
    )  # fmt: skip
    found = asked(rig)
    assert (found.slots("live")[A].weight, found.slots("saved")[A].weight) == (77, 40)
    rig.ctl(f"set server {A} state ready", f"set weight {A} 100")


def test_a_cut_answer_is_no_answer() -> None:
    with pytest.raises(ValueError, match="cut short"):
        parse_report("active=active\nenabled=enabled\n")
