"""The nodes of one switch: states, weights and health, read and written; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flightline.errors import FlightlineError
from flightline.serving import state as states
from flightline.serving.layout import Letter
from flightline.serving.state import ServiceState
from flightline.serving.switch import engines, gateways
from flightline.serving.switch.gateways import Server
from flightline.serving.switch.node import COMMAND_SECONDS, Clock, Failed, Lost, Node, said
from flightline.serving.switch.targets import Gateway, Service, Targets

RELOAD_SECONDS = 10.0
"""A gateway that is being reloaded has its socket back well within this."""
POLL_SECONDS = 1.0
RESTARTS_MAX = 3
"""systemd starts a broken engine anew for ever; one that ended three times is broken."""
_HOPELESS = ("failed", "started anew")
_READY = ("active", "200")
STOP_SECONDS = 600.0
"""An engine with nothing at work ends in seconds; one that unloads hundreds of GiB may not."""


class Fleet:
    """What a switch can do on its nodes.

    Every method raises Lost when a node does not answer, and Failed, a sentence, when a command
    did not work.
    """

    def __init__(self, targets: Targets, nodes: Mapping[str, Node], clock: Clock) -> None:
        self.targets = targets
        self.clock = clock
        self._nodes = nodes

    def __repr__(self) -> str:
        return f"Fleet({self.targets.model}, {', '.join(self.targets.nodes)})"

    def ask(
        self,
        node: str,
        what: str,
        command: str,
        stdin: str = "",
        *,
        timeout_seconds: float = COMMAND_SECONDS,
    ) -> str:
        """Return what a command printed; `what` says in a sentence what it was to do."""
        rc, output, errors = self._nodes[node].run(command, stdin, timeout_seconds=timeout_seconds)
        if rc != 0:
            raise Failed(f"{node}: could not {what} (exit status {rc}: {said(output, errors)})")
        return output

    def attempt(self, node: str, command: str, stdin: str = "") -> str:
        """Return what a command printed, whatever its exit status."""
        return self._nodes[node].run(command, stdin, timeout_seconds=COMMAND_SECONDS)[1]

    def state(self, service: Service) -> ServiceState:
        """Return what the node says that the service serves."""
        path = engines.state_path(service.name)
        text = self.attempt(service.node, f"{engines.read_state(service.name)} 2>/dev/null")
        return read_state(service, text, path)

    def save(self, service: Service, state: ServiceState) -> None:
        """Make the node remember the state; it survives the loss of power once this returns."""
        self.ask(
            service.node,
            f"write {engines.state_path(service.name)}",
            engines.write_state(service.name),
            states.dumps(state),
        )

    def servers(self, gateway: Gateway) -> dict[str, Server]:
        """Return the model's servers as a gateway sees them."""
        model, deadline = self.targets.model, self.clock.now() + RELOAD_SECONDS
        while True:
            try:
                output = self.ask(gateway.node, "ask the gateway", gateways.read(model))
                return gateways.parse(output, model)
            except (Failed, ValueError, KeyError) as error:
                if self.clock.now() >= deadline:
                    raise Failed(f"{gateway.node}: the gateway gives no answer ({error})") from None
            self.clock.sleep(POLL_SECONDS)

    def weigh(self, service: Service, weights: Sequence[tuple[Letter, int]]) -> None:
        """Give slots of a service their weights on each gateway, in this order.

        All others have them when Lost or Failed is raised for one that does not take them.
        """
        troubles: list[Failed | Lost] = []
        for gateway in self.targets.gateways_of(service.key):
            try:
                self.weigh_at(gateway, service, weights)
            except (Failed, Lost) as error:
                troubles.append(error)
        if troubles:
            raise troubles[0]

    def weigh_at(
        self, gateway: Gateway, service: Service, weights: Sequence[tuple[Letter, int]]
    ) -> None:
        """Give slots of a service their weights on one gateway, and see that it took them."""
        named = [(service.server(letter), weight) for letter, weight in weights]
        command = gateways.set_weights(self.targets.model, named)
        deadline = self.clock.now() + RELOAD_SECONDS
        while True:
            said_now = self.attempt(gateway.node, command)
            found = self.servers(gateway)
            wrong = [name for name, weight in named if _weight(found, name) != weight]
            if not wrong:
                return
            if self.clock.now() >= deadline:
                raise Failed(
                    f"{gateway.node}: the gateway did not take the weight of {wrong[0]} "
                    f"({said(said_now, '')})"
                )
            self.clock.sleep(POLL_SECONDS)

    def at_work(self, service: Service, letter: Letter) -> int:
        """Return how many requests the gateways have at a slot."""
        name = service.server(letter)
        seen = [
            self.servers(gateway).get(name) for gateway in self.targets.gateways_of(service.key)
        ]
        return sum(each.at_work for each in seen if each is not None)

    def wait_idle(self, service: Service, letter: Letter, seconds: float) -> int:
        """Wait until a slot has no request at work; return how many are left after `seconds`."""
        deadline = self.clock.now() + seconds
        while left := self.at_work(service, letter):
            if self.clock.now() >= deadline:
                return left
            self.clock.sleep(POLL_SECONDS)
        return 0

    def down_at(self, service: Service, letter: Letter) -> tuple[str, ...]:
        """Return the gateways that see a slot down."""
        name = service.server(letter)
        return tuple(
            gateway.node
            for gateway in self.targets.gateways_of(service.key)
            if not (seen := self.servers(gateway).get(name)) or not seen.is_up
        )

    def start(self, service: Service, letter: Letter, seconds: float) -> None:
        """Start a slot's engine, and wait until it is ready and every gateway sees it up."""
        unit = service.unit(letter)
        self.ask(service.node, f"start {unit}", engines.start(service, letter))
        deadline = self.clock.now() + seconds
        while (trouble := self._unready(service, letter)) is not None:
            if trouble.startswith(_HOPELESS) or self.clock.now() >= deadline:
                raise Failed(
                    f"{service.node}: {unit} is not ready ({trouble}), waited for at most "
                    f"{seconds:.0f} s; see `journalctl -u {unit}` there"
                )
            self.clock.sleep(POLL_SECONDS)

    def answers(self, service: Service, letter: Letter) -> bool:
        """Tell whether a slot's unit is active and its engine healthy, as its own node says.

        A gateway goes on seeing an engine up for some seconds after it ended.
        """
        unit_state, _, status = self._ready(service, letter)
        return (unit_state, status) == _READY

    def _ready(self, service: Service, letter: Letter) -> tuple[str, str, str]:
        answer = self.attempt(service.node, engines.ready(service, letter)).split()
        unit_state, restarts, status = (*answer, "unknown", "0", "nothing")[:3]
        return unit_state, restarts, status

    def _unready(self, service: Service, letter: Letter) -> str | None:
        unit_state, restarts, status = self._ready(service, letter)
        if restarts.isdigit() and int(restarts) >= RESTARTS_MAX:
            return f"{_HOPELESS[1]} {restarts} times"
        if (unit_state, status) != _READY:
            return f"{unit_state}, its health answers {status}"
        down = self.down_at(service, letter)
        return f"up, but down for the gateway on {', '.join(down)}" if down else None

    def stop(self, service: Service, letter: Letter) -> None:
        """End a slot's engine; the caller has made sure that it has nothing at work."""
        command = engines.stop(service, letter)
        what = f"stop {service.unit(letter)}"
        self.ask(service.node, what, command, timeout_seconds=STOP_SECONDS)


def read_state(service: Service, text: str, path: str) -> ServiceState:
    """Return the state that a node's file says; raises FlightlineError where it says none."""
    if not text.strip():
        raise FlightlineError(
            f"{service.node}: there is no {path}: the service {service.name} was never applied; "
            "run `flightline apply`, then switch."
        )
    return states.loads(text, f"{service.node}: {path}")


def _weight(found: Mapping[str, Server], name: str) -> int | None:
    return found[name].weight if name in found else None
