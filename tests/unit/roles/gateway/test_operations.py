"""What a converge asks of a node, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts, parse_node
from flightline.operations.bundle import File, Merge
from flightline.operations.packages import Installed
from flightline.operations.refusal import Refusal
from flightline.serving.upstreams import Upstream
from roles.gateway import files, operations
from roles.gateway.facts import Found, Ground, ground_of, parse_ground
from roles.gateway.operations import refuse_unfit
from roles.gateway.settings import GatewaySettings

SETTINGS = GatewaySettings(enabled=True)


def node(system: str = "debian 12") -> NodeFacts:
    name, version = system.split()
    lines = [
        f"os=ID={name}", f"os=VERSION_ID={version}", "architecture=x86_64", "cpus=0-3",
        "memory=MemTotal: 8073741 kB", "room_of=/",
        "Filesystem 1024-blocks Used Available Capacity Mounted on",
        "/dev/sda2 100 1 99 1% /", "end=yes",
    ]  # fmt: skip
    return parse_node("\n".join(lines))


def ground(version: tuple[int, int] | None = (2, 6), *, site: bool = False) -> Ground:
    names = dict.fromkeys(files.packages(SETTINGS), "1")
    return Ground(Installed("apt", names, frozenset()), version, site)


@pytest.mark.parametrize(
    ("system", "version"),
    [("debian 12", None), ("debian 12", (2, 6)), ("debian 13", (3, 0)), ("ubuntu 24.04", None),
     ("ubuntu 22.04", (2, 8)), ("rocky 9.6", (3, 0))],
)  # fmt: skip
def test_what_can_be_a_gateway_may(system: str, version: tuple[int, int] | None) -> None:
    refuse_unfit(node(system), ground(version))


@pytest.mark.parametrize(
    ("system", "version", "told"),
    [
        ("ubuntu 22.04", None, "HAProxy 2.4 or older, expected at least 2.6"),
        ("rocky 9.6", None, "HAProxy 2.4 or older, expected at least 2.6"),
        ("rhel 9.4", (2, 4), "HAProxy 2.4, expected at least 2.6"),
    ],
)
def test_an_old_haproxy_is_refused(system: str, version: tuple[int, int] | None, told: str) -> None:
    with pytest.raises(NodeRefused, match=told):
        refuse_unfit(node(system), ground(version))


def test_a_haproxy_of_the_sites_own_is_left_alone() -> None:
    with pytest.raises(NodeRefused, match="proxies of the site's own"):
        refuse_unfit(node(), ground(site=True))


def test_what_is_there_is_read() -> None:
    lines = [
        "ground version 2.6.12", "ground unit active", "ground proxies yes", "ground fresh yes",
        "manager apt", "ii  haproxy 2.6.12-1+deb12u4", "end",
    ]  # fmt: skip
    found = parse_ground(lines)
    assert found.version == (2, 6)
    assert found.is_site_running and found.is_fresh
    assert found.packages.versions == {"haproxy": "2.6.12-1+deb12u4"}
    assert not parse_ground([each for each in lines if "proxies" not in each]).is_site_running
    assert (
        parse_ground(["ground version", "ground unit inactive", "manager apt", "end"]).version
        is None
    )
    with pytest.raises(ValueError, match="cut short"):
        parse_ground(lines[:-1])


class Host:
    """Stands for pyinfra's host: one ground, and what was asked."""

    name = "n1"

    def __init__(self, found: Ground | None) -> None:
        self.found = found
        self.asked: list[Any] = []

    def get_fact(self, fact: Any, **_: object) -> Any:
        self.asked.append(fact)
        return self.found if fact is Found else None

    def noop(self, _: str) -> None:
        pass


@pytest.fixture
def on_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(operations, "node_of", lambda _host: node())
    yield


def run(found: Ground | None) -> tuple[list[Any], Host]:
    stand_in = Host(found)
    with ctx_host.use(stand_in):
        return list(operations.gateway_installed._inner(settings=SETTINGS)), stand_in


@pytest.mark.usefixtures("on_node")
def test_a_node_with_all_packages_costs_one_command() -> None:
    commands, asked = run(ground())
    assert commands == []
    assert asked.asked == [Found]


@pytest.mark.usefixtures("on_node")
def test_a_node_that_cannot_be_read_is_refused() -> None:
    (refusal,), _ = run(None)
    assert isinstance(refusal, Refusal)


@pytest.mark.usefixtures("on_node")
def test_an_unfit_node_is_refused_in_a_sentence() -> None:
    (refusal,), _ = run(replace(ground(), is_site_running=True))
    assert isinstance(refusal, Refusal)
    assert refusal.sentence.count("\n") == 0


def test_a_bad_inventory_is_refused_before_anything_is_written() -> None:
    bad = Upstream("n1", None, "x", "x y", (), 8001, None, "/health")
    (refusal,) = operations.gateway_configured._inner(
        settings=SETTINGS, node="n1", address=None, upstreams=(bad,)
    )
    assert isinstance(refusal, Refusal)


def test_a_gateway_without_clients_needs_neither_keys_nor_log() -> None:
    inner = SETTINGS.model_copy(update={"public": False})
    paths = [each.path for each in files.items(inner, "n1", None, ())]
    assert not [path for path in paths if "keys" in path or "audit" in path]
    assert files.packages(inner) == ("haproxy", "socat")


def test_nothing_restarts_unless_it_is_allowed() -> None:
    def restarts(settings: GatewaySettings) -> bool:
        told = [each.command for each in files.hooks(settings)]
        return any("systemctl restart flightline-gateway" in each for each in told)

    assert not restarts(SETTINGS)
    assert restarts(SETTINGS.model_copy(update={"restart_allowed": True}))


def test_each_hook_runs_once() -> None:
    commands = [each.command for each in files.hooks(SETTINGS)]
    assert len(set(commands)) == len(commands)


def test_configuration_and_keys_are_for_root_alone() -> None:
    items = [
        each for each in files.items(SETTINGS, "n1", None, ()) if isinstance(each, File | Merge)
    ]
    modes = {each.path.rpartition("/")[2]: each.mode for each in items}
    assert (modes["haproxy.cfg"], modes["keys.map"]) == ("600", "600")


@pytest.mark.parametrize(("fresh", "commands"), [(False, 0), (True, 1)])
def test_a_gateway_that_has_not_learnt_all_weights_is_given_them_though_it_runs(
    monkeypatch: pytest.MonkeyPatch, fresh: bool, commands: int
) -> None:
    found = replace(ground(), is_fresh=fresh)
    monkeypatch.setattr("roles.gateway.operations.services._inner", lambda wanted: iter(()))
    stand_in = Host(found)
    with ctx_host.use(stand_in), ctx_state.use(SimpleNamespace(current_stage=StateStage.Prepare)):
        ground_of(stand_in, ("haproxy",))
        planned = list(operations.gateway_running._inner(settings=SETTINGS, upstreams=()))
    assert len(planned) == commands
