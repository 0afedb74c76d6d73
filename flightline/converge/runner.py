"""One converge: deploy.py on every node of a session at the same time, each at its own pace.

A node that fails stops there; the others go on. Operations that ask for `_serial` or `_parallel`
are run on that many nodes at once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.api.host import Host
from pyinfra.api.operation import OperationMeta

from flightline.connector import counts, forget_errors, last_errors
from flightline.converge import inside
from flightline.converge.events import Event, EventLog, Status, now
from flightline.converge.explain import explain
from flightline.converge.inside import Step
from flightline.converge.interrupt import Interrupt, watched
from flightline.converge.progress import Watcher
from flightline.converge.results import NodeResult
from flightline.converge.selection import REBOOT, Roles
from flightline.converge.sentences import explained
from flightline.converge.session import Session
from flightline.operations.reboot.command import Reboot
from flightline.operations.refusal import Refusal

STILL_SECONDS = 30
"""How often a run whose output is no terminal says what it is at."""


@dataclass
class Converge:
    """What one run needs; `run` does it."""

    session: Session
    roles: Roles
    log: EventLog
    watcher: Watcher
    _doing: dict[str, Step] = field(default_factory=dict)
    _running: dict[str, gevent.Greenlet] = field(default_factory=dict)
    _places: dict[str, BoundedSemaphore] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.interrupt = Interrupt(self._in_progress, self._leave_reboots)

    def run(self) -> list[NodeResult]:
        """Connect, prepare, execute; return each chosen node's result, in inventory order."""
        results = {host.name: NodeResult(host.name) for host in self.session.chosen}
        with watched(self.interrupt):
            self.session.open()
            for name, sentence in self.session.failed.items():
                self._give_up(results[name], sentence, "unreachable")
            plans = self._prepared(results)
            inside.begin_execution(self.session.state)
            self._running.update(
                {
                    host.name: gevent.spawn(self._work, host, steps, results[host.name])
                    for host, steps in plans.items()
                }
            )
            heartbeat = gevent.spawn(self._tell_what_takes_long)
            gevent.joinall(list(self._running.values()))
            heartbeat.kill()
        for host in self.session.hosts:
            results[host.name].counts = counts(host)
        return list(results.values())

    def _prepared(self, results: dict[str, NodeResult]) -> dict[Host, list[Step]]:
        errors = inside.prepare(self.session.state, self.session.hosts)
        for name, error in errors.items():
            results[name].was_reached = True
            self._give_up(results[name], f"{name}: {explained(error)}", "refused")
        return {
            host: list(filter(self.roles.includes, inside.steps(self.session.state, host)))
            for host in self.session.hosts
            if host.name not in errors
        }

    def _give_up(self, result: NodeResult, sentence: str, status: Status) -> None:
        result.failure = sentence
        self.log.write(Event(now(), result.node, "", "", status, False, 0.0, sentence))
        self.watcher.node_ended(result)

    def _work(self, host: Host, steps: list[Step], result: NodeResult) -> None:
        """Run the steps on one node until one fails."""
        result.was_reached = True
        began = time.monotonic()
        self.watcher.node_begins(host.name, len(steps))
        try:
            for number, step in enumerate(steps):
                result.never_ran = len(steps) - number
                if self.interrupt.is_set:
                    break
                self._step(host, step, result)
                if result.failure:
                    break
                result.never_ran -= 1
        except gevent.GreenletExit:
            self._note(host, self._doing[host.name], "interrupted", began, "interrupted")
        except Exception as error:  # noqa: BLE001 - a node whose worker ended is not as declared
            result.failure = f"{host.name}: {explained(error)}"
        self._doing.pop(host.name, None)
        result.never_ran -= bool(result.failure)
        result.is_interrupted = bool(result.never_ran and not result.failure)
        result.seconds = time.monotonic() - began
        self.watcher.node_ended(result)

    def _step(self, host: Host, step: Step, result: NodeResult) -> None:
        self._doing[host.name] = step
        self.watcher.step_begins(host.name, step)
        began = time.monotonic()
        forget_errors(host)
        width = inside.width(self.session.state, step)
        place = self._places.setdefault(step.op_hash, BoundedSemaphore(width)) if width else None
        if place:
            place.acquire()
        try:
            meta = inside.execute(self.session.state, host, step)
        finally:
            if place:
                place.release()
        self._judge(host, step, meta, result, began)

    def _judge(
        self, host: Host, step: Step, meta: OperationMeta, result: NodeResult, began: float
    ) -> None:
        if not meta.did_succeed() and not inside.may_fail(self.session.state, host, step):
            result.failure = f"{host.name}: {reason(host, step, meta)}"
            self._note(host, step, "failed", began, result.failure)
            return
        has_changed = meta.did_change()
        if has_changed:
            result.changed.append(step.name)
            reboots = [text for text in meta.stdout_lines if text] if _rebooted(meta) else []
            result.rebooted += reboots
            self.watcher.step_changed(host.name, ", ".join(reboots) or step.name)
        self._note(host, step, "ok", began, changed=has_changed)
        self.watcher.step_ended(host.name)

    def _note(
        self,
        host: Host,
        step: Step,
        status: Status,
        began: float,
        message: str = "",
        *,
        changed: bool = False,
    ) -> None:
        seconds = round(time.monotonic() - began, 3)
        self.log.write(
            Event(now(), host.name, step.role, step.name, status, changed, seconds, message)
        )

    def _tell_what_takes_long(self) -> None:
        while True:
            gevent.sleep(STILL_SECONDS)
            self.watcher.still(self._in_progress())

    def _in_progress(self) -> str:
        doing = [f"{node}: {step.name}" for node, step in sorted(self._doing.items())]
        return "; ".join(doing) or "connecting"

    def _leave_reboots(self) -> None:
        """A reboot takes minutes and finishes by itself; the next run takes up from there."""
        for node, step in self._doing.items():
            if step.function == REBOOT:
                self._running[node].kill(block=False)


def reason(host: Host, step: Step, meta: OperationMeta) -> str:
    """Return why an operation failed on a node, and what to do."""
    commands = inside.commands_of(meta)
    said = meta.stderr.strip() or last_errors(host).strip()
    if commands and isinstance(commands[-1], Refusal | Reboot):
        return said or step.name
    why = explain(said, meta.stdout) or "the node gave no reason"
    return f"{step.name}: {why}."


def _rebooted(meta: OperationMeta) -> bool:
    return any(isinstance(each, Reboot) for each in inside.commands_of(meta))


def totals(results: list[NodeResult]) -> dict[str, int]:
    """Return how many nodes changed, held, failed; for the last line."""
    counted: dict[str, int] = defaultdict(int)
    for result in results:
        counted["failed" if not result.has_converged else "ok"] += 1
        counted["changed"] += bool(result.changed)
        counted["rebooted"] += bool(result.rebooted)
    return counted
