"""A node with certificates of a throw-away authority."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flightline.serving import authority
from roles.pki.settings import PkiSettings
from tests.pki.node import Node


@pytest.fixture
def settings(tmp_path: Path) -> PkiSettings:
    folder = tmp_path / "authority"
    authority.ensure(folder)
    return PkiSettings(enabled=True, authority_folder=str(folder))


@pytest.fixture
def node(tmp_path: Path, settings: PkiSettings) -> Node:
    """Return a node whose certificates were just made."""
    made = Node(tmp_path / "node", settings)
    os.umask(0o022)
    made.lay_down()
    made.certify()
    return made
