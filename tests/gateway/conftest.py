"""A gateway for a whole file of tests, and one for a test that changes it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flightline.serving.upstreams import Upstream
from roles.gateway.settings import GatewaySettings
from tests.gateway.client import free_port
from tests.gateway.rig import NODE, Rig, prepared

Make = Callable[..., Rig]


def upstream(port: int, *, service: str = "chat", node: str = NODE, **more: Any) -> Upstream:
    """Return a service of one engine."""
    return Upstream(
        node, more.get("address"), service, more.get("model", service),
        more.get("aliases", ("gpt",)), port, more.get("grpc_port"), "/health",
    )  # fmt: skip


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    """Yield a maker of rigs: gateway and slot a's engine run; other settings are keywords."""
    made: list[Rig] = []
    # unix sockets' paths are short
    base = Path(tempfile.mkdtemp(prefix="fl-gw-", dir="/tmp"))
    base.chmod(0o755)

    def rig(*, upstreams: tuple[Upstream, ...] | None = None, **values: Any) -> Rig:
        folder = base / str(len(made))
        folder.mkdir()
        behind = upstreams if upstreams is not None else (upstream(free_port()),)
        ready = values.pop("ready", 1)
        public_key = values.pop("public_key", None)
        rest = {"address": values.pop("serving_address", None), "node": values.pop("node", NODE)}
        settings = GatewaySettings(
            enabled=True, port=free_port(), metrics_port=free_port(),
            **{"address": "127.0.0.1", **values},
        )  # fmt: skip
        found = prepared(folder, settings, behind, **rest)
        if public_key:
            (folder / "etc" / "jwt.pem").write_bytes(public_key)
        made.append(found)
        for each in behind:
            if each.node == found.node:
                found.engine(each.port, each.server("a"))
        found.start()
        found.up(ready)
        return found

    yield rig
    for each in made:
        each.close()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def gateway(make: Make) -> Rig:
    """Return a gateway in front of one engine; for tests that leave it as it is."""
    return make()
