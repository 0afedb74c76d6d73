"""NVIDIA's container toolkit on a node: its repository, packages, links and CDI specification."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from pyinfra.api.command import StringCommand

from flightline.errors import NodeRefused
from flightline.facts.node import NodeFacts
from flightline.operations.bundle import Absent, File, Hook, Item, bundle
from flightline.operations.packages import installed
from flightline.templates import render
from roles.containers.gpus import TOOLKIT, Gpus
from roles.containers.settings import ContainersSettings

FINGERPRINT = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
"""NVIDIA's key for libnvidia-container. Compared in five independent public repositories (a cloud's
installer, two Puppet modules, two bootstrap scripts), 2026-11-21."""

DEB_KEY = "/usr/share/keyrings/flightline-container-toolkit.asc"
RPM_KEY = "/etc/pki/rpm-gpg/RPM-GPG-KEY-NVIDIA-container-toolkit-flightline"
SOURCES = "/etc/apt/sources.list.d/flightline-container-toolkit.sources"
RPM_REPO = "/etc/yum.repos.d/flightline-container-toolkit.repo"

# Where NVIDIA's guide puts its own; apt refuses one repository with two ways to trust it.
_GUIDE_LIST = "/etc/apt/sources.list.d/nvidia-container-toolkit.list"
_GUIDE_REPO = "/etc/yum.repos.d/nvidia-container-toolkit.repo"

HELPER = "/usr/local/lib/flightline/gpu-devices"
UNIT = "flightline-gpu-devices.service"
_UNIT_FILE = f"/etc/systemd/system/{UNIT}"
_RULES = "/etc/udev/rules.d/71-nvidia-dev-char.rules"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

REFRESH = f"if [ -x {HELPER} ]; then {HELPER} refresh; fi"
# NVIDIA's own unit refreshes the specification when the driver changes; toolkits before 1.18 have
# none. The unit's file is gone again when a first run fails and everything is put back.
_ENABLE = (
    f"systemctl daemon-reload && for unit in {UNIT} nvidia-cdi-refresh.path; do "
    "! systemctl cat $unit >/dev/null 2>&1 || systemctl -q enable $unit || exit; done"
)


@dataclass(frozen=True)
class Key:
    """Where the key is on this node, and the command that has it there."""

    path: str
    command: str


def signing_key(node: NodeFacts, settings: ContainersSettings) -> Key:
    """Return the key; apt trusts by its fingerprint, dnf's file is compared before it is kept."""
    url = f"{settings.nvidia_repository_url}/gpgkey"
    if node.family != "rhel":
        fetch = f"/usr/lib/apt/apt-helper download-file {url} {DEB_KEY}.new >&2"
        keep = f"chmod 644 {DEB_KEY}.new && mv {DEB_KEY}.new {DEB_KEY}"
        return Key(DEB_KEY, f"mkdir -p /usr/share/keyrings && {fetch} && {keep}")
    wrong = f"{url} is not NVIDIA's key {FINGERPRINT}; nothing was installed"
    return Key(
        RPM_KEY,
        f"curl -fsSL {url} -o {RPM_KEY}.new && "
        f"said=$(gpg --show-keys --with-colons {RPM_KEY}.new) && "
        'if [ "$(echo "$said" | grep -c ^pub:)" = 1 ] && '
        f'echo "$said" | grep -q "^fpr:*{FINGERPRINT}:"; then mv {RPM_KEY}.new {RPM_KEY}; '
        f'else rm -f {RPM_KEY}.new; echo "{wrong}" >&2; false; fi',
    )


def repository_items(node: NodeFacts, settings: ContainersSettings) -> tuple[Item, ...]:
    """Return the files that make the repository known; those of NVIDIA's guide give way."""
    url = f"{settings.nvidia_repository_url}/stable"
    if node.family == "rhel":
        url = f"{url}/rpm/{node.architecture}"
        text = render(f"containers{RPM_REPO}.j2", url=url, key=RPM_KEY)
        return (Absent(_GUIDE_REPO), File(RPM_REPO, text))
    url = f"{url}/deb/{_ARCHITECTURES[node.architecture]}"
    text = render(f"containers{SOURCES}.j2", url=url, key=DEB_KEY, fingerprint=FINGERPRINT)
    return (Absent(_GUIDE_LIST), File(SOURCES, text))


def device_items() -> tuple[Item, ...]:
    """Return the files that keep links and CDI specification those of the loaded driver."""
    return (
        File(HELPER, render(f"containers{HELPER}"), mode="755"),
        File(_UNIT_FILE, render(f"containers{_UNIT_FILE}")),
        File(_RULES, render(f"containers{_RULES}")),
    )


def device_hooks() -> tuple[Hook, ...]:
    """Links come first: systemd's reload takes GPUs from containers where links are missing."""
    return (
        Hook("udevadm control --reload", (_RULES,)),
        Hook(REFRESH, (HELPER, _RULES)),
        Hook(_ENABLE, (_UNIT_FILE,)),
    )


def refuse_toolkit(node: NodeFacts, settings: ContainersSettings) -> None:
    """Raise NodeRefused where NVIDIA has no toolkit for this system."""
    if node.architecture not in _ARCHITECTURES:
        raise NodeRefused(
            f"there is no NVIDIA container toolkit for {node.architecture}; set "
            'ContainersSettings.nvidia_toolkit to "off".'
        )
    if settings.cgroup_driver == "systemd" and _is_old(settings.nvidia_toolkit_version):
        raise NodeRefused(
            f"ContainersSettings.nvidia_toolkit_version is {settings.nvidia_toolkit_version}, with "
            "which a reload of systemd takes GPUs from running containers; name 1.18.0 or newer, "
            'or set ContainersSettings.cgroup_driver to "cgroupfs".'
        )


def toolkit_installed(
    node: NodeFacts, settings: ContainersSettings, gpus: Gpus
) -> Generator[StringCommand]:
    """The toolkit's packages are there at one version, held; before dockerd hears of them.

    Two remote commands when nothing differs.
    """
    key = signing_key(node, settings)
    if key.path not in gpus.keys:
        yield StringCommand(key.command)
    yield from bundle._inner(items=repository_items(node, settings))
    held = TOOLKIT if settings.hold_packages else ()
    yield from installed._inner(packages=wanted_packages(settings, gpus), hold=held)


def wanted_packages(settings: ContainersSettings, gpus: Gpus) -> tuple[str, ...]:
    """Return the packages, at the declared version or, once they are there, at their own.

    A part that is missing comes at the version of the others: two versions do not work together.
    """
    version = settings.nvidia_toolkit_version or dict(gpus.versions).get(TOOLKIT[0])
    if version is None:
        return TOOLKIT
    exact = version if "-" in version else f"{version}-1"
    return tuple(f"{name}={exact}" for name in TOOLKIT)


def refresh_due(gpus: Gpus) -> bool:
    """Whether links or CDI specification are not those of the loaded driver."""
    return bool(gpus.driver and (gpus.unlinked or gpus.cdi_fault))


def _is_old(version: str | None) -> bool:
    return version is not None and tuple(map(int, version.split("-")[0].split("."))) < (1, 18, 0)
