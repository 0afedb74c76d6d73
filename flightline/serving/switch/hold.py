"""Hold a canary step, and judge it: readiness, golden prompts, errors, time to first token."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from flightline.serving.layout import WEIGHT_FULL, Letter, other
from flightline.serving.state import ServiceState
from flightline.serving.switch import engines, entrance, gates, golden, probes
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.gates import Finding
from flightline.serving.switch.gateways import Counters, added
from flightline.serving.switch.node import Failed
from flightline.serving.switch.plan import Plan, Tell
from flightline.serving.switch.steps import Step, new_letter
from flightline.serving.switch.targets import Service
from flightline.serving.switch.watch import Watch

POLL_SECONDS = 2.0
"""How often the gateways are read while a step is held."""
PROBE_TOKENS = 8
_SLACK_SECONDS = 10.0


class Judge:
    """Asks engines and gateways whether the new version may go on; raises Failed if not.

    Remembers the old version's time to first token from before the switch: at full weight the old
    engine has nothing to do, and is no fair opponent any more. So it does with the old version's
    errors.
    """

    def __init__(self, fleet: Fleet, plan: Plan, tell: Tell) -> None:
        self._fleet = fleet
        self._plan = plan
        self._tell = tell
        self._before: dict[str, float] = {}
        self._old_before = Counters()
        self.findings: list[dict[str, object]] = []

    def __repr__(self) -> str:
        return f"Judge({len(self.findings)} findings)"

    def remember(self, service: Service, letter: Letter) -> None:
        """Measure the old engine while it has all of its load."""
        measured = [each for each in self._probed(service, letter) if each is not None]
        if measured:
            self._before[service.key] = statistics.median(measured)

    def golden(self, service: Service, letter: Letter) -> None:
        """Ask every golden prompt of a slot's engine."""
        names = (service.upstream.model, *service.upstream.aliases)
        for prompt in self._plan.prompts.prompts:
            body = engines.chat_body(service.upstream.model, prompt.prompt, prompt.max_tokens)
            command = engines.chat(service.port(letter), prompt.max_seconds + _SLACK_SECONDS)
            output = self._fleet.attempt(service.node, command, body)
            problems = golden.problems(prompt, output, names)
            sentence = f"{prompt.prompt!r}: {'; '.join(problems) or 'as expected'}"
            self._note(service, "golden", Finding("golden prompts", not problems, sentence))

    def hold(self, step: Step, states: dict[str, ServiceState], watch: Watch) -> None:
        """Watch the step for its time, then judge it."""
        clock, news = self._fleet.clock, self._servers(step, states)
        deadline = clock.now() + self._plan.hold_seconds
        while True:
            watch.sample(must_be_up=news)
            self._errors(step, states, watch, at_end=False)
            left = deadline - clock.now()
            if left <= 0:
                break
            clock.sleep(min(POLL_SECONDS, left))
        for key in step.services:
            service, letter = self._place(key, states)
            self.golden(service, letter)
            self._first_token(step, service, states[key])
        if watch.total(news).requests < self._plan.limits.minimum_requests:
            self._enter(step)
        watch.sample(must_be_up=news)
        self._errors(step, states, watch, at_end=True)
        self._old_before = added(self._old_before, watch.total(list(self._old(states))))

    def _enter(self, step: Step) -> None:
        """Ask golden prompts of the gateways, where clients ask too little."""
        prompts, targets = self._plan.prompts.prompts, self._fleet.targets
        service = targets.service(step.services[0])
        names = (service.upstream.model, *service.upstream.aliases)
        for gateway in targets.gateways if self._plan.key else ():
            for number in range(entrance.count(step.weight)):
                prompt = prompts[number % len(prompts)]
                body = engines.chat_body(targets.model, prompt.prompt, prompt.max_tokens)
                asked = entrance.chat(gateway, self._plan.key, body)
                output = self._fleet.attempt(
                    gateway.node, entrance.command(prompt.max_seconds), asked
                )
                if entrance.status(output) == entrance.TOO_MANY:
                    break  # the key's limit says nothing of the version
                wrong = golden.problems(prompt, output, names)
                sentence = f"{prompt.prompt!r} at {gateway.node}: {'; '.join(wrong)}"
                if wrong:
                    self._note(service, step.name, Finding("through the gateway", False, sentence))

    def _errors(
        self, step: Step, states: dict[str, ServiceState], watch: Watch, *, at_end: bool
    ) -> None:
        limits, old_names = self._plan.limits, list(self._old(states))
        old = watch.total(old_names)
        if old.requests < limits.minimum_requests:
            old = added(old, self._old_before)
        for key in step.services:
            service, letter = self._place(key, states)
            new = watch.total([service.server(letter)])
            found = [gates.errors(new, old, limits)]
            if at_end:
                found.append(gates.aborts(new, old, limits))
                if min(new.requests, old.requests) >= limits.minimum_requests:
                    new_ms = watch.response_ms([service.server(letter)])
                    found.append(gates.response(new_ms, watch.response_ms(old_names), limits))
            for each in found:
                if at_end or not each.has_passed:
                    self._note(service, step.name, each)

    def _first_token(self, step: Step, service: Service, state: ServiceState) -> None:
        letter = new_letter(state, self._plan.to)
        new = self._probed(service, letter)
        known = self._before.get(service.key)
        if not self._plan.mode.is_exclusive and (step.weight < WEIGHT_FULL or known is None):
            now = [each for each in self._probed(service, other(letter)) if each is not None]
            known = max((*([statistics.median(now)] if now else ()), known or 0.0)) or None
        self._note(service, step.name, gates.first_token(new, known, self._plan.limits))

    def _probed(self, service: Service, letter: Letter) -> list[float | None]:
        prompt = self._plan.prompts.prompts[0].prompt
        body = engines.chat_body(service.upstream.model, prompt, PROBE_TOKENS, stream=True)
        command = probes.command(service.port(letter))
        return [
            probes.first_token_seconds(self._fleet.attempt(service.node, command, body))
            for _ in range(self._plan.limits.probes)
        ]

    def _place(self, key: str, states: dict[str, ServiceState]) -> tuple[Service, Letter]:
        return self._fleet.targets.service(key), new_letter(states[key], self._plan.to)

    def _servers(self, step: Step, states: dict[str, ServiceState]) -> Sequence[str]:
        places = (self._place(key, states) for key in step.services)
        return [service.server(letter) for service, letter in places]

    def _old(self, states: dict[str, ServiceState]) -> Iterator[str]:
        for key, state in states.items():
            if state.serving != self._plan.to:
                yield self._fleet.targets.service(key).server(state.active)

    def _note(self, service: Service, step: str, finding: Finding) -> None:
        sentence = f"{finding.gate}: {finding.sentence}"
        self.findings.append(
            {
                "service": service.key,
                "step": step,
                "gate": finding.gate,
                "passed": finding.has_passed,
                "sentence": finding.sentence,
            }
        )
        self._tell(service.key, step, sentence)
        if not finding.has_passed:
            raise Failed(f"{service.key} at {step}: {sentence}")
