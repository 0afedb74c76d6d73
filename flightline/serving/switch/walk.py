"""Walks the steps of a switch forward: each is recorded on its nodes before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flightline.serving.layout import WEIGHT_FULL, Letter, other
from flightline.serving.state import ServiceState, Switching
from flightline.serving.switch import engines, steps
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.hold import Judge
from flightline.serving.switch.node import Failed
from flightline.serving.switch.plan import Plan, Tell
from flightline.serving.switch.steps import Kind, Mode, Step
from flightline.serving.switch.targets import Service
from flightline.serving.switch.watch import Watch

PREPARE_SECONDS = 120.0


class Walk:
    """One switch on its way; `states` is what the nodes say, as last read or written."""

    def __init__(
        self,
        fleet: Fleet,
        plan: Plan,
        states: dict[str, ServiceState],
        judge: Judge,
        tell: Tell,
    ) -> None:
        self.fleet = fleet
        self.plan = plan
        self.states = states
        self.reached = Kind.BEGIN
        """What the last step did that was begun."""
        self.judge = judge
        self._tell = tell
        self._does = {
            Kind.BEGIN: self._begin,
            Kind.EMPTY: self._empty,
            Kind.STOP: self._stop,
            Kind.PREPARE: self._prepare,
            Kind.START: self._start,
            Kind.GOLDEN: self._golden,
            Kind.DRAIN: self._drain,
            Kind.FLIP: self._flip,
            Kind.FINISH: self._finish,
        }

    def __repr__(self) -> str:
        return f"Walk({self.plan.mode}, {self.reached})"

    def forward(self, remaining: Sequence[Step]) -> None:
        """Take the steps; raises Failed or Lost, with the step recorded that did not end."""
        for step in remaining:
            self._record(step)
            self.reached = step.kind
            if step.kind is Kind.CANARY:
                self._canary(step)
                continue
            for key in step.services:
                self._does[step.kind](self.fleet.targets.service(key))

    def _record(self, step: Step) -> None:
        for key in step.services:
            state = self.states[key]
            if state.switching is None:
                began = datetime.now(UTC).isoformat(timespec="seconds")
                state = steps.begun(state, switching(self.plan, step.name, began))
            # the weight is at least this one from now on, whatever happens
            self.save(key, steps.at(state, step.name, step.weight))
            self._tell(key, step.name, "begins")

    def save(self, key: str, state: ServiceState) -> None:
        """Make the node, then this walk, remember a service's state."""
        self.fleet.save(self.fleet.targets.service(key), state)
        self.states[key] = state

    def new(self, key: str) -> Letter:
        """Return the new version's slot."""
        return steps.new_letter(self.states[key], self.plan.to)

    def _begin(self, service: Service) -> None:
        if self.plan.mode is not Mode.ROLLBACK:
            self.judge.remember(service, self.states[service.key].active)

    def _empty(self, service: Service) -> None:
        old = other(self.new(service.key))
        if not self.plan.downtime and takes_requests(self.fleet, service, old):
            refuse_to_empty(self.fleet, service)
        self.fleet.weigh(service, ((old, 0), (other(old), 0)))
        left = self.fleet.wait_idle(service, old, self.plan.drain_seconds)
        if left:
            raise Failed(
                f"{service.key}: {left} requests are still at work after "
                f"{self.plan.drain_seconds:g} s; nothing was cut"
            )

    def _stop(self, service: Service) -> None:
        self.fleet.stop(service, other(self.new(service.key)))

    def _prepare(self, service: Service) -> None:
        letter, state, to = self.new(service.key), self.states[service.key], self.plan.to
        if state.version(letter) != to:
            if state.version(letter) is not None:
                self._end_standby(service, letter)
            self.save(service.key, steps.placed(state, to))
        self.fleet.ask(
            service.node,
            f"prepare the slot {service.name}-{letter}",
            engines.prepare(service, letter, to),
            timeout_seconds=PREPARE_SECONDS,
        )

    def _end_standby(self, service: Service, letter: Letter) -> None:
        """Free the slot of a version that is neither the old nor the new one."""
        self.fleet.weigh(service, ((letter, 0),))
        left = self.fleet.wait_idle(service, letter, self.plan.drain_seconds)
        if left:
            raise Failed(f"{service.key}: its standby still has {left} requests at work")
        self.fleet.stop(service, letter)

    def _start(self, service: Service) -> None:
        self.fleet.start(service, self.new(service.key), self.plan.ready_seconds)

    def _golden(self, service: Service) -> None:
        self.judge.golden(service, self.new(service.key))

    def _canary(self, step: Step) -> None:
        for key in step.services:  # a resumed switch may find it still starting, after a reboot
            self._start(self.fleet.targets.service(key))
        watch = Watch(self.fleet)
        watch.sample()
        for key in step.services:
            self._weigh(self.fleet.targets.service(key), step.weight)
        if step.is_gated:
            self.judge.hold(step, self.states, watch)

    def _weigh(self, service: Service, weight: int) -> None:
        new = self.new(service.key)
        rest = 0 if self.plan.mode.is_exclusive else WEIGHT_FULL - weight
        # the one that gains goes first: there is never a moment without a server
        self.fleet.weigh(service, ((new, weight), (other(new), rest)))

    def _drain(self, service: Service) -> None:
        old = other(self.new(service.key))
        left = self.fleet.wait_idle(service, old, self.plan.drain_seconds)
        if left:
            self._tell(service.key, "drain", f"{left} requests are still at work; they go on")

    def _flip(self, service: Service) -> None:
        targets = self.fleet.targets
        self.save(service.key, steps.flipped(self.states[service.key], self.plan.to))
        command = engines.link(targets.store, targets.model, self.plan.to)
        self.fleet.ask(service.node, "turn the link `current`", command)

    def _finish(self, service: Service) -> None:
        old = other(self.states[service.key].active)
        mode = self.plan.mode
        keep = mode is Mode.ROLLBACK or (self.plan.keep_standby and not mode.is_exclusive)
        if not keep and (left := self.fleet.at_work(service, old)):
            keep = True
            self._tell(service.key, "finish", f"kept as standby: {left} requests are at work")
        if not keep:
            self.fleet.stop(service, old)
        self.save(service.key, steps.finished(self.states[service.key], keep_standby=keep))


def refuse_to_empty(fleet: Fleet, service: Service) -> None:
    """Raise Failed where a gateway would have no server left without this service."""
    own = {service.server("a"), service.server("b")}
    for gateway in fleet.targets.gateways_of(service.key):
        seen = fleet.servers(gateway).items()
        if not any(server.takes_requests for name, server in seen if name not in own):
            raise Failed(
                f"{service.key}: nothing else takes requests for {fleet.targets.model} at the "
                f"gateway on {gateway.node}; say --downtime to do it nevertheless"
            )


def takes_requests(fleet: Fleet, service: Service, letter: Letter) -> bool:
    """Tell whether a gateway sends requests to a slot."""
    name = service.server(letter)
    seen = [fleet.servers(each).get(name) for each in fleet.targets.gateways_of(service.key)]
    return any(each is not None and each.takes_requests for each in seen)


def switching(plan: Plan, step: str, began: str) -> Switching:
    """Return what the nodes remember of a switch."""
    return Switching(
        to=plan.to,
        mode=str(plan.mode),
        step=step,
        canary=plan.canary,
        hold_seconds=plan.hold_seconds,
        keep_standby=plan.keep_standby,
        began=began,
        services=plan.services,
    )
