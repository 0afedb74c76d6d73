"""A node of one service, and the shells that nodes have."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.roles.inference.declared import engine
from tests.unit.roles.inference.stand_ins import World, world


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    name = str(request.param)
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    if name != "busybox":
        return name
    link = tmp_path / "sh"
    link.symlink_to(shutil.which("busybox") or "")
    return str(link)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[World]:
    made = world(tmp_path / "node", engine(drain_seconds=3))
    yield made
    made.end_all()


@pytest.fixture
def serving(node: World) -> World:
    node.set("healthy")
    return node
