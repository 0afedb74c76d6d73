"""A switch through the gateway as its role configures it: TLS, keys, paths, limits, audit log."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.modes import Wish
from flightline.serving.switch.node import Refused, WallClock
from flightline.serving.switch.run import Run
from flightline.serving.switch.targets import Gateway, Targets
from roles.gateway.settings import GatewaySettings
from tests.gateway.rig import KEY, free_port, prepared
from tests.gateway.rig import Rig as RoleRig
from tests.switch.rig import COMMAND, MODEL, LocalNode, Rig
from tests.switch.test_native import PLAN, until
from tests.switch.traffic import traffic

pytestmark = pytest.mark.skipif(
    not (shutil.which("haproxy", path="/usr/sbin:/usr/bin") and shutil.which("socat")),
    reason="needs haproxy and socat: `apt-get install haproxy socat`",
)


class Node(LocalNode):
    """The rig's node, whose gateway is the role's."""

    def __init__(self, folder: Path, gateway: RoleRig) -> None:
        super().__init__("node-1", folder)
        self._gateway = gateway

    @property
    def environment(self) -> dict[str, str]:
        places = {
            "FLIGHTLINE_GATEWAY_SOCKET": str(self._gateway.socket),
            "FLIGHTLINE_GATEWAY_STATE": str(self._gateway.state),
        }
        return {**super().environment, **places}


class Site:
    """Stand-in engines behind the role's gateway, on one node."""

    def __init__(self, folder: Path) -> None:
        self.engines = Rig(folder / "engines", ("node-1",), ())
        for version in ("v1", "v2"):
            self.engines.publish(version)
        self.engines.up("v1")
        upstreams = tuple(each.upstream for each in self.engines.services)
        settings = GatewaySettings(
            enabled=True,
            address="127.0.0.1",
            port=free_port(),
            metrics_port=free_port(),
            requests_per_minute=10_000,
        )
        (folder / "gw").mkdir()
        self.gateway = prepared(folder / "gw", settings, upstreams, node="node-1")
        self.gateway.start()
        self.gateway.up()

    def run(self, told: list[str]) -> Run:
        services = tuple(self.engines.services)
        url = f"https://127.0.0.1:{self.gateway.port}"
        gateways = (Gateway("node-1", url, tuple(each.key for each in services)),)
        targets = Targets(MODEL, "/srv/models", services, gateways)
        node = Node(self.engines.nodes["node-1"].folder, self.gateway)
        fleet = Fleet(targets, {"node-1": node}, WallClock())
        return Run(fleet, COMMAND, lambda *line: told.append(" ".join(line)))

    def close(self) -> None:
        self.gateway.close()
        self.engines.down()


@pytest.fixture
def site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="fl-sw-", dir="/tmp"))  # unix sockets' paths are short
    folder.chmod(0o755)
    made = Site(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


def test_a_switch_under_load_loses_nothing_and_a_reload_keeps_its_weights(site: Site) -> None:
    told: list[str] = []
    with traffic([site.gateway.port], key=KEY, clients=6) as seen:
        outcome = site.run(told).switch(PLAN, Wish())
        assert outcome.verdict == "switched", (outcome, told)
        site.gateway.reload()
        weights = {name: weight for name, (weight, _) in site.gateway.servers().items()}
        assert weights["model.tiny/node-1.chat-a"] == 0
        assert weights["model.tiny/node-1.chat-b"] == 100
        assert site.run(told).rollback(PLAN).exit_code == 0
        until(60, lambda: seen.requests >= 300)
    assert seen.failures == []
    assert set(seen.answered) == {"v1", "v2"}


def test_golden_prompts_pass_the_gateway_with_a_key_and_a_wrong_key_is_refused(site: Site) -> None:
    told: list[str] = []
    with pytest.raises(Refused, match="/v1/models answers 401 to the key of --key-file"):
        site.run(told).switch(replace(PLAN, key="fl-nobody"), Wish())
    quiet = replace(PLAN, key=KEY, canary=(50, 100), hold_seconds=0)
    outcome = site.run(told).switch(quiet, Wish())
    assert outcome.verdict == "switched", (outcome, told)
    assert any("too few requests" in each for each in told)
    asked = [each for each in site.gateway.logged() if each.get("status") == 200]
    assert asked, "the audit log has the switch's own requests"
    assert KEY not in str(outcome) + str(told)
