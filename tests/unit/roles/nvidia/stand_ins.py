"""Programs that stand in for apt, DKMS and others: they log their calls and answer as told."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

APT_GET = """\
case "$*" in
    *update*) [ -z "$UNTRUSTED" ] || echo "W: No good signature from required signer: EB69" ;;
    *-s*install*) [ -z "$UNSOLVABLE" ] || { echo "E: Unable to correct problems"; exit 100; } ;;
    *--download-only*) ;;
    *download*) : >./module.deb ;;
    *install*dkms*linux-headers*) ;;
    *install*)
        [ -z "$BROKEN" ] && exit
        echo "E: Sub-process /usr/bin/dpkg returned an error code (1)"
        exit 100 ;;
esac
"""
APT_CACHE = """\
[ -z "$UNTRUSTED" ] || exit 0
cat <<END
$3 | 580.105.08-1 | https://developer.download.nvidia.com debian12 Packages
$3 | 580.95.05-1 | https://developer.download.nvidia.com debian12 Packages
$3 | 570.172.08-1 | https://developer.download.nvidia.com debian12 Packages
END
"""
DPKG_DEB = (
    'mkdir -p "$3/usr/src/nvidia-580.105.08" && : >"$3/usr/src/nvidia-580.105.08/dkms.conf"\n'
)
DKMS = """\
case "$*" in
    build*"-k ${UNBUILDABLE:-none}"*)
        folder=$(echo "$*" | sed 's/.*--dkmstree \\([^ ]*\\).*/\\1/')/nvidia/580.105.08/build
        mkdir -p "$folder"
        printf '%s\\n' "  CC [M]  nvidia/nv.o" "$folder/$COMPLAINT" "make: *** [all] Error 2" \\
            >"$folder/make.log"
        exit 10 ;;
    build*)
        [ -z "$SKIPS" ] || { echo "Error! it should not be built"; exit "$SKIPS"; }
        tree=$(echo "$*" | sed 's/.*--dkmstree \\([^ ]*\\).*/\\1/')
        folder=$tree/nvidia/580.105.08/${*##* -k }
        mkdir -p "$folder/x86_64/module" && : >"$folder/x86_64/module/nvidia.ko" ;;
    autoinstall*)
        mkdir -p "$FLIGHTLINE_MODULES/$3/updates/dkms"
        : >"$FLIGHTLINE_MODULES/$3/updates/dkms/nvidia.ko.xz" ;;
esac
"""
PROGRAMS = {
    "apt-get": APT_GET,
    "apt-cache": APT_CACHE,
    "apt-mark": "",
    "dpkg": 'echo "iF  nvidia-kernel-open-dkms 580.105.08-1"\n',
    "dpkg-deb": DPKG_DEB,
    "dkms": DKMS,
    "systemctl": "",
    "rmmod": "",
    "modprobe": "exit 1\n",
}


@dataclass
class Node:
    """A folder of stand-ins; `run` returns what a command said, `calls` what it called."""

    folder: Path
    answers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("bin", "tmp", "lib", "apt"):
            (self.folder / name).mkdir()
        for name, body in PROGRAMS.items():
            self.add(name, body)

    def add(self, name: str, body: str) -> None:
        """Put a program in place; it logs its call first."""
        program = self.folder / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"$CALLS"\n{body}')
        program.chmod(0o755)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run it in a shell that finds the stand-ins first, and no real package manager."""
        environment = {
            **os.environ,
            **self.answers,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "CALLS": str(self.folder / "calls"),
            "FLIGHTLINE_MODULES": str(self.folder / "modules"),
            "FLIGHTLINE_APT_STAMP": str(self.folder / "stamp"),
        }
        return subprocess.run(
            ["sh", "-c", self.moved(command)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def moved(self, command: str) -> str:
        """The command with the node's places under this folder."""
        for place in ("/var/tmp/", "/var/lib/flightline/", "/etc/apt/"):
            command = command.replace(place, f"{self.folder}/{place.split('/')[2]}/")
        return command

    @property
    def calls(self) -> list[str]:
        """Every call in order, without apt's constant options."""
        text = (self.folder / "calls").read_text() if (self.folder / "calls").exists() else ""
        return text.splitlines()

    @property
    def leftovers(self) -> list[str]:
        """Scratch folders that were not cleaned up."""
        return [path.name for path in (self.folder / "tmp").glob("flightline-nvidia.*")]
