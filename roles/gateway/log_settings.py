"""What is kept of requests, where it is sent, and what a gateway must be able to answer."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from flightline.settings import PlainPath, Settings

NodePath = Annotated[PlainPath, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]+$")]
Peer = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.*:_-]+$")]

ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]*$")]


class SiemSettings(Settings):
    """Where the audit log is forwarded to, as it is written."""

    host: str = Field(pattern=r"^[A-Za-z0-9.:-]+$")
    """Name or address of the site's collector."""

    port: int = Field(default=6514, ge=1, le=65_535)
    """Its port; 6514 is syslog over TLS (RFC 5425, 4.1)."""

    protocol: Literal["tls", "relp"] = "tls"
    """"tls": syslog over TLS (RFC 5425), which every collector reads, and which can lose what is in
    flight when the connection breaks; "relp": RELP over TLS, where each message is acknowledged."""

    tls_library: Literal["gtls", "ossl"] = "gtls"
    """rsyslog's TLS library: GnuTLS or OpenSSL. Either meets any collector."""

    ca_file: NodePath
    """The authorities that the collector's certificate comes from: PEM, a path on the node."""

    permitted_peers: tuple[Peer, ...] = Field(min_length=1)
    """Names that the collector's certificate may carry: without them, any certificate of the
    authority would do."""

    certificate_file: NodePath | None = None
    """The node's certificate for the collector: PEM, a path on the node. None: the collector does
    not ask for one."""

    key_file: NodePath | None = None
    """Its private key: PEM, a path on the node, mode 600."""

    queue_gib: int = Field(default=4, ge=1, le=1024)
    """Disk that may hold what the collector did not take yet, GiB. 4 GiB are about ten million
    requests at 400 bytes each. When it is full, the newest are not forwarded; the node's own log
    has them all the same."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError(
                "certificate_file and key_file belong together; set both, or neither where the "
                "collector asks for no certificate."
            )
        return self


class AuditLogSettings(Settings):
    """The gateway's audit log: one JSON object for each request."""

    retention_days: int = Field(default=184, ge=180, le=3650)
    """How long it stays on the node, days. At least 180, as the fleet's policy has it; six months,
    which the EU AI Act asks of providers and deployers of high-risk systems (Regulation (EU)
    2024/1689, articles 19(1) and 26(6)), are up to 184 days."""

    rotate_mib: int = Field(default=256, ge=1, le=10_240)
    """A file is closed at midnight, or at the next full hour after it has grown to this size,
    MiB."""

    fsync: bool = True
    """Whether a line is on disk before the next one is taken. False is quicker, and loses the last
    seconds when the power fails."""

    min_free_gib: int = Field(default=4, ge=1, le=10_240)
    """The audit wants this much free disk beside the log, GiB, and room for the whole retention at
    the rate of the days that it has seen."""

    prompt_bytes: int = Field(default=0, ge=0, le=1024)
    """How much of each request's body is kept, bytes from its start. 0, the default: nothing.
    Prompts are often personal data or trade secrets: whoever keeps them needs a legal basis, must
    tell the users, and must be able to delete them (GDPR articles 5, 6, 13 and 17); many works
    councils must agree."""

    siem: SiemSettings | None = None
    """The site's collector. None: the log stays on the node, where whoever is root can change
    it."""

    def warnings(self, today: datetime.date) -> tuple[str, ...]:  # noqa: ARG002 - the base's
        """Return what is allowed and unwise."""
        if not self.prompt_bytes:
            return ()
        return (
            f"audit_log.prompt_bytes is {self.prompt_bytes}, so the log keeps what users ask: "
            "often personal data, which needs a legal basis, notice to the users, and deletion.",
        )


class PromptSettings(Settings):
    """The prompt that a gateway must answer at acceptance, and how fast."""

    text: str = Field(default="Count from one to twenty in words.", min_length=1, max_length=2000)
    """What is asked."""

    except_models: tuple[ModelName, ...] = ()
    """Models that are not asked: those that make embeddings and the like, not text. Empty, the
    default: all are."""

    max_tokens: int = Field(default=64, ge=2, le=4096)
    """Length of the answer at most, tokens; at least 2, or there is no rate to measure."""

    timeout_seconds: int = Field(default=120, ge=1, le=3600)
    """The whole answer of one model must be there by then, seconds."""

    ttft_max_seconds: float | None = Field(default=None, gt=0, le=3600)
    """Time to the first token at most, seconds. None: measured and told, not judged: it depends on
    model, GPU and prompt."""

    tokens_per_second_min: float | None = Field(default=None, gt=0, le=1_000_000)
    """Tokens per second after the first one, for one request alone, at least. None: measured and
    told, not judged."""
