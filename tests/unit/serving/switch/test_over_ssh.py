"""The command itself, over real SSH: recorded, interrupted, killed, and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.switch.rig import OWNER, Rig, port_of
from tests.switch.traffic import traffic

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.skipif(
    not (shutil.which("haproxy", path="/usr/sbin:/usr/bin") and shutil.which("socat")),
    reason="needs haproxy and socat: `apt-get install haproxy socat`",
)
INVENTORY = """
from roles.gateway.settings import GatewaySettings
from roles.inference.settings import EngineSettings, InferenceSettings
from roles.pki.settings import PkiSettings
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion
_digest = "0" * 64
_versions = tuple(
    ModelVersion(version=each, source="file:///srv/mirror", manifest_sha256=_digest)
    for each in ("v1", "v2")
)
_engine = EngineSettings(
    name="chat", engine="llamacpp", model="tiny", port={port},
    image="localhost/i@sha256:" + _digest,
)
nodes = [("node-1", {{
    **{data!r},
    "models": ModelsSettings(models=(ModelSettings(name="tiny", versions=_versions),)),
    "inference": InferenceSettings(engines=(_engine,)),
    "gateway": GatewaySettings(enabled=True),
    "pki": PkiSettings(enabled=True),
}})]
"""


class Site:
    """A project with one node, and the command upon it."""

    def __init__(self, folder: Path, sshd: Any) -> None:
        self.folder = folder
        self.rig = Rig(folder / "rig", ("node-1",), ("node-1",))
        for version in ("v1", "v2"):
            self.rig.publish(version)
        self.rig.up("v1")
        (folder / "roles").symlink_to(ROOT / "roles")
        (folder / "deploy.py").write_text("")
        port = self.rig.services[0].port("a")
        (folder / "here.py").write_text(INVENTORY.format(data=sshd.data, port=port))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        places = [str(self.folder / "rig"), str(self.folder / "lock")]
        typed = ["model", "switch", "here.py", "--model", "tiny", *arguments]
        here = {
            OWNER: str(os.getpid()),
            "FLIGHTLINE_PROJECT": str(self.folder),
            "FLIGHTLINE_RUNS": str(self.folder / "flightline-runs"),
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.Popen(
            [sys.executable, str(ROOT / "tests/switch/over_ssh.py"), *places, *typed],
            cwd=self.folder, env={**os.environ, **here}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    def until_weight(self, weight: int) -> None:
        deadline = time.monotonic() + 60
        while self.weights()["node-1.chat-b"] != weight:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def weights(self) -> dict[str, int]:
        seen = self.rig.run().fleet.servers(self.rig.gateways[0])
        return {name: each.weight for name, each in seen.items()}

    def state(self) -> dict[str, Any]:
        text = (self.folder / "rig/node-1/var/serving/chat.json").read_text()
        return dict(json.loads(text))


@pytest.fixture
def site(tmp_path: Path, sshd: Any) -> Iterator[Site]:
    made = Site(tmp_path, sshd)
    yield made
    made.rig.down()


# this computer may be busy with other tests: its times are no reason to go back
TO = ("--to", "v2", "--canary", "50,100", "--ttft-ratio", "50")
QUICK = (*TO, "--hold", "1s")
SLOW = (*TO, "--hold", "60s")


def test_a_switch_says_and_records_what_it_did(site: Site) -> None:
    code, output, errors = site.run(*QUICK, "--format", "json")
    assert code == 0, errors
    said = json.loads(output)
    assert (said["schema"], said["verdict"], said["serving"]) == (
        "flightline.switch/1", "switched", {"node-1/chat": "v2"},
    )  # fmt: skip
    folder = next((site.folder / "flightline-runs").iterdir())
    assert json.loads((folder / "switch.json").read_text()) == said
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    begun = [event["operation"] for event in events if event["message"] == "begins"]
    assert begun == [
        "begin", "prepare", "start", "golden", "canary-50", "canary-100", "drain", "flip", "finish",
    ]  # fmt: skip
    assert (site.folder / "rig/node-1/models/tiny/current").readlink() == Path("v2")
    code, output, errors = site.run("--to", "v2")
    assert (code, "serves already" in output) == (0, True), errors
    code, output, errors = site.run("--rollback")
    assert (code, site.state()["active"]) == (0, "a"), errors
    code, output, errors = site.run("--retire")
    assert (code, site.state()["b"]) == (0, None), errors


def test_a_dry_run_leaves_the_node_as_it_is(site: Site) -> None:
    code, output, _ = site.run(*QUICK, "--dry-run")
    assert (code, "side-by-side" in output, "GiB available" in output) == (0, True, True)
    assert site.state()["b"] is None


@pytest.mark.parametrize(
    ("how", "code", "back"),
    [(signal.SIGINT, 1, "--resume"), (signal.SIGTERM, 1, "--undo"), (signal.SIGKILL, -9, "--undo")],
)
def test_a_run_that_is_ended_leaves_a_served_model_and_a_way_on(
    site: Site, how: int, code: int, back: str
) -> None:
    with traffic([port_of(site.rig.gateways[0])], clients=4) as seen:
        process = site.start(*SLOW)
        site.until_weight(50)
        process.send_signal(how)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        assert "Traceback" not in errors
        if how != signal.SIGKILL:
            assert "flightline model switch here.py --model tiny --resume" in output
        assert site.state()["switching"]["step"] == "canary-50"
        # the hold is what the switch began with: shorten it, as nobody waits a minute here
        path = site.folder / "rig/node-1/var/serving/chat.json"
        path.write_text(path.read_text().replace('"hold_seconds": 60.0', '"hold_seconds": 1.0'))
        again = _again(site, back, "--ttft-ratio", "50")
        assert again[0] == 0, again
    serves = "v2" if back == "--resume" else "v1"
    state = site.state()
    assert (state[state["active"]], state["switching"]) == (serves, None)
    assert seen.failures == []
    assert seen.requests > 50


def _again(site: Site, *verb: str) -> tuple[int, str, str]:
    """sshd lets go of the lock of a run that was killed as soon as it notices."""
    for _ in range(20):
        done = site.run(*verb)
        if "another run holds" not in done[2]:
            break
        time.sleep(0.5)
    return done


def test_a_connection_that_breaks_is_made_again(site: Site, sshd: Any) -> None:
    process = site.start(*TO, "--hold", "5s")
    site.until_weight(50)
    _break_connections(sshd)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, (output, errors)
    assert site.state()["active"] == "b"


def test_a_second_run_is_refused_while_one_is_at_work(site: Site) -> None:
    process = site.start(*SLOW)
    site.until_weight(50)
    code, _, errors = site.run("--undo")
    assert (code, "another run holds" in errors) == (2, True), errors
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert site.run("--undo")[0] == 0


def _break_connections(sshd: Any) -> None:
    """End the processes of this sshd that hold a connection."""
    listener = str(sshd.process.pid)
    asked = subprocess.run(["pgrep", "-P", listener], capture_output=True, text=True, check=True)
    for pid in asked.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
