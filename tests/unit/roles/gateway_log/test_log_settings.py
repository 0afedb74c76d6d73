"""What may be declared of audit log and prompt."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flightline.errors import FlightlineError
from roles.gateway.log_settings import AuditLogSettings, PromptSettings, SiemSettings
from roles.gateway.settings import GatewaySettings, JwtSettings

TODAY = datetime.date(2026, 11, 21)
SIEM = {"host": "siem", "ca_file": "/etc/ssl/ca.pem", "permitted_peers": ("siem",)}


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (AuditLogSettings, {"retention_days": 179}, "At least 180"),
        (AuditLogSettings, {"retention_days": 4000}, "retention_days is 4000"),
        (AuditLogSettings, {"rotate_mib": 0}, "rotate_mib is 0"),
        (AuditLogSettings, {"min_free_gib": 0}, "min_free_gib is 0"),
        (AuditLogSettings, {"prompt_bytes": 2000}, "legal basis"),
        (AuditLogSettings, {"prompt_bytes": -1}, "prompt_bytes is -1"),
        (SiemSettings, {**SIEM, "permitted_peers": ()}, "any certificate of the"),
        (SiemSettings, {**SIEM, "permitted_peers": ('a"b',)}, "permitted_peers"),
        (SiemSettings, {**SIEM, "host": 'a" b'}, "host is"),
        (SiemSettings, {**SIEM, "port": 0}, "port is 0"),
        (SiemSettings, {**SIEM, "ca_file": "ca.pem"}, "ca_file is"),
        (SiemSettings, {**SIEM, "ca_file": '/a"b'}, "ca_file is"),
        (SiemSettings, {**SIEM, "protocol": "udp"}, "protocol is 'udp'"),
        (SiemSettings, {**SIEM, "tls_library": "wolf"}, "tls_library is 'wolf'"),
        (SiemSettings, {**SIEM, "queue_gib": 0}, "queue_gib is 0"),
        (SiemSettings, {**SIEM, "certificate_file": "/a"}, "belong together"),
        (SiemSettings, {**SIEM, "key_file": "/a"}, "belong together"),
        (PromptSettings, {"text": ""}, "text is ''"),
        (PromptSettings, {"max_tokens": 1}, "at least 2"),
        (PromptSettings, {"timeout_seconds": 0}, "timeout_seconds is 0"),
        (PromptSettings, {"ttft_max_seconds": 0}, "ttft_max_seconds is 0"),
        (PromptSettings, {"tokens_per_second_min": 0}, "tokens_per_second_min is"),
        (PromptSettings, {"except_models": ("a b",)}, "except_models"),
    ],
)
def test_a_wrong_value_is_refused_with_its_meaning(
    kind: type, values: dict[str, object], said: str
) -> None:
    with pytest.raises(FlightlineError) as refused:
        kind(**values)
    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_the_default_is_six_months_and_no_prompt() -> None:
    declared = AuditLogSettings()
    # the longest six months: 1 July to 1 January, 2 March to 2 September
    six = datetime.date(2027, 1, 1) - datetime.date(2026, 7, 1)
    assert declared.retention_days >= six.days
    assert declared.prompt_bytes == 0


def test_keeping_prompts_is_warned_of() -> None:
    assert not AuditLogSettings().warnings(TODAY)
    (said,) = AuditLogSettings(prompt_bytes=256).warnings(TODAY)
    assert "legal basis" in said


def test_a_gateway_without_keys_is_warned_of(bare_project: Path) -> None:
    (said,) = GatewaySettings(enabled=True).warnings(TODAY)
    assert "keys.yaml is not there" in said
    assert not GatewaySettings(enabled=False).warnings(TODAY)


def test_a_key_of_the_provider_that_is_not_there_is_refused_before_any_connection(
    bare_project: Path,
) -> None:
    jwt = JwtSettings(algorithm="ES256", key_file="idp.pem", issuer="https://idp", audience="llm")
    with pytest.raises(FlightlineError, match=r"idp\.pem cannot be read .*JwtSettings\.key_file"):
        GatewaySettings(enabled=True, jwt=jwt).warnings(TODAY)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (bare_project / "idp.pem").write_bytes(key.public_bytes(serialization.Encoding.PEM, form))
    assert GatewaySettings(enabled=True, jwt=jwt).warnings(TODAY)


def test_a_broken_keys_file_is_refused_before_any_connection(bare_project: Path) -> None:
    (bare_project / "keys.yaml").write_text("schema: other\n")
    with pytest.raises(FlightlineError, match=r"keys\.yaml: its schema is not"):
        GatewaySettings(enabled=True).warnings(TODAY)
