"""The role's files for one node, its services, and what runs when the files change: pure."""

from __future__ import annotations

from collections.abc import Callable

from flightline.facts.node import NodeFacts
from flightline.operations.bundle import Absent, File, Hook, Item
from flightline.operations.initramfs import rebuild
from flightline.operations.services import Service
from flightline.templates import render
from roles.nvidia.choice import Choice, Machine
from roles.nvidia.facts import DriverState
from roles.nvidia.settings import NvidiaSettings
from roles.nvidia.sources import source_items

OPTIONS = "/etc/modprobe.d/flightline-nvidia.conf"
MODULES = "/etc/modules-load.d/flightline-nvidia.conf"
PERSISTENCED = "/etc/systemd/system/nvidia-persistenced.service.d/flightline.conf"
FABRIC_MANAGER = "/etc/systemd/system/nvidia-fabricmanager.service.d/flightline.conf"
SETTINGS_UNIT = "/etc/systemd/system/flightline-gpu.service"
SETTINGS_PROGRAM = "/usr/local/lib/flightline/gpu-settings"
IMEX_NODES = "/etc/nvidia-imex/nodes_config.cfg"

# The unit is not restarted where the driver is not loaded: its condition would only be noted.
_APPLY = (
    "if [ -e /proc/driver/nvidia/version ] && [ -x /usr/bin/nvidia-smi ]; then "
    f"{SETTINGS_PROGRAM}; fi"
)
_IMEX = "if systemctl -q is-active nvidia-imex.service; then systemctl restart nvidia-imex; fi"


def items(
    settings: NvidiaSettings, node: NodeFacts, choice: Choice, state: DriverState
) -> tuple[Item, ...]:
    """Return every path that the role owns on this node."""
    target = choice.machine
    return (
        *source_items(node, settings, choice, state),
        _kept(bool(settings.module_options), OPTIONS, lambda: _options(settings, node)),
        _kept(target.has_gpus, MODULES, lambda: _modules(target)),
        _kept(settings.persistence, PERSISTENCED, lambda: _drop_in("nvidia-persistenced")),
        _kept(
            target.needs_fabric_manager, FABRIC_MANAGER, lambda: _drop_in("nvidia-fabricmanager")
        ),
        File(SETTINGS_PROGRAM, _program(settings), mode="755", validate="sh -n {staged}"),
        File(SETTINGS_UNIT, render("nvidia/etc/systemd/system/flightline-gpu.service.j2")),
        *_imex(settings),
    )


def hooks(settings: NvidiaSettings, node: NodeFacts) -> tuple[Hook, ...]:
    """Return what makes changed files take effect, cheapest first."""
    imex = (Hook(_IMEX, (IMEX_NODES,)),) if settings.imex_nodes else ()
    return (
        Hook("systemctl daemon-reload", (PERSISTENCED, FABRIC_MANAGER, SETTINGS_UNIT)),
        Hook(_APPLY, (SETTINGS_PROGRAM,)),
        *imex,
        Hook(rebuild(node.family), (OPTIONS,)),
    )


def services(settings: NvidiaSettings, target: Machine) -> tuple[Service, ...]:
    """Return the role's units; without a GPU they are enabled for later, and not started.

    Before the driver is loaded, starting them does nothing: their condition fails. NVIDIA's
    installer brings no unit of the persistence daemon; flightline-gpu sets the mode there.
    """
    has_daemon = settings.persistence and settings.source != "runfile"
    names = [
        *(["nvidia-persistenced"] if has_daemon else []),
        *(["nvidia-fabricmanager"] if target.needs_fabric_manager else []),
        *(["nvidia-imex"] if settings.imex_nodes else []),
        *(["nvidia-dcgm"] if settings.dcgm and settings.source == "nvidia" else []),
        "flightline-gpu",
    ]
    return tuple(Service(f"{name}.service", running=target.has_gpus or None) for name in names)


def layout(profiles: tuple[str, ...] | None) -> str:
    """Return a declared MIG layout as the program on the node compares it; "leave" for none."""
    return "leave" if profiles is None else " ".join(sorted(profiles))


def _kept(wanted: bool, path: str, file: Callable[[], File]) -> Item:
    return file() if wanted else Absent(path)


def _options(settings: NvidiaSettings, node: NodeFacts) -> File:
    # Debian's own package names its module nvidia-current, and an alias leads there.
    is_renamed = node.distribution == "debian" and settings.source == "distribution"
    return File(
        OPTIONS,
        render(
            "nvidia/etc/modprobe.d/flightline-nvidia.conf.j2",
            modules=("nvidia", "nvidia-current") if is_renamed else ("nvidia",),
            options=tuple(sorted(settings.module_options.items())),
        ),
    )


def _modules(target: Machine) -> File:
    names = ("nvidia", "nvidia_uvm", *(("ib_umad",) if target.needs_subnet_manager else ()))
    text = render("nvidia/etc/modules-load.d/flightline-nvidia.conf.j2", modules=names)
    return File(MODULES, text)


def _drop_in(unit: str) -> File:
    path = f"etc/systemd/system/{unit}.service.d/flightline.conf"
    return File(f"/{path}", render(f"nvidia/{path}.j2"))


def _program(settings: NvidiaSettings) -> str:
    clocks = settings.application_clocks
    watts = settings.power_limit_watts
    return render(
        "nvidia/usr/local/lib/flightline/gpu-settings.j2",
        persistence=settings.persistence,
        power_watts="" if watts is None else str(watts),
        clocks=f"{clocks.memory_mhz},{clocks.graphics_mhz}" if clocks else "",
        mig=layout(settings.mig),
    )


def _imex(settings: NvidiaSettings) -> tuple[Item, ...]:
    if not settings.imex_nodes:
        return ()
    text = render("nvidia/etc/nvidia-imex/nodes_config.cfg.j2", nodes=settings.imex_nodes)
    return (File(IMEX_NODES, text),)
