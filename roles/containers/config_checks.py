"""What must hold of daemon.json: that dockerd accepts it, has read it, and lives by it."""

from __future__ import annotations

import json

from testinfra.host import Host

from flightline.audit.check import CRITICAL, ERROR, check, unknown
from flightline.errors import FlightlineError
from roles.containers import live, observe
from roles.containers.daemon import changed_keys, merged_keys, parse
from roles.containers.settings import ContainersSettings

APPLY = "flightline apply --role containers"
RUNS = ("containers-docker-running", "containers-containerd-running")
_FILE = "cat /etc/docker/daemon.json"
_HELPER = "/usr/local/lib/flightline/docker-config"


@check(
    "containers-config-declared",
    "daemon.json holds every declared key",
    severity=ERROR,
    remedy=APPLY,
)
def config_declared(host: Host, settings: ContainersSettings) -> None:
    """Read from the file, for the next start; what dockerd lives by now has its own checks."""
    try:
        found = parse(host.run(_FILE).stdout)
    except FlightlineError as error:
        raise AssertionError(error.message) from None
    wanted = merged_keys(settings, found)
    for key in sorted(changed_keys(found, wanted)):
        raise AssertionError(
            f"{key} of daemon.json is {json.dumps(found.get(key))}, expected "
            f"{json.dumps(wanted[key])} (ContainersSettings)."
        )


@check(
    "containers-config-accepted",
    "dockerd would start with daemon.json as it is",
    severity=CRITICAL,
    remedy="correct daemon.json by what dockerd says of it",
    depends=("containers-config-declared",),
)
def config_accepted(host: Host, _: ContainersSettings) -> None:
    """A file that it refuses shows at the next restart, which is often the next reboot."""
    result = host.run(f"{_HELPER} validate /etc/docker/daemon.json")
    said = (result.stderr or result.stdout).strip().splitlines()
    assert result.rc == 0, f"dockerd refuses its configuration: {said[-1] if said else 'silently'}."


@check(
    "containers-config-loaded",
    "dockerd has read daemon.json since it was last written",
    severity=ERROR,
    remedy=f"{APPLY}, or `systemctl restart docker`",
    depends=(*RUNS, "containers-config-declared"),
)
def config_loaded(host: Host, _: ContainersSettings) -> None:
    """An edited file that nobody loaded takes effect at a moment that nobody chose."""
    written, read = observe.moments(host)
    assert written <= read, (
        f"daemon.json was written {written - read} s after dockerd read it last, expected before."
    )


@check(
    "containers-log-driver",
    "container output goes to the declared log driver",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def log_driver(host: Host, settings: ContainersSettings) -> None:
    """Docker's own default never rotates and fills the disk."""
    _live(host, "LoggingDriver", settings.log_driver, "log_driver")


@check(
    "containers-restore-live",
    "containers run on while dockerd restarts",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def restore_live(host: Host, settings: ContainersSettings) -> None:
    """Without it every restart of dockerd stops the inference engines."""
    _live(host, "LiveRestoreEnabled", settings.live_restore, "live_restore")


@check(
    "containers-data-root",
    "images and containers live in the declared data root",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def data_root(host: Host, settings: ContainersSettings) -> None:
    """On the wrong disk they fill the system's own."""
    _live(host, "DockerRootDir", settings.data_root, "data_root")


@check(
    "containers-storage-driver",
    "the storage driver is the declared one",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def storage_driver(host: Host, settings: ContainersSettings) -> None:
    """dockerd falls back to vfs, which copies every layer, where overlay2 cannot be had."""
    _live(host, "Driver", settings.storage_driver, "storage_driver")


@check(
    "containers-cgroup-driver",
    "the cgroup driver is the declared one, on cgroup v2",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def cgroup_driver(host: Host, settings: ContainersSettings) -> None:
    """Two managers of one cgroup tree disagree under memory pressure."""
    _live(host, "CgroupDriver", settings.cgroup_driver, "cgroup_driver")
    version = observe.engine_info(host).get("CgroupVersion")
    assert version == "2", f"the node has cgroup v{version}, expected v2."


@check(
    "containers-registry-mirrors",
    "images are pulled through the declared mirrors",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def registry_mirrors(host: Host, settings: ContainersSettings) -> None:
    """In order, because dockerd asks them in order."""
    found = live.mirrors(observe.engine_info(host))
    assert found == settings.registry_mirrors, (
        f"dockerd pulls through {', '.join(found) or 'no mirror'}, expected "
        f"{', '.join(settings.registry_mirrors) or 'none'} (ContainersSettings.registry_mirrors)."
    )


@check(
    "containers-registry-insecure",
    "only the declared registries are spoken to without verification",
    severity=CRITICAL,
    remedy=APPLY,
    depends=RUNS,
)
def registry_insecure(host: Host, settings: ContainersSettings) -> None:
    """Whoever stands between node and registry chooses what runs as an engine."""
    found = live.insecure_registries(observe.engine_info(host))
    assert found == set(settings.insecure_registries), (
        f"dockerd trusts {', '.join(sorted(found)) or 'no registry'} unverified, expected "
        f"{', '.join(settings.insecure_registries) or 'none'} "
        "(ContainersSettings.insecure_registries)."
    )


@check(
    "containers-networks-declared",
    "new container networks are cut from the declared pools",
    severity=ERROR,
    remedy=APPLY,
    depends=RUNS,
)
def networks_declared(host: Host, settings: ContainersSettings) -> None:
    """Docker's built-in pools take 172.17 to 172.31 and 192.168, which sites use themselves."""
    found = live.address_pools(observe.engine_info(host))
    wanted = tuple((pool.base, pool.size) for pool in settings.address_pools)
    assert found == wanted, (
        f"the pools are {_pools(found)}, expected {_pools(wanted)} "
        "(ContainersSettings.address_pools)."
    )


def _live(host: Host, key: str, wanted: object, field: str) -> None:
    found = observe.engine_info(host).get(key)
    if found is None:
        unknown(f"docker info has no {key}.")
    assert found == wanted, (
        f"{key} of `docker info` is {found}, expected {wanted} (ContainersSettings.{field})."
    )


def _pools(pools: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{base} in /{size}" for base, size in pools) or "Docker's built-in ones"
