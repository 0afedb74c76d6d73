"""What came of a command; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flightline.serving.state import ServiceState


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    verdict: str
    """switched, rolled back, undone, retired, unchanged, planned or stopped."""
    sentence: str
    mode: str = ""
    to: str = ""
    services: dict[str, str] = field(default_factory=dict)
    """The version that each service serves now, by key."""
    findings: list[dict[str, object]] = field(default_factory=list)
    """What each gate said."""
    evidence: dict[str, str] = field(default_factory=dict)
    """What engines and gateways said when a gate failed, by file name."""

    @property
    def exit_code(self) -> int:
        """0 when what was asked for is so, 1 otherwise."""
        return int(self.verdict in {"rolled back", "stopped"})


def recorded(found: Mapping[str, ServiceState]) -> dict[str, str]:
    """Return the step that each service under way has recorded, by key."""
    return {key: state.switching.step for key, state in found.items() if state.switching}


def serving(found: Mapping[str, ServiceState]) -> dict[str, str]:
    """Return the version that each service serves, by key."""
    return {key: state.serving or "" for key, state in found.items()}
