"""The secured way in: who may ask which model, how much, and what is kept of it.

Deliberately not set: TLS below 1.3, compression (it would hold back streamed tokens and weaken
TLS), HAProxy's statistics page, and retries of requests whose answer has begun.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from flightline import project
from flightline.serving import keys, token_key
from flightline.settings import Settings
from roles.gateway.log_settings import AuditLogSettings, PromptSettings

Role = Literal["data_scientist", "admin"]

_STEP = "[A-Za-z_][A-Za-z0-9_-]*"
# A claim as JSON path: role, realm_access.roles.
Claim = Annotated[str, StringConstraints(pattern=rf"^{_STEP}(\.{_STEP})*$")]
# What stands in HAProxy's configuration inside quotes.
Plain = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,:;=/@~+-]+$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@-]*$")]


class JwtSettings(Settings):
    """JSON web tokens of an identity provider, beside API keys."""

    algorithm: Literal["RS256", "ES256"]
    """The one algorithm that is accepted; a token that names another is refused."""

    key_file: str = Field(pattern=r"^[^/\s][^\s]*\.pem$")
    """The provider's public key, PEM, as a file of this project, relative to its root, such as
    "files/idp.pem": RSA for RS256, EC P-256 for ES256. Several keys, while the provider changes
    them, are not supported: change the file, then apply."""

    issuer: Plain
    """Value that a token's `iss` must have, such as "https://idp.example.com/realms/llm"."""

    audience: Plain
    """Value that a token's `aud` must have, or have among its first eight."""

    role_claim: Claim = "role"
    """Where a token names its role: a text, or a list of at most eight; a path such as
    "realm_access.roles" is followed. "role" by default."""

    roles: Mapping[Word, Role] = {"data_scientist": "data_scientist", "admin": "admin"}
    """Which role a value of role_claim gives; other values give none. Where a token has several,
    admin wins. By default the roles' own names."""

    name_claim: Claim = "sub"
    """What the audit log calls the caller, and what limits count by; "sub" (RFC 7519) is there in
    every provider's tokens."""

    leeway_seconds: int = Field(default=30, ge=0, le=300)
    """By how much the provider's clock may differ from this node's; 30 s, as RFC 7519 calls "a few
    minutes at most"."""


class GatewaySettings(Settings):
    """HAProxy in front of the engines."""

    enabled: bool = False
    """Whether this node is a gateway, and lets other gateways reach its engines. False, the
    default: nothing is installed and nothing is touched."""

    public: bool = True
    """Whether clients enter here. False: the node only lets other gateways reach its engines."""

    address: str = "*"
    """Address that clients reach; "*": every IPv4 address of the node."""

    port: int = Field(default=8443, ge=1, le=65_535)
    """Port that clients reach, over TLS 1.3. 8443 needs no rule for low ports in a firewall that
    has one for 443."""

    keys_file: str = "keys.yaml"
    """API keys' hashes, kept by `flightline key`; relative to the project's folder, where it can be
    kept in version control, or absolute. The keys themselves are nowhere."""

    jwt: JwtSettings | None = None
    """Whose tokens are accepted beside API keys; None, the default: nobody's."""

    requests_per_minute: int = Field(default=600, ge=1, le=1_000_000)
    """Requests in any 60 s that a key may send which has no limit of its own, and a token's holder.
    600: ten a second, far above a person and far below an engine's end."""

    requests_per_day: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """The same for any 24 h. None, the default: no daily limit."""

    concurrent_requests: int = Field(default=64, ge=1, le=100_000)
    """Requests of one key that may run at once; the next one is answered 429. 64 keeps one key from
    filling an engine, whose batches are of 256 (vLLM 0.32, --max-num-seqs)."""

    max_request_kib: int = Field(default=1024, ge=16, le=65_536)
    """Largest request body, KiB; a larger one is answered 413. 1 MiB is about 250,000 tokens of
    text. HAProxy holds a whole body in memory to find its model, so the sum of all connections'
    bodies may take max_connections times this."""

    max_connections: int = Field(default=2000, ge=10, le=1_000_000)
    """Connections at once, of clients; more wait in the kernel's queue."""

    header_seconds: int = Field(default=10, ge=1, le=120)
    """Time that a client has to send a request's headers; 10 s ends slow clients."""

    body_seconds: int = Field(default=30, ge=1, le=600)
    """Time that a client has to send a request's body: 1 MiB in 30 s is 280 kbit/s."""

    longest_answer_seconds: int = Field(default=1800, ge=10, le=86_400)
    """Longest wait for an answer or for its next token, and how long a reload lets answers end.
    1800: 32,000 tokens at 20 a second."""

    stop_seconds: int = Field(default=120, ge=1, le=86_400)
    """How long answers may go on when the service or the node stops; what is longer is cut. 120:
    what a node's shutdown can wait for."""

    retry_after_seconds: int = Field(default=30, ge=1, le=86_400)
    """What clients are told to wait while a model has no engine (503)."""

    balance: Literal["roundrobin", "leastconn", "random"] = "roundrobin"
    """How requests are shared among the engines of a model. roundrobin, the default, keeps to a
    canary's percentage exactly; leastconn evens out answers of different lengths, but shares
    evenly, whatever the weights, while there is little load."""

    health_interval_seconds: int = Field(default=1, ge=1, le=60)
    """How often an engine's health path is asked; two failures take it out, two successes bring it
    back. 1: a dead engine gets requests for at most 2 s, which are sent to another one."""

    models_of_keys: Mapping[Word, tuple[Word, ...]] = {}
    """The only models that a key may use, by the key's name (or a token's name_claim); who is not
    named here may use all. Empty, the default: all keys, all models."""

    health_timeout_seconds: int = Field(default=5, ge=1, le=300)
    """How long an engine may take to answer its health path once it is connected. 5: one that is
    busy with a long prompt answers late, and must not lose its requests to the others for that."""

    metrics_port: int = Field(default=8405, ge=1024, le=65_535)
    """Loopback port of HAProxy's Prometheus exporter; 8405 is the one of HAProxy's own examples."""

    peers: tuple[Word, ...] = ()
    """Nodes whose gateways may reach this node's engines, by their names in the inventory, as
    their authorities have it. Empty, the default: every node with a certificate of the fleet."""

    restart_allowed: bool = False
    """Whether a changed unit restarts a running gateway, which cuts answers longer than
    stop_seconds. False, the default: it takes effect at the next start, and the audit says so.
    Configuration, keys and certificates need no restart."""

    audit_log: AuditLogSettings = AuditLogSettings()
    """What is kept of each request, how long, and where it is sent."""

    prompt: PromptSettings = PromptSettings()
    """The prompt that the gateway must answer at acceptance, and how fast."""

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value != "*":
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError(
                    f'{value} is not an IP address; write one of the node\'s, or "*" for all'
                ) from None
        return value

    @field_validator("keys_file")
    @classmethod
    def _is_yaml_file(cls, value: str) -> str:
        if not re.fullmatch(r"[^\s]+\.ya?ml", value) or ".." in value.split("/"):
            raise ValueError(
                f"{value} is not the path of a YAML file; write one such as keys.yaml, relative to "
                "the project's folder or absolute, without .. in it"
            )
        return value

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.port == self.metrics_port:
            raise ValueError(
                f"port and metrics_port are both {self.port}; metrics are for loopback alone, so "
                "give them another port"
            )
        return self

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.body_seconds >= self.longest_answer_seconds:
            raise ValueError(
                f"body_seconds is {self.body_seconds}, not below longest_answer_seconds "
                f"({self.longest_answer_seconds}); a client that sends slowly would outlast an "
                "answer: lower it"
            )
        return self

    def warnings(self, today: datetime.date) -> tuple[str, ...]:
        """Return what is allowed and unwise; raises FlightlineError for a file that is no good."""
        if self.enabled and self.jwt is not None:
            token_key.public_key(self.jwt.key_file, self.jwt.algorithm)
        if not (self.enabled and self.public):
            return ()
        limited = self.models_of_keys if self.jwt is None else ()  # else they may be of tokens
        of_keys = keys.warnings(project.root() / self.keys_file, limited)
        return (*self._of_memory(), *self.audit_log.warnings(today), *of_keys)

    def _of_memory(self) -> tuple[str, ...]:
        memory_gib = self.max_connections * self.max_request_kib / 1024**2
        if memory_gib <= 16:
            return ()
        return (
            f"{self.max_connections} connections with bodies of {self.max_request_kib} KiB may "
            f"take {memory_gib:.0f} GiB of memory; lower max_connections or max_request_kib where "
            "the engines need it.",
        )
