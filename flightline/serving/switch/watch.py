"""What the gateways count while a step is held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flightline.serving.switch import gateways
from flightline.serving.switch.fleet import Fleet
from flightline.serving.switch.gateways import Counters, Server
from flightline.serving.switch.node import Failed
from flightline.serving.switch.targets import Gateway


class Watch:
    """Counts of each server since the watch began, over all gateways and their reloads."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._before: dict[tuple[str, str], Counters] = {}
        self._counts: dict[str, Counters] = {}
        self._response: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Watch({self._counts})"

    def sample(self, must_be_up: Iterable[str] = ()) -> None:
        """Read all gateways once; raises Failed where one sees a named server down."""
        wanted = set(must_be_up)
        for gateway in self._fleet.targets.gateways:
            seen = self._fleet.servers(gateway)
            for name, server in seen.items():
                self._count(gateway, name, server)
            self._refuse_down(gateway, seen, wanted)

    def _count(self, gateway: Gateway, name: str, server: Server) -> None:
        place = (gateway.node, name)
        before = self._before.get(place, server.counters)
        counted = gateways.since(before, server.counters)
        self._before[place] = server.counters
        self._counts[name] = gateways.added(self._counts.get(name, Counters()), counted)
        self._response[name] = server.response_ms

    def _refuse_down(self, gateway: Gateway, seen: dict[str, Server], wanted: set[str]) -> None:
        for name in sorted(wanted & seen.keys()):
            if not seen[name].is_up:
                raise Failed(
                    f"readiness: the gateway on {gateway.node} sees {name} {seen[name].status}"
                )

    def total(self, names: Sequence[str]) -> Counters:
        """Return what was counted of these servers together."""
        total = Counters()
        for name in names:
            total = gateways.added(total, self._counts.get(name, Counters()))
        return total

    def response_ms(self, names: Sequence[str]) -> int:
        """Return the highest mean response time that a gateway gave of these servers last."""
        return max((self._response.get(name, 0) for name in names), default=0)
