"""A node of one container: docker, systemctl, curl and systemd-notify as shell stand-ins.

Files under `fake` are the world: `away` (dockerd does not answer), `container` (running, exit
status, labels), `healthy`, `metrics`; `notified`, `asked` and `arguments` are what was done.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flightline.serving import state
from flightline.serving.state import ServiceState
from roles.inference.container import Slot, docker_arguments, place, slot_environment
from roles.inference.settings import EngineSettings, InferenceSettings

PROGRAMS = Path("templates/inference/usr/local/lib/flightline")

DOCKER = """\
#!/bin/sh
echo "docker $*" >>"$FAKE/asked"
if [ -e "$FAKE/away" ]; then echo "Cannot connect to the Docker daemon" >&2; exit 1; fi
case "$1 ${2:-}" in
"version "*) ;;
"container inspect") cat "$FAKE/container" 2>/dev/null ;;
"container rm") rm -f "$FAKE/container" ;;
"run --detach")
    shift 2
    printf '%s\\n' "$@" >"$FAKE/arguments"
    for argument in "$@"; do
        case $argument in
        --label=flightline.declaration=*) declared=${argument##*=} ;;
        --label=flightline.version=*) version=${argument##*=} ;;
        esac
    done
    echo "true 0 $declared $version" >"$FAKE/container"
    if [ -e "$FAKE/crashes" ]; then echo "false 3 $declared $version" >"$FAKE/container"; fi
    ;;
"wait "*)
    while :; do
        if [ -e "$FAKE/away" ]; then echo "unexpected EOF" >&2; exit 1; fi
        read -r running status rest <"$FAKE/container" || exit 1
        if [ "$running" = false ]; then echo "$status"; exit 0; fi
        /bin/sleep 0.02
    done
    ;;
"stop "*)
    read -r running status rest <"$FAKE/container"
    echo "false 0 $rest" >"$FAKE/container"
    ;;
"logs "*) echo "the engine's last line" ;;
esac
"""
SYSTEMCTL = '#!/bin/sh\n[ ! -e "$FAKE/away" ]\n'
NOTIFY = '#!/bin/sh\necho "$*" >>"$FAKE/notified"\n'
SLEEP = "#!/bin/sh\nexec /bin/sleep 0.03\n"
CURL = """\
#!/bin/sh
for url; do :; done
case $url in
*/metrics) cat "$FAKE/metrics" ;;
*) [ -e "$FAKE/healthy" ] ;;
esac
"""
VERIFY = '#!/bin/sh\necho "verify $*" >>"$FAKE/asked"\n[ ! -e "$FAKE/broken" ]\n'


@dataclass
class World:
    """One node."""

    root: Path
    slot: Slot
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def fake(self) -> Path:
        return self.root / "fake"

    def start(self, *arguments: str, shell: str = "dash", **extra: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "FAKE": str(self.fake),
            "FLIGHTLINE_ROOT": str(self.root),
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            **extra,
        }
        process = subprocess.Popen(
            [shell, str(PROGRAMS / "engine-run"), self.slot.name, *arguments],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """As systemd does: every process of the unit."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)

    def terminate(self, process: subprocess.Popen[str]) -> None:
        """As systemd asks every process of the unit to end."""
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=10)

    def end_all(self) -> None:
        for process in self.started:
            self.kill(process)

    def hold(self, held: ServiceState | None) -> None:
        folder = self.root / "var/lib/flightline/serving"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.slot.engine.name}.json"
        path.write_text(state.dumps(held)) if held else path.unlink()

    def set(self, name: str, text: str = "") -> None:
        (self.fake / f".{name}").write_text(text)
        (self.fake / f".{name}").rename(self.fake / name)

    def clear(self, name: str) -> None:
        (self.fake / name).unlink(missing_ok=True)

    def read(self, name: str) -> str:
        path = self.fake / name
        return path.read_text() if path.exists() else ""

    def end(self, status: int) -> None:
        """The container ends by itself."""
        _, _, rest = self.read("container").split(" ", 2)
        self.set("container", f"false {status} {rest}")

    def is_ready(self) -> bool:
        return "--ready" in self.read("notified")


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def world(root: Path, engine: EngineSettings) -> World:
    """Return a node whose service `chat` has version 1 in slot a, as the role would leave it."""
    settings = InferenceSettings(engines=(engine,))
    slot = Slot(settings, engine, "a", place(engine, "a"))
    made = World(root, slot)
    folder = root / "etc/flightline/engines" / slot.name
    for each in (made.fake, folder, root / "bin", root / "usr/local/lib/flightline"):
        each.mkdir(parents=True)
    (folder / "slot.env").write_text(slot_environment(slot))
    (folder / "docker").write_text("".join(f"{line}\n" for line in docker_arguments(slot)))
    programs = {
        "bin/docker": DOCKER,
        "bin/systemctl": SYSTEMCTL,
        "bin/systemd-notify": NOTIFY,
        "bin/curl": CURL,
        "bin/sleep": SLEEP,
        "usr/local/lib/flightline/model-verify": VERIFY,
    }
    for name, text in programs.items():
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    made.hold(state.fresh(engine.model, "1"))
    return made


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=30)
    return process.returncode, said
