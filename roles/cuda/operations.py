"""The CUDA toolkits, the one that /usr/local/cuda is, and how programs find it."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError, NodeRefused
from flightline.facts.node import NodeFacts, node_of
from flightline.operations.bundle import Absent, File, Hook, Item, bundle
from flightline.operations.packages import installed
from flightline.operations.refusal import Refusal
from flightline.templates import render
from roles.cuda.settings import CudaSettings, line_of
from roles.cuda.toolkits import SCRIPT, Toolkits, parse_toolkits

PROFILE = "/etc/profile.d/flightline-cuda.sh"
LINKER = "/etc/ld.so.conf.d/flightline-cuda.conf"
OF_DISTRIBUTION = "nvidia-cuda-toolkit"


class CudaState(FactBase[Toolkits | None]):
    """The toolkits that are there; None when the node could not be asked."""

    def command(self) -> str:
        """Return the one script."""
        return SCRIPT

    def process(self, output: list[str]) -> Toolkits:
        """Return the record; raises FactProcessError when the output is cut short."""
        try:
            return parse_toolkits("\n".join(output))
        except ValueError as error:
            raise FactProcessError(str(error)) from error


@operation()
def toolkits_installed(settings: CudaSettings) -> Generator[StringCommand]:
    """Every declared toolkit is installed, and programs meet the declared one.

    + settings: what is declared

    No remote command when no toolkit is declared; three when nothing differs. Toolkits and files
    that are declared no more are left: what was built against them may still need them.
    """
    if not settings.versions:
        host.noop("no CUDA toolkit is declared; containers carry their own")
        return
    try:
        state = _state()
        refuse_impossible(node_of(host), settings, state)
    except FlightlineError as refusal:
        yield Refusal(refusal.message)
        return
    packages = wanted_packages(settings)
    names = tuple(package.partition("=")[0] for package in packages)
    held = names if settings.hold_packages else ()
    yield from installed._inner(packages=packages, hold=held)
    yield from bundle._inner(items=path_items(settings), hooks=(Hook("ldconfig", (LINKER,)),))
    yield from _default(settings, state)


def _state() -> Toolkits:
    state = host.get_fact(CudaState)
    if state is None:
        raise NodeRefused("the CUDA toolkits of this node could not be listed.")
    return state


def refuse_impossible(node: NodeFacts, settings: CudaSettings, state: Toolkits) -> None:
    """Raise NodeRefused where the declared source does not exist on this node."""
    if settings.source == "distribution":
        if node.family != "debian":
            raise NodeRefused(
                f"{node.distribution} {node.version} has no CUDA toolkit of its own "
                '(CudaSettings.source is "distribution"); set source="nvidia".'
            )
        return
    if not state.has_repository:
        raise NodeRefused(
            "NVIDIA's repository is not known to this node's package manager, which the role "
            'nvidia sees to (NvidiaSettings.source="nvidia"); apply that first, or set '
            'CudaSettings.source="distribution".'
        )


def wanted_packages(settings: CudaSettings) -> tuple[str, ...]:
    """Return the packages; `cuda-toolkit-12-8` has no driver among its dependencies, `cuda` has."""
    if settings.source == "distribution":
        return (OF_DISTRIBUTION,)
    return tuple(map(_package, settings.versions))


def path_items(settings: CudaSettings) -> tuple[Item, ...]:
    """Return the files by which shells and the linker find /usr/local/cuda; absent if not asked."""
    return (
        File(PROFILE, render(f"cuda{PROFILE}")) if settings.profile else Absent(PROFILE),
        File(LINKER, render(f"cuda{LINKER}")) if settings.linker else Absent(LINKER),
    )


def _package(version: str) -> str:
    name = f"cuda-toolkit-{line_of(version).replace('.', '-')}"
    return f"{name}={version}-1" if version.count(".") == 2 else name


def _default(settings: CudaSettings, state: Toolkits) -> Generator[StringCommand]:
    """Set by hand, an alternative stays where it is when packages of another version come.

    The linker's cache names files, so it must be made anew after every change.
    """
    if settings.default_line is None:
        return
    place = f"/usr/local/cuda-{settings.default_line}"
    if (state.default, state.mode) != (place, "manual"):
        yield StringCommand(f"update-alternatives --set cuda {place} >/dev/null && ldconfig")
