"""The verdict record "flightline.report/1": the one thing that every view shows.

`report/schemas/report-1.json` is its JSON Schema; fields are only ever added.
"""

from __future__ import annotations

import enum
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from flightline.audit.check import Severity


class Outcome(enum.StrEnum):
    """What one check found on one node."""

    PASS = "pass"  # noqa: S105 - an outcome
    FAIL = "fail"
    WAIVED = "waived"
    NOT_APPLICABLE = "not-applicable"
    UNKNOWN = "unknown"


class Verdict(enum.StrEnum):
    """What a node, or the whole audit, comes to."""

    GO = "go"
    NO_GO = "no-go"
    UNDECIDED = "undecided"


EXIT_CODES = {Verdict.GO: 0, Verdict.NO_GO: 1, Verdict.UNDECIDED: 2}

NOT_CAPTURED = "is not in the capture."
"""How the message of a check ends that a bare capture leaves unknown."""

UNREACHABLE = "node-audit-reachable"
"""Id of the one problem that stands for all checks of a node that could not be asked."""


class Record(BaseModel):
    """Base of what is written: frozen; a reader overlooks fields of a later version."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Waiver(Record):
    """A known problem that its owner accepts until a day; written by hand, so nothing unknown."""

    model_config = ConfigDict(extra="forbid")

    check: str = Field(min_length=1)
    """Id of the check."""
    node: str = Field(min_length=1)
    """Name of the node, or a shell pattern such as `gpu-*`."""
    reason: str = Field(min_length=1)
    """Why it is acceptable."""
    owner: str = Field(min_length=1)
    """Who answers for it."""
    expires: date
    """Last day, in UTC, on which it holds."""


class CheckResult(Record):
    """One check on one node."""

    id: str
    role: str
    claim: str
    outcome: Outcome
    severity: Severity
    message: str
    """One sentence: what is, what was expected; the claim when it holds."""
    remedy: str
    evidence: tuple[str, ...] = ()
    """Lines of the recording that the outcome rests on, as `<file>#<line>`."""
    waiver: Waiver | None = None
    """The waiver that applies; under outcome `fail` or `unknown`, one that has expired."""
    suppressed_by: str | None = None
    """Id of the failed check that explains this one; such a result raises no alarm of its own."""

    @property
    def is_alarm(self) -> bool:
        """Whether a person has to look at it."""
        return self.outcome in (Outcome.FAIL, Outcome.UNKNOWN) and self.suppressed_by is None

    @property
    def needs_the_node(self) -> bool:
        """Whether it is unknown only because a capture does not have what it asks."""
        return self.outcome is Outcome.UNKNOWN and self.message.endswith(NOT_CAPTURED)

    @property
    def blocks(self) -> bool:
        """Whether it stands against go: unknown always does, a failure unless only a warning."""
        if self.outcome is Outcome.FAIL:
            return self.severity is not Severity.WARNING
        return self.outcome is Outcome.UNKNOWN


class GpuSeen(Record):
    """One GPU as a capture shows it; None for what is not there."""

    address: str
    product: str | None
    model: str | None
    """Id in the catalog; None for a GPU that it does not know."""
    uuid: str | None
    serial: str | None
    memory_mib: int | None
    ecc: bool | None
    mig: bool | None
    mig_devices: int
    pcie_generation: int | None
    """Of the link now."""
    pcie_width: int | None
    temperature_c: int | None
    power_w: float | None
    power_limit_w: float | None


class Inventory(Record):
    """What a capture shows of a node."""

    captured: str
    """When, as it is written there: without a zone."""
    driver: str | None
    cuda: str | None
    """The newest CUDA that the driver runs natively."""
    attached_gpus: int | None
    """As the driver counts; more than `gpus` has where the capture is trimmed or a GPU is lost."""
    gpus: tuple[GpuSeen, ...]
    lost: tuple[str, ...]
    """Lines that name a GPU in trouble."""


class NodeResult(Record):
    """All checks on one node."""

    name: str
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    remote_commands: int = 0
    """Commands sent to the node for this audit; 0 when judged from a recording."""
    seconds: float = 0.0
    """Wall time of this node's audit."""
    inventory: Inventory | None = None
    """What was seen, where a bare capture was judged."""


class Run(Record):
    """When, how and on what the audit ran."""

    id: str
    started: str
    """UTC, ISO 8601."""
    seconds: float
    mode: Literal["live", "replay"]
    inventory: str
    """Inventory file, or the recording that was judged."""
    flightline: str
    testinfra: str
    recording: str | None = None
    """Folder of the evidence, if it was kept."""
    warnings: tuple[str, ...] = ()
    """What a person should know that no check says, such as a waiver that matches nothing."""


class Summary(Record):
    """The verdict and the counts behind it."""

    verdict: Verdict
    counts: dict[Outcome, int]
    nodes: dict[Verdict, int]


class Report(Record):
    """The whole record of one audit."""

    schema_: Literal["flightline.report/1"] = Field(default="flightline.report/1", alias="schema")
    run: Run
    nodes: tuple[NodeResult, ...]
    summary: Summary

    @property
    def exit_code(self) -> int:
        """Return 0 for go, 1 for no-go, 2 for undecided."""
        return EXIT_CODES[self.summary.verdict]

    def to_json(self) -> str:
        """Return the record as JSON, one document with a newline at its end."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the record, as kept in report/schemas/report-1.json."""
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "flightline.report/1",
    }
    return {**about, **Report.model_json_schema(by_alias=True, mode="serialization")}
