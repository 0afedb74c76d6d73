"""The benchmark: the same work by us and by a peer, in turn, on the same lab nodes; ratios.

Called by tests/bench/run.sh with a scratch folder and the number of nodes. Wall time of a whole
command, as an operator waits for it. Both start with the packages installed and with the kernel's
boot files in place, so that neither times the mirror or the initramfs.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from flightline.lab.inventory import running_nodes
from tests.bench.playbook import playbook

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
INVENTORY = "inventories/lab.py"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
# what makes initramfs and boot menu be built anew: a minute on an emulated node, for either side
KEPT = ("/etc/modprobe.d", "/etc/default/grub.d", "/etc/flightline", "/etc/hosts", "/etc/hostname")
CONSOLE = Console()


class Bench:
    """The nodes, the peer's files, and what was measured."""

    def __init__(self, folder: Path, nodes: Sequence[str]) -> None:
        self.folder, self.nodes = folder, list(nodes)
        self.ssh_config = folder / "ssh_config"
        self.rows: list[tuple[str, int, str, list[float], list[float]]] = []
        self.ssh_config.write_text("".join(_ssh_host(folder, *node) for node in running_nodes()))

    def prepare(self) -> None:
        """Converge all nodes once, give them the python that the peer needs, write its playbook."""
        self.ours("apply", self.nodes, "--no-audit")
        self.everywhere(self.nodes, "apt-get -qq install -y python3 python3-apt >/dev/null")
        recorder = [str(BIN / "python"), "-m", "tests.bench.desired", INVENTORY, self.nodes[0]]
        desired = json.loads(_run(recorder, self.nodes))
        self.managed = [
            item["path"]
            for operation in desired
            for item in operation.get("items", ())
            if item["kind"] in ("File", "Link") and not item["path"].startswith(KEPT)
        ]
        (self.folder / "site.yml").write_text(yaml.safe_dump(playbook(desired), sort_keys=False))
        (self.folder / "hosts").write_text("\n".join(self.nodes) + "\n")
        (self.folder / "ansible.cfg").write_text(
            "[defaults]\ninterpreter_python=/usr/bin/python3\ndeprecation_warnings=False\n"
            f"[ssh_connection]\npipelining=True\nssh_args=-F {self.ssh_config}\n"
        )

    def ours(self, command: str, nodes: Sequence[str], *arguments: str) -> float:
        """Return the seconds of one of our commands."""
        began = time.monotonic()
        _run([str(BIN / "flightline"), command, INVENTORY, *arguments], nodes)
        return time.monotonic() - began

    def ansible(self, nodes: Sequence[str]) -> float:
        """Return the seconds of the peer's playbook."""
        began = time.monotonic()
        command = [
            str(ROOT / ".venv-bench/bin/ansible-playbook"), "-i", str(self.folder / "hosts"),
            "--limit", ",".join(nodes), "--forks", str(len(nodes)), str(self.folder / "site.yml"),
        ]  # fmt: skip
        _run(command, nodes, ANSIBLE_CONFIG=str(self.folder / "ansible.cfg"))
        return time.monotonic() - began

    def stock(self, backend: str, recording: Path) -> dict[str, Any]:
        """Return seconds and remote commands of stock testinfra on the nodes of a recording."""
        command = [
            str(BIN / "python"), "-m", "tests.bench.stock", backend, str(recording),
            str(self.ssh_config),
        ]  # fmt: skip
        answer: dict[str, Any] = json.loads(_run(command, self.nodes))
        return answer

    def undo(self, nodes: Sequence[str]) -> None:
        """Take the managed files away, so that the next converge writes them again."""
        self.everywhere(nodes, f"rm -f {shlex.join(self.managed)}; systemctl daemon-reload")

    def everywhere(self, nodes: Sequence[str], command: str) -> None:
        """Run a command as root on the nodes, all at once, by the plain ssh client."""
        typed = f"sudo sh -c {shlex.quote(command)}"
        running = [subprocess.Popen(["ssh", "-F", self.ssh_config, node, typed]) for node in nodes]
        codes = [each.wait() for each in running]
        assert not any(codes), command

    def converges(self, nodes: Sequence[str]) -> None:
        """Measure a converge that writes everything, and one that changes nothing."""
        ours, theirs = [], []
        for _ in range(ROUNDS):
            self.undo(nodes)
            ours.append(self.ours("apply", nodes, "--no-audit"))
            self.undo(nodes)
            theirs.append(self.ansible(nodes))
        self.row("converge of files and services", nodes, "ansible-core", ours, theirs)
        pairs = [
            (self.ours("apply", nodes, "--no-audit"), self.ansible(nodes)) for _ in range(ROUNDS)
        ]
        self.row("second converge", nodes, "ansible-core", *map(list, zip(*pairs, strict=True)))

    def audits(self, nodes: Sequence[str]) -> None:
        """Measure the audit beside stock testinfra's two SSH backends."""
        runs = self.folder / "runs"
        for backend in ("paramiko", "ssh"):
            ours = [self.ours("audit", nodes) for _ in range(ROUNDS)]
            recording = max(runs.glob("*-audit")) / "recording"
            answer = self.stock(backend, recording)
            label = f"testinfra {backend}, {answer['commands']} commands"
            self.row(f"audit, {answer['checks']} checks", nodes, label, ours, [answer["seconds"]])

    def row(
        self, work: str, nodes: Sequence[str], peer: str, ours: list[float], theirs: list[float]
    ) -> None:
        """Keep one row and show it at once: a run takes long."""
        self.rows.append((work, len(nodes), peer, ours, theirs))
        ratio = median(theirs) / median(ours)
        CONSOLE.print(f"{work} on {len(nodes)}: {ratio:.1f} times {peer}", highlight=False)

    def table(self) -> Table:
        """Return all rows."""
        table = Table("work", "nodes", "peer", "ours, s", "peer, s", "ratio", box=None)
        for work, nodes, peer, ours, theirs in self.rows:
            mine, other = median(ours), median(theirs)
            table.add_row(
                work, str(nodes), peer, f"{mine:.1f}", f"{other:.1f}", f"{other / mine:.1f}"
            )
        return table


def _run(command: Sequence[str], nodes: Sequence[str], **env: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "FLIGHTLINE_LAB_NODES": ",".join(nodes), **env},
    )  # fmt: skip
    if done.returncode:
        said = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}:\n{said}")
    return done.stdout


def _ssh_host(folder: Path, name: str, data: dict[str, Any]) -> str:
    return (
        f"Host {name}\n  HostName {data['ssh_hostname']}\n  Port {data['ssh_port']}\n"
        f"  User {data['ssh_user']}\n  IdentityFile {data['ssh_key']}\n"
        f"  UserKnownHostsFile {data['ssh_known_hosts_file']}\n  StrictHostKeyChecking yes\n"
        f"  ControlMaster auto\n  ControlPersist 60\n  ControlPath {folder}/cm-%C\n"
    )


def main(folder: str, count: str) -> None:
    """Run everything and print the table."""
    nodes = [name for name, _ in running_nodes()][: int(count)]
    bench = Bench(Path(folder), nodes)
    bench.prepare()
    for fleet in [nodes[:1], nodes] if len(nodes) > 1 else [nodes]:
        bench.converges(fleet)
        bench.audits(fleet)
    CONSOLE.print(bench.table())


if __name__ == "__main__":
    main(*sys.argv[1:])
