"""The role's files for one node, and what runs when they change. No engine is started by that."""

from __future__ import annotations

from flightline import project
from flightline.operations.bundle import Directory, File, Hook, Item
from flightline.serving import layout, state
from roles.inference.container import CACHES, Slot, docker_arguments, slot_environment, user
from roles.inference.wanted import Wanted

RUN = f"{layout.PROGRAMS}/engine-run"
SLOT = f"{layout.PROGRAMS}/engine-slot"
UNIT = "/etc/systemd/system/flightline-engine@.service"

HOOKS = (Hook("systemctl daemon-reload", (UNIT,)),)


def items(wanted: Wanted) -> tuple[Item, ...]:
    """Return every path of the role on this node; a service's state only while it has none."""
    return (
        File(RUN, text(RUN), mode="755", validate="sh -n {staged}"),
        File(SLOT, text(SLOT), mode="755", validate="sh -n {staged}"),
        File(UNIT, text(UNIT)),
        Directory(layout.ENGINES),
        Directory(layout.STATES),
        Directory(CACHES),
        *(item for slot in wanted.slots for item in _slot(slot)),
        *(
            File(f"{layout.STATES}/{service}.json", state.dumps(wanted.states[service]))
            for service in sorted(wanted.fresh)
        ),
    )


def text(path: str) -> str:
    """Return a file of the role as it lands: never a template, as docker has braces too."""
    return (project.root() / "templates" / f"inference{path}").read_text(encoding="utf-8")


def _slot(slot: Slot) -> tuple[Item, ...]:
    folder = f"{layout.ENGINES}/{slot.name}"
    owner, _, group = user(slot.engine).partition(":")
    return (
        File(f"{folder}/slot.env", slot_environment(slot)),
        File(f"{folder}/docker", "".join(f"{line}\n" for line in docker_arguments(slot))),
        Directory(f"{CACHES}/{slot.name}", mode="700", owner=owner, group=group),
    )
