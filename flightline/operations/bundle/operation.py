"""The bundle operation."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from flightline.errors import FlightlineError
from flightline.operations.bundle.items import Hook, Item, Link, Merge, refuse_contradictions
from flightline.operations.bundle.plan import plan_of
from flightline.operations.bundle.script import command
from flightline.operations.bundle.state import BundleState
from flightline.operations.refusal import Refusal


@operation()
def bundle(items: Sequence[Item], hooks: Sequence[Hook] = ()) -> Generator[StringCommand]:
    """Every path is as its item says, and every hook that its change called for has succeeded.

    + items: files, merges, directories, links, absences; each path once
    + hooks: commands that make the changes take effect, in order

    One remote command when nothing differs, one more when something does. All or nothing: when a
    validation, a move or a hook fails, the old files are back, the node's run ends with the
    sentence that says why, and other nodes go on. A hook that an interrupted run still owes runs
    the next time. Missing parent directories are made with mode 755 and owner root.
    """
    if not items:
        host.noop("no path is declared")
        return
    found = host.get_fact(
        BundleState,
        paths=tuple(item.path for item in items),
        contents=_positions(items, Merge),
        targets=_positions(items, Link),
        markers=tuple(hook.key for hook in hooks),
    )
    if found is None:
        yield Refusal("The state of the files could not be read; nothing was changed.")
        return
    try:
        refuse_contradictions(items, hooks)
        plan = plan_of(items, hooks, found)
    except FlightlineError as error:
        yield Refusal(error.message)
        return
    if not plan.changes and not plan.hooks:
        host.noop(f"{len(items)} paths are as declared")
        return
    logger.info(f"{host.print_prefix}changes: {plan}")
    yield command(plan)


def _positions(items: Sequence[Item], kind: type[Item]) -> tuple[int, ...]:
    return tuple(number for number, item in enumerate(items) if isinstance(item, kind))
