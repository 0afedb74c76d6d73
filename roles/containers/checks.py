"""What must hold of the engine itself: units, limits, packages, who may use it."""

from __future__ import annotations

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, WARNING, check, not_applicable, unknown
from roles.containers import acceptance_checks, config_checks, gpu_checks, node_checks, observe
from roles.containers.settings import UNLIMITED, ContainersSettings, Ulimit

MODULES = (config_checks, node_checks, gpu_checks, acceptance_checks)
"""The role's other checks; importing them registers them."""

APPLY = "flightline apply --role containers"
RUNS = ("containers-docker-running", "containers-containerd-running")
_PACKAGE = {"distribution": "docker.io", "docker": "docker-ce"}


@check(
    "containers-containerd-running",
    "containerd runs",
    severity=CRITICAL,
    remedy="systemctl start containerd",
)
def containerd_running(host: Host, _: ContainersSettings) -> None:
    """Without containerd no container starts, while dockerd may still answer."""
    active = observe.units(host)["containerd.service"].active
    assert active == "active", f"containerd.service is {active}, expected active."


@check(
    "containers-docker-running",
    "dockerd runs and answers",
    severity=CRITICAL,
    remedy="systemctl start docker; journalctl -u docker says why it ended",
    depends=("containers-containerd-running",),
)
def docker_running(host: Host, _: ContainersSettings) -> None:
    """Judged by the unit and by an answer: a hung dockerd is active and useless."""
    active = observe.units(host)["docker.service"].active
    assert active == "active", f"docker.service is {active}, expected active."
    assert observe.answers(host), "docker.service is active, but `docker info` gets no answer."


@check(
    "containers-docker-enabled",
    "docker and containerd start at boot",
    severity=ERROR,
    remedy="systemctl enable docker containerd",
)
def docker_enabled(host: Host, _: ContainersSettings) -> None:
    """A socket alone would start dockerd only when somebody asks it something."""
    for name in ("docker.service", "containerd.service"):
        enabled = observe.units(host)[name].enabled
        assert enabled == "enabled", f"{name} is {enabled} at boot, expected enabled."


@check(
    "containers-units-loaded",
    "docker and containerd have Flightline's drop-ins, and systemd has read them",
    severity=ERROR,
    remedy=f"{APPLY}, or `systemctl daemon-reload` after an edit",
)
def units_loaded(host: Host, _: ContainersSettings) -> None:
    """What systemd has loaded, and whether it is what lies on the disk for the next boot."""
    for name in ("docker.service", "containerd.service"):
        unit, path = observe.units(host)[name], f"/etc/systemd/system/{name}.d/flightline.conf"
        assert path in unit.drop_ins, f"{name} runs without {path}."
        assert not unit.reload_due, f"files of {name} changed on disk after systemd read them."


@check(
    "containers-limits-memlock",
    "dockerd and containerd may lock as much memory as declared",
    severity=ERROR,
    remedy="systemctl restart containerd docker",
    depends=RUNS,
)
def limits_memlock(host: Host, settings: ContainersSettings) -> None:
    """GPU and RDMA buffers are pinned memory; the limit is of the running processes."""
    _limits(host, "Max locked memory", settings.ulimit_memlock_bytes, "bytes", "memlock_bytes")


@check(
    "containers-limits-nofile",
    "dockerd and containerd may open as many files as declared",
    severity=ERROR,
    remedy="systemctl restart containerd docker",
    depends=RUNS,
)
def limits_nofile(host: Host, settings: ContainersSettings) -> None:
    """What containers inherit where they set no limit of their own."""
    _limits(host, "Max open files", settings.ulimit_nofile, "files", "nofile")


def _limits(host: Host, resource: str, limit: Ulimit, unit: str, field: str) -> None:
    wanted = "unlimited" if limit.hard == UNLIMITED else str(limit.hard)
    found = observe.hard_limits(host, resource)
    if set(found) != {"docker", "containerd"}:
        unknown(f"the limits of {', '.join(found) or 'no process'} only could be read.")
    for name, hard in found.items():
        assert hard == wanted, (
            f"{name} has a hard limit of {hard} for {resource.lower()}, expected {wanted} {unit} "
            f"(ContainersSettings.ulimit_{field}.hard)."
        )


@check(
    "containers-engine-current",
    "dockerd and containerd run the programs that are installed",
    severity=WARNING,
    remedy="systemctl restart containerd docker when the node may be disturbed",
    depends=RUNS,
)
def engine_current(host: Host, _: ContainersSettings) -> None:
    """After an upgrade without a restart the old program runs on from a deleted file."""
    for program in observe.programs(host):
        assert not program.endswith("(deleted)"), (
            f"{program.removesuffix(' (deleted)')} was replaced and the old program still runs, "
            "expected the installed one."
        )


@check(
    "containers-packages-held",
    "the engine comes from the declared source and is held at its version",
    severity=ERROR,
    remedy=f"{APPLY}, which holds the packages",
)
def packages_held(host: Host, settings: ContainersSettings) -> None:
    """An upgrade at night would restart dockerd under load."""
    found, wanted = observe.packages(host), _PACKAGE[settings.source]
    assert wanted in found or "docker-ce" in found, (
        f"{wanted} is not installed, found {', '.join(found) or 'no engine'} "
        "(ContainersSettings.source)."
    )
    if not settings.hold_packages:
        not_applicable("ContainersSettings.hold_packages is False.")
    free = [name for name, held in found.items() if not held]
    assert not free, (
        f"{', '.join(free)} is not held, so an upgrade may replace it under load "
        "(ContainersSettings.hold_packages)."
    )


@check(
    "containers-socket-private",
    "only root and the group docker reach the engine's socket",
    severity=CRITICAL,
    remedy="systemctl restart docker.socket docker",
    depends=RUNS,
)
def socket_private(host: Host, _: ContainersSettings) -> None:
    """Whoever writes to it is root on this node."""
    found = host.check_output("stat -L -c '%U:%G %a' /run/docker.sock")
    assert found == "root:docker 660", f"/run/docker.sock is {found}, expected root:docker 660."


@check(
    "containers-group-members",
    "the group docker has exactly the declared members",
    severity=CRITICAL,
    remedy=f"{APPLY}, or `gpasswd -d USER docker`",
)
def group_members(host: Host, settings: ContainersSettings) -> None:
    """Membership is root by another name, and easily forgotten."""
    entry = host.check_output("getent group docker")
    members = sorted(filter(None, entry.split(":")[3].split(",")))
    assert members == sorted(settings.operators), (
        f"the group docker has {', '.join(members) or 'no members'}, expected "
        f"{', '.join(sorted(settings.operators)) or 'none'} (ContainersSettings.operators)."
    )
