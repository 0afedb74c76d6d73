"""What cannot be declared, and why it is refused."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from flightline.errors import FlightlineError, NodeRefused, SettingsError
from roles.pki import wanted
from roles.pki.settings import AcmeSettings, FilesSettings, PkiSettings

ACME = AcmeSettings(server_url="https://ca.example.org/acme/acme/directory")
FILES = FilesSettings(certificate="/etc/site/chat.pem", key="/etc/site/chat.key")


def test_the_defaults_touch_nothing() -> None:
    assert not PkiSettings().enabled


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("chat example", "neither a host name"),
        ("chat_1", "neither a host name"),
        ("Chat", "neither a host name"),
        ("*.example.org", "has a wildcard"),
        ("-chat", "neither a host name"),
        ("chat.", "neither a host name"),
        ("a" * 64, "at most 63 characters"),
        (".".join(["a" * 60] * 5), "253 in all"),
        ("192.0.2.300", "ends like an IP address"),
        ("chat';reboot", "neither a host name"),
        ("chät", "neither a host name"),
        ("", "neither a host name"),
    ],
)
def test_a_bad_name_is_refused(name: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        PkiSettings(names=(name,))
    assert repr(name) in refused.value.message


@pytest.mark.parametrize("count", [0, 101])
def test_too_few_or_too_many_names_are_refused(count: int) -> None:
    with pytest.raises(SettingsError, match=rf"names has {count} entries, expected 1 to 100"):
        PkiSettings(names=tuple(f"n{number}" for number in range(count)))


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="names has chat twice; keep one"):
        PkiSettings(names=("chat", "chat"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"valid_hours": 71}, r"expected at least 24 more than renew_hours \(48\)"),
        ({"renew_hours": 73, "valid_hours": 200}, "less than or equal to 72"),
        ({"renew_hours": 0}, "greater than or equal to 1"),
        ({"source": "acme"}, 'source is "acme", but acme is None'),
        ({"source": "files"}, 'source is "files", but files is None'),
        ({"acme": ACME}, 'acme is set, but source is "internal"'),
        ({"files": FILES}, 'files is set, but source is "internal"'),
        ({"source": "acme", "acme": ACME}, "but root_file is None"),
        ({"authority_folder": ""}, "authority_folder is ''"),
        ({"root_file": "root.pem"}, 'root_file is set, but source is "internal"'),
        (
            {"source": "acme", "acme": ACME, "root_file": "r.pem", "names": ("192.0.2.7",)},
            "names has 192.0.2.7, but certbot asks for host names alone",
        ),
        ({"key_type": "dsa"}, "key_type"),
        ({"source": "letsencrypt"}, "source"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        PkiSettings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"server_url": "http://ca.example.org"},
        {"server_url": "https://ca.example.org/'"},
        {"server_url": "https://ca.example.org", "email": "nobody"},
        {"server_url": "https://ca.example.org", "webroot": "relative"},
        {"server_url": "https://ca.example.org", "http_port": 0},
        {"server_url": "https://ca.example.org", "account_file": "/etc/a b"},
    ],
)
def test_a_wrong_acme_authority_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        AcmeSettings(**values)


@pytest.mark.parametrize("path", ["chat.pem", "/etc/it's", "/etc/$(reboot)", "/etc/site/"])
def test_a_wrong_path_is_refused(path: str) -> None:
    with pytest.raises(SettingsError):
        FilesSettings(certificate=path, key="/etc/site/chat.key")


def test_a_root_that_is_not_there_is_refused_before_any_connection(bare_project: Path) -> None:
    declared = PkiSettings(enabled=True, source="acme", acme=ACME, root_file="root.pem")
    with pytest.raises(FlightlineError, match=r"root\.pem cannot be read .*PkiSettings\.root_file"):
        declared.warnings(datetime.date(2026, 11, 21))
    (bare_project / "root.pem").touch()
    assert declared.warnings(datetime.date(2026, 11, 21)) == ()


def test_the_sites_own_key_is_warned_of(bare_project: Path) -> None:
    (bare_project / "root.pem").touch()
    declared = PkiSettings(enabled=True, source="files", files=FILES, root_file="root.pem")
    (warning,) = declared.warnings(datetime.date(2026, 11, 21))
    assert "every 72 hours" in warning


def test_the_inventorys_name_and_addresses_are_written_in_one_way() -> None:
    declared = PkiSettings(names=("{node}", "{node}.example.org", "2001:DB8:0::1"))
    assert wanted.gateway_names(declared, "gpu-01") == (
        *("gpu-01", "gpu-01.example.org", "2001:db8::1"),
    )
    assert wanted.node_names("gpu-01", "10.0.0.7") == ("gpu-01", "10.0.0.7")
    assert wanted.node_names("gpu-01", None) == ("gpu-01",)


@pytest.mark.parametrize(
    ("node", "address", "told"),
    [
        ("gpu-01", "10.0.0.7:443", "serving_address, 10.0.0.7:443, is neither"),
        ("gpu-01", "not an address", "serving_address"),
        ("a" * 60 + ".example", None, "expected at most 64"),
    ],
)
def test_a_node_without_a_usable_name_is_refused(node: str, address: str | None, told: str) -> None:
    with pytest.raises(NodeRefused, match=told):
        wanted.refuse_names(PkiSettings(), node, address)


def test_an_address_as_a_nodes_name_is_refused_for_certbot() -> None:
    declared = PkiSettings(source="acme", acme=ACME, root_file="root.pem")
    with pytest.raises(NodeRefused, match=r"192\.0\.2\.7 is an address, but certbot"):
        wanted.refuse_names(declared, "192.0.2.7", None)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_root_that_is_not_in_the_project_is_refused(tmp_path: Any, content: str | None) -> None:
    path = tmp_path / "root.pem"
    if content is not None:
        path.write_text(content)
    declared = PkiSettings(source="acme", acme=ACME, root_file=str(path))
    with pytest.raises(Exception, match=r"root\.pem .*(root_file|no PEM certificate)"):
        wanted.gateway_root(declared)


def test_a_path_on_the_node_is_written_out() -> None:
    with pytest.raises(SettingsError, match=r"FilesSettings.certificate: .* has a part '\.\.'"):
        FilesSettings(certificate="/etc/site/../chat.pem", key="/etc/site/chat.key")
