"""The shell commands of a change of driver, each complete in itself: pure."""

from __future__ import annotations

import shlex
from pathlib import Path

from flightline.operations.packages import APT_SHELL
from roles.nvidia.choice import Choice
from roles.nvidia.facts import DriverState
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.sources import SOURCE_FILES
from roles.nvidia.work import Work, managed, prefix

MEMORY = "/var/lib/flightline/nvidia-sources"
"""What the source files were before this change; gone when it is done, or undone."""


def remember(paths: tuple[str, ...]) -> str:
    """Return the command that keeps the source files as they are, for a change that is refused."""
    copies = (
        f'for file in {shlex.join(paths)}; do [ ! -e "$file" ] || cp -a "$file" {MEMORY}/; done'
    )
    return (
        f"umask 077; rm -rf {MEMORY} && mkdir -p {MEMORY} && "
        f"{{ {copies}; }} && touch {MEMORY}/whole"
    )


def trial(choice: Choice, state: DriverState, settings: NvidiaSettings, task: Work) -> str:
    """Return the command that proves, before anything is replaced, that the change can succeed.

    It simulates the packages' installation and builds the modules for every kernel in a scratch
    folder. It fails with one sentence; then the driver is as it was.
    """
    call = shlex.join(["trial", *task.prerequisites])
    return f"{_setting(choice, state, settings, task, replacing=False)}\n{call}"


def replace(choice: Choice, state: DriverState, settings: NvidiaSettings, task: Work) -> str:
    """Return the command that installs the driver, builds it for every kernel and holds it."""
    return f"{_setting(choice, state, settings, task, replacing=task.replaces)}\nreplace"


def drain(command: str) -> str:
    """Return the operator's own command, with a sentence when it fails."""
    told = "NvidiaSettings.drain_command failed: the driver was not replaced"
    return f"( {command}\n) || {{ echo {shlex.quote(told)} >&2; exit 1; }}"


def out_of_use(state: DriverState) -> str:
    """Return the command that stops NVIDIA's services and unloads the driver, unless it is used."""
    return f"{_file('live.sh')}\n{shlex.join(['leave', *managed(state)])} && unload"


def load() -> str:
    """Return the command that loads the driver and proves that it answers."""
    return f"{_file('live.sh')}\nload"


def hold(names: tuple[str, ...], family: str) -> str:
    """Return the command that holds packages which are installed already."""
    if family == "debian":
        return f"apt-mark hold {shlex.join(names)}"
    plugin = "python3-dnf-plugin-versionlock"
    return (
        f"{{ rpm -q {plugin} >/dev/null || dnf -y install {plugin}; }} && "
        f"dnf -y versionlock add {shlex.join(names)}"
    )


def _setting(
    choice: Choice,
    state: DriverState,
    settings: NvidiaSettings,
    task: Work,
    *,
    replacing: bool,
) -> str:
    """The variables and functions that trial and replacement share."""
    values = {
        "memory": MEMORY,
        "sources": " ".join(SOURCE_FILES),
        "replacing": "yes" if replacing else "",
        "stopped": " ".join(managed(state)) if replacing else "",
        "drained": "yes" if replacing and settings.drain_command else "",
        "kept": state.description,
        "kernels": " ".join(task.built_for),
        "prefix": prefix(choice, state),
        "removed": " ".join(task.removed),
        "builds": "yes" if choice.builds_modules else "no",
    }
    if choice.packages is None:
        return _assembled({**values, **_installer(choice, settings)}, "runfile.sh")
    chosen = choice.packages
    values |= {
        "modules": " ".join(chosen.modules),
        "locked": " ".join(chosen.locked),
        "beside": " ".join(chosen.beside),
        "held": " ".join(chosen.names) if settings.hold_packages else "",
        "stream": chosen.stream,
    }
    return _assembled(values, "dnf.sh" if chosen.stream else "apt.sh")


def _installer(choice: Choice, settings: NvidiaSettings) -> dict[str, str]:
    file = settings.runfile
    return {
        "url": file.url if file else "",
        "sha256": file.sha256 if file else "",
        "version": choice.version,
        "flavour": choice.flavour,
    }


def _assembled(values: dict[str, str], script: str) -> str:
    variables = "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return "\n".join((variables, APT_SHELL, _file("build.sh"), _file(script)))


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
