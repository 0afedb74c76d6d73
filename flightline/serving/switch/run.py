"""Begins, resumes, undoes and rolls back a switch, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from flightline.serving.layout import other
from flightline.serving.state import ServiceState
from flightline.serving.switch import evidence, modes, preflight, steps
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.hold import Judge
from flightline.serving.switch.modes import Decision, Wish
from flightline.serving.switch.node import Failed, Lost, Refused
from flightline.serving.switch.outcome import Outcome, recorded, serving
from flightline.serving.switch.plan import Plan, Tell
from flightline.serving.switch.steps import Mode
from flightline.serving.switch.undo import undo
from flightline.serving.switch.walk import Walk


class Run:
    """One command upon the services of a model."""

    def __init__(self, fleet: Fleet, command: str, tell: Tell) -> None:
        self.fleet = fleet
        self.command = command
        """What a person types to reach these services again."""
        self.tell = tell

    def __repr__(self) -> str:
        return f"Run({self.fleet.targets.model})"

    def switch(self, wanted: Plan, wish: Wish, *, dry_run: bool = False) -> Outcome:
        """Serve another version; raises Refused before anything was changed."""
        found, decision = self._checked(wanted, wish, with_hashes=not dry_run)
        keys = tuple(key for key, state in found.items() if state.serving != wanted.to)
        if not keys:
            return Outcome("unchanged", f"{self._model} {wanted.to} serves already.", to=wanted.to)
        plan = replace(
            wanted,
            mode=decision.mode,
            services=keys,
            downtime=wish.downtime and decision.mode is Mode.DOWNTIME,
        )
        todo = steps.forward(plan.mode, plan.services, plan.canary)
        if dry_run:
            shown = ", ".join(dict.fromkeys(each.name for each in todo))
            why = ". ".join(decision.why)
            sentence = f"{self._model} to {plan.to}, {plan.mode}. {why}. Steps: {shown}."
            return Outcome("planned", sentence, str(plan.mode), plan.to)
        for sentence in decision.why:
            self.tell(self._model, str(plan.mode), sentence)
        return self._forward(plan, {key: found[key] for key in keys}, todo)

    def _checked(
        self, wanted: Plan, wish: Wish, *, with_hashes: bool
    ) -> tuple[dict[str, ServiceState], Decision]:
        to = wanted.to
        try:
            found = preflight.states(self.fleet)
            preflight.refuse_under_way(found, self.command)
            preflight.refuse_odd_gateways(self.fleet, found)
            preflight.refuse_key(self.fleet, wanted.key)
            services = [
                self.fleet.targets.service(key)
                for key, state in found.items()
                if state.serving != to
            ]
            looks = preflight.looked(self.fleet, services, to)
            if with_hashes:
                preflight.verify(self.fleet, services, to)
        except (Lost, Failed) as error:
            raise Refused(f"{error}; nothing was changed.") from None
        decision = modes.decide(self.fleet.targets, services, looks, wish)
        return found, decision

    def resume(self, wanted: Plan) -> Outcome:
        """Go on with the switch, or with the undoing, that is under way."""
        found = self._states()
        reached = recorded(found)
        if steps.is_undoing(reached):
            return self.undo(wanted)
        plan = self._planned(wanted, found)
        preflight.refuse_lost(self.fleet)
        chosen = {key: found[key] for key in plan.services}
        todo = steps.forward(plan.mode, plan.services, plan.canary)
        return self._forward(plan, chosen, steps.remaining(todo, reached))

    def undo(self, wanted: Plan) -> Outcome:
        """Serve what was served before the switch under way, also where some nodes are lost."""
        found, lost = self._reached()
        plan = self._planned(wanted, found)
        chosen = {key: found[key] for key in plan.services}
        chosen |= self._finished_already(plan, found)
        plan = replace(plan, services=tuple(chosen))
        walk = self._walk(plan, chosen)
        sentence = f"the switch of {self._model} to {plan.to} is undone"
        return self._undone(walk, "undone", sentence, partial(undo, lost=lost))

    def rollback(self, wanted: Plan) -> Outcome:
        """Serve the standby at once; undo, while a switch is under way."""
        found, _ = self._reached()
        if recorded(found):
            return self.undo(wanted)
        to = preflight.standbys(found, self._model)
        try:
            preflight.refuse_odd_gateways(self.fleet, found)
        except Refused as error:
            self.tell(self._model, "rollback", f"note: {error.message}")
        plan = replace(wanted, to=to, mode=Mode.ROLLBACK, services=tuple(found), keep_standby=True)
        return self._forward(plan, found, steps.forward(plan.mode, plan.services, ()))

    def retire(self) -> Outcome:
        """End the standbys, and free their slots."""
        found = self._states()
        preflight.refuse_under_way(found, self.command)
        held = {key: state for key, state in found.items() if state.standby is not None}
        try:
            for key, state in held.items():
                preflight.refuse_busy_standby(self.fleet, self.fleet.targets.service(key), state)
            for key, state in held.items():
                service = self.fleet.targets.service(key)
                self.fleet.stop(service, other(state.active))
                self.fleet.save(service, steps.retired(state))
        except (Lost, Failed) as error:
            return Outcome("stopped", f"{error}; run `{self.command} --retire` again.")
        if not held:
            return Outcome("unchanged", f"{self._model} has no standby.")
        shown = ", ".join(f"{key} {state.standby}" for key, state in held.items())
        return Outcome("retired", f"Retired: {shown}.", services=serving(found))

    @property
    def _model(self) -> str:
        return self.fleet.targets.model

    def _states(self) -> dict[str, ServiceState]:
        try:
            return preflight.states(self.fleet)
        except Lost as error:
            raise Refused(f"{error}; nothing was changed, try again when it is back.") from None

    def _reached(self) -> tuple[dict[str, ServiceState], list[Lost]]:
        """Return the states that can be read; all must be where a lost node may have finished."""
        found, lost = preflight.reached_states(self.fleet)
        reached = recorded(found).values()
        if lost and (not reached or "finish" in reached):
            raise Refused(
                f"{lost[0]}, and the switch may have ended there; nothing was changed, try again "
                "when it is back, or without it in the inventory."
            )
        return found, lost

    def _planned(self, wanted: Plan, found: dict[str, ServiceState]) -> Plan:
        """Return the plan of the switch that is under way, from what its nodes remember."""
        under_way = preflight.under_way(found, self.command)
        keys = tuple(
            key
            for key, state in preflight.own(found, under_way).items()
            if state.switching is not None or state.serving != under_way.to
        )
        mode = Mode(under_way.mode)
        return replace(
            wanted,
            to=under_way.to,
            mode=mode,
            services=keys,
            canary=under_way.canary or wanted.canary,
            hold_seconds=under_way.hold_seconds,
            keep_standby=under_way.keep_standby,
            downtime=wanted.downtime or mode is Mode.DOWNTIME,
        )

    def _finished_already(
        self, plan: Plan, found: dict[str, ServiceState]
    ) -> dict[str, ServiceState]:
        """Return services that an interrupted last step had let go of, announced again."""
        under_way = preflight.under_way(found, self.command)
        done = {
            key: state
            for key, state in preflight.own(found, under_way).items()
            if key not in plan.services and state.serving == plan.to
        }
        if not under_way.services and "finish" not in recorded(found).values():
            return {}
        if any(state.standby is None for state in done.values()):
            raise Refused(
                f"the switch of {self._model} to {plan.to} has ended on {', '.join(done)}, where "
                f"the old version is gone; end it with `{self.command} --resume`."
            )
        return {key: steps.begun(state, under_way) for key, state in done.items()}

    def _walk(self, plan: Plan, chosen: dict[str, ServiceState]) -> Walk:
        return Walk(self.fleet, plan, chosen, Judge(self.fleet, plan, self.tell), self.tell)

    def _forward(
        self, plan: Plan, chosen: dict[str, ServiceState], todo: tuple[steps.Step, ...]
    ) -> Outcome:
        walk = self._walk(plan, chosen)
        try:
            walk.forward(todo)
        except (Failed, Lost) as error:
            return self._after(walk, error)
        except KeyboardInterrupt:
            return self._stopped(walk, f"interrupted at {walk.reached}")
        back = "rolled back to" if plan.mode is Mode.ROLLBACK else "switched to"
        rest = ""
        if plan.mode is Mode.ROLLBACK or any(each.standby for each in walk.states.values()):
            rest = f"; the version before is a standby: `{self.command} --rollback`, or --retire"
        return self._outcome(walk, "switched", f"{self._model} {back} {plan.to}{rest}.")

    def _after(self, walk: Walk, error: Failed | Lost) -> Outcome:
        """Send requests back where that is right, with the evidence kept; say what is so now."""
        if not steps.may_undo_itself(walk.plan.mode, walk.reached):
            return self._stopped(walk, str(error))
        self.tell(self._model, "undo", f"{error}; going back")
        kept: dict[str, str] = {}
        back = partial(undo, keep=lambda: kept.update(evidence.collected(walk)))
        sentence = f"{error}; {self._model} serves as before"
        outcome = self._undone(walk, "rolled back", sentence, back)
        return replace(outcome, evidence=kept)

    def _undone(
        self, walk: Walk, verdict: str, sentence: str, back: Callable[[Walk], None]
    ) -> Outcome:
        try:
            back(walk)
        except (Failed, Lost) as error:
            why = f"{sentence.partition(';')[0]}; undoing it stopped: {error}"
            return self._stopped(walk, why)
        except KeyboardInterrupt:
            return self._stopped(walk, "interrupted while it was undone")
        return self._outcome(walk, verdict, f"{sentence}.")

    def _stopped(self, walk: Walk, why: str) -> Outcome:
        return self._outcome(
            walk,
            "stopped",
            f"{why}. What is up goes on serving; `{self.command} --resume` goes on, "
            f"`{self.command} --undo` goes back.",
        )

    def _outcome(self, walk: Walk, verdict: str, sentence: str) -> Outcome:
        plan, findings = walk.plan, walk.judge.findings
        return Outcome(verdict, sentence, str(plan.mode), plan.to, serving(walk.states), findings)
