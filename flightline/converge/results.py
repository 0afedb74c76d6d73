"""What became of each node in a converge."""

from __future__ import annotations

from dataclasses import dataclass, field

from flightline.connector import Counts


@dataclass
class NodeResult:
    """One node's way through a run; `failure` is "" when everything held at its end."""

    node: str
    changed: list[str] = field(default_factory=list)
    """Names of the operations that changed something, in order."""
    rebooted: list[str] = field(default_factory=list)
    """One text per reboot, such as "rebooted in 41 s"."""
    failure: str = ""
    """One sentence: what is wrong and what to do."""
    never_ran: int = 0
    """Operations that were left out because of a failure or an interrupt."""
    was_reached: bool = False
    is_interrupted: bool = False
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0

    @property
    def has_converged(self) -> bool:
        """Whether the node is what was declared."""
        return self.was_reached and not (self.failure or self.is_interrupted or self.never_ran)

    @property
    def sentence(self) -> str:
        """The node's line at the end of a run."""
        if self.is_interrupted:
            return f"interrupted. {self._so_far()}"
        if self.failure:
            return f"{self.failure} {self._so_far()}".strip()
        return f"{self._changes()}{self._reboots()}"

    def _changes(self) -> str:
        count = len(self.changed)
        return f"{_operations(count)} changed it" if count else "nothing to change"

    def _reboots(self) -> str:
        return f", {', '.join(self.rebooted)}" if self.rebooted else ""

    def _so_far(self) -> str:
        before = f"{self._changes()} before{self._reboots()}" if self.changed else ""
        left = f"{_operations(self.never_ran)} not run" if self.never_ran else ""
        told = ", ".join(filter(None, (before, left)))
        return f"({told})" if told else ""


def _operations(count: int) -> str:
    return f"{count} operation{'s' * (count != 1)}"
