"""A node's certificates on this computer: the role's own files and programs in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from flightline.operations.bundle import File, Merge
from flightline.serving import authority
from flightline.serving.layout import PKI
from roles.pki import files, wanted
from roles.pki.settings import PkiSettings

_SYSTEMCTL = """#!/bin/sh
[ "$*" = "-q is-active flightline-gateway.service" ] && [ -e "{folder}/gateway-runs" ]
"""


@dataclass
class Node:
    """A node called `name`; `programs` come before the system's own on its PATH."""

    folder: Path
    settings: PkiSettings
    name: str = "gpu-01"
    address: str | None = "127.0.0.1"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def programs(self) -> Path:
        return self.folder / "bin"

    @property
    def loader(self) -> Path:
        """Stands for what hands certificates to the running gateway."""
        return self.folder / "gateway-certificates"

    def lay_down(self) -> None:
        """Write the files of the role, as a converge would."""
        self.programs.mkdir(parents=True, exist_ok=True)
        self.program("systemctl", _SYSTEMCTL.format(folder=self.folder))
        for item in files.items(self.settings, self.name, self.address):
            if isinstance(item, Merge):
                item = File(item.path, item.merge(None), item.mode)  # noqa: PLW2901
            if isinstance(item, File) and not item.path.endswith((".service", ".timer")):
                path = self._place(item.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(item.content)
                path.chmod(int(item.mode, 8))

    def program(self, name: str, content: str) -> None:
        """Put a program before the system's own of that name."""
        (self.programs / name).write_text(content)
        (self.programs / name).chmod(0o755)

    def certify(self) -> None:
        """Have the node's authorities signed, and certificates made, as a converge would."""
        kinds = wanted.kinds(self.settings)
        self.run("pki-authority", "request", *kinds)
        for kind in kinds:
            request = (self.etc / "authority" / f"{kind}.next.csr").read_text()
            root = authority.root_of(wanted.folder(self.settings), kind)
            names = wanted.names(self.settings, kind, self.name, self.address)
            signed = authority.sign_authority(root, request, kind, self.name, names)
            self.run("pki-authority", "install", kind, stdin=signed)
        self.run("pki-renew")

    def run(self, name: str, *words: str, stdin: str = "", fails: bool = False) -> str:
        """Run one of the role's programs; return what it said."""
        done = subprocess.run(
            ["dash", str(self.programs / name), *words],
            input=stdin,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run_killed(self, name: str, *words: str, after: float) -> bool:
        """Run it, and kill it and its children after so many seconds; whether that was in time."""
        with subprocess.Popen(
            ["dash", str(self.programs / name), *words],
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return True
        return False

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the programs."""
        return {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "FLIGHTLINE_PKI": str(self.etc),
            "FLIGHTLINE_PKI_STATE": str(self.state),
            "FLIGHTLINE_GATEWAY_CERTIFICATES": str(self.loader),
            **self.environment,
        }

    def _place(self, path: str) -> Path:
        if path.startswith(PKI):
            return self.etc / Path(path).relative_to(PKI)
        return self.programs / Path(path).name


def openssl(*words: object, stdin: str = "", check: bool = True) -> str:
    """Return what openssl says: the judge that knows nothing of the code under test."""
    done = subprocess.run(
        ["openssl", *map(str, words)], input=stdin, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
