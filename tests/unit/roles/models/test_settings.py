"""Every wrong or impossible declaration is refused with its field and the remedy."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from flightline.errors import SettingsError
from roles.models.settings import ModelSettings, ModelsSettings, ModelVersion

SHA = "0" * 64
TODAY = datetime.date(2026, 11, 21)


def version(version: str = "1", source: str = "https://mirror.example.org/chat/1") -> ModelVersion:
    return ModelVersion(version=version, source=source, manifest_sha256=SHA)


def chat(*versions: ModelVersion, **fields: Any) -> ModelSettings:
    return ModelSettings(name="chat", versions=versions or (version(),), **fields)


@pytest.mark.parametrize(
    "source",
    [
        "https://mirror.example.org/models/chat/1",
        "https://mirror.example.org:8443/a/b%20c/1",
        "https://[2001:db8::1]/chat/1",
        "http://10.0.0.1/chat/1",
        "rclone:site:bucket/chat/1",
        "rclone:site:/srv/models/chat/1",
        f"oci://registry.example.org:5000/models/chat@sha256:{SHA}",
        "file:///mnt/usb/chat/1",
    ],
)
def test_a_source_of_each_kind_is_taken(source: str) -> None:
    assert version(source=source).source == source


@pytest.mark.parametrize(
    "source",
    [
        "",
        "https://mirror.example.org",
        "https://user:secret@mirror.example.org/chat/1",
        "https://mirror.example.org/chat/1?signature=secret",
        "https://mirror.example.org/chat 1",
        "https://mirror.example.org/chat/1;id",
        "https://mirror.example.org/../etc",
        "ftp://mirror.example.org/chat/1",
        "rclone:bucket",
        "rclone::s3,access_key_id=x:bucket/chat",
        "oci://registry.example.org/models/chat:1",
        "oci://registry.example.org/models/chat",
        "file://relative/path",
        "file:///mnt/../etc",
        "/srv/models/chat",
    ],
)
def test_a_source_that_is_none_or_holds_a_secret_is_refused(source: str) -> None:
    with pytest.raises(SettingsError, match="source"):
        version(source=source)


@pytest.mark.parametrize("name", ["current", ".hidden", "a/b", "", "x" * 65, "a b"])
def test_a_version_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="version"):
        version(name)


@pytest.mark.parametrize("name", ["Chat", "", "a/b", "a b", "-a"])
def test_a_model_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="name"):
        ModelSettings(name=name, versions=(version(),))


def test_the_same_version_or_model_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="names a version twice"):
        chat(version("1"), version("1"))
    with pytest.raises(SettingsError, match="names a model twice"):
        ModelsSettings(models=(chat(), chat()))


def test_serving_what_is_not_declared_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"serve is 9, .* \(1, 2\)"):
        chat(version("1"), version("2"), serve="9")
    assert chat(version("1"), version("2")).first_served == "2"
    assert chat(version("1"), version("2"), serve="1").first_served == "1"


def test_a_digest_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="manifest_sha256"):
        ModelVersion(version="1", source="https://m.example.org/a", manifest_sha256="A" * 64)


def test_an_rclone_source_needs_a_configuration() -> None:
    declared = (chat(version(source="rclone:site:chat/1")),)
    with pytest.raises(SettingsError, match="rclone_config is None"):
        ModelsSettings(models=declared)
    assert ModelsSettings(models=declared, rclone_config="/etc/rclone.conf").credentials


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("store", "srv/models"),
        ("store", "/srv/../etc"),
        ("store", "/srv/./models"),
        ("store", "/srv/models\n"),
        ("store", "/srv/my models"),
        ("store", "/"),
        ("owner", "Root"),
        ("group", "a b"),
        ("keep_versions", -1),
        ("free_gib_min", -1),
        ("verify", "never"),
        ("readahead_kib", 0),
        ("readahead_kib", 1 << 20),
        ("parallel_files", 0),
        ("parallel_files", 65),
        ("rate_mib_per_second", 0),
        ("attempts", 0),
        ("stall_seconds", 1),
        ("fetch_hours_max", 0),
        ("fetch_hours_max", 200),
        ("proxy", "http://user:secret@proxy:3128"),
        ("proxy", "proxy:3128"),
        ("no_proxy", ("a,b'",)),
        ("ca_file", "ca.pem"),
        ("ca_file", "/etc/ssl/../ca.pem"),
        ("netrc_file", "~/.netrc"),
        ("header_file", "/etc/a b"),
        ("rclone_config", "rclone.conf"),
        ("registry_config", ""),
        ("oras_program", "oras"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(field: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=field):
        ModelsSettings(**{field: value})


def test_credentials_over_plain_http_are_warned_of() -> None:
    plain = (chat(version(source="http://10.0.0.1/chat/1")),)
    said = ModelsSettings(models=plain, netrc_file="/etc/netrc").warnings(TODAY)
    assert "chat 1" in said[0]
    assert ModelsSettings(models=plain).warnings(TODAY) == ()
    assert ModelsSettings(models=(chat(),), netrc_file="/etc/netrc").warnings(TODAY) == ()


@pytest.mark.parametrize("field", ["keep_versions", "free_gib_min", "rate_mib_per_second"])
def test_a_number_beyond_any_site_is_refused(field: str) -> None:
    with pytest.raises(SettingsError, match=f"{field} is 1000000000000: .*less than or equal to"):
        ModelsSettings(**{field: 10**12})
