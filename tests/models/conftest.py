"""The node's programs as they land, run by dash on a store in a temporary folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flightline.serving.manifest import Entry, Manifest, dumps, manifest
from flightline.templates import render
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion
from tests.models.mirror import Mirror

PROGRAMS = ("model-fetch", "model-verify", "model-store.sh", "model-transport.sh")


@dataclass
class Node:
    """A store, and what the role writes beside it."""

    root: Path
    settings: ModelsSettings = field(default_factory=ModelsSettings)

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def services(self) -> Path:
        return self.root / "services"

    def declare(self, *models: ModelSettings, **fields: Any) -> None:
        """Write what the role writes; no margin and no waits, unless the test wants them."""
        kept = {"free_gib_min": 0, "attempts": 3, "stall_seconds": 5, **fields}
        self.settings = ModelsSettings(models=models, store=str(self.store), **kept)
        places = SimpleNamespace(
            DECLARED=self.root / "declared",
            RECORDS=self.records,
            RUN=self.run,
            SERVICES=self.services,
        )
        for name in ("settings", "declared"):
            source = f"models/etc/flightline/models/{name}.j2"
            text = render(source, settings=self.settings, store=places)
            (self.root / name).write_text(text.replace("retry_seconds=2", "retry_seconds=0"))

    def fetch(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.program("model-fetch", **environment)

    def verify(self, name: str, version: str, *more: str) -> subprocess.CompletedProcess[str]:
        return self.program("model-verify", str(self.store), name, version, *more)

    def program(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["dash", str(self.root / "programs" / words[0]), *words[1:]],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self.environment | environment,
        )

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "FLIGHTLINE_MODELS_CONF": str(self.root / "settings"),
            "TMPDIR": str(self.root / "tmp"),
        }


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path / "node")
    for name in ("store", "run", "records", "services", "tmp", "programs"):
        (made.root / name).mkdir(parents=True)
    for name in PROGRAMS:
        file = made.root / "programs" / name
        file.write_text(render(f"models/usr/local/lib/flightline/{name}"))
        file.chmod(0o755)
    return made


@pytest.fixture
def weights(tmp_path: Path) -> Callable[..., tuple[Path, Manifest]]:
    """Make a version's folder as a mirror has it, of random files of these sizes."""

    def make(name: str = "chat", version: str = "1", **sizes: int) -> tuple[Path, Manifest]:
        folder = tmp_path / "mirror" / name / version
        files = {"config.json": 20, "sub/a+b=c@d,e.bin": 70_000, "empty": 0, **sizes}
        entries = []
        for path, size in files.items():
            content = os.urandom(size)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
            entries.append(Entry(path, size, hashlib.sha256(content).hexdigest()))
        made = manifest(name, version, entries)
        (folder / "manifest.json").write_text(dumps(made))
        return folder, made

    return make


def source(folder: Path) -> str:
    """The mirror's root, that has the version's folder, as an address."""
    return f"file://{folder.parents[1]}"


def model(source: str, *manifests: Manifest, serve: str | None = None) -> ModelSettings:
    """Declare versions of one model from a mirror's address."""
    versions = tuple(
        ModelVersion(
            version=each.version,
            source=f"{source}/{each.name}/{each.version}",
            manifest_sha256=each.digest,
        )
        for each in manifests
    )
    return ModelSettings(name=manifests[0].name, versions=versions, serve=serve)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    (tmp_path / "mirror").mkdir(exist_ok=True)
    server = Mirror(tmp_path / "nginx", tmp_path / "mirror")
    yield server
    server.stop()
