"""The audit log's files as they land, read by the programs that will read them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.operations.bundle import File
from roles.gateway import audit_files
from roles.gateway.log_settings import AuditLogSettings, SiemSettings
from tests.gateway_log.programs import Authority

PLUGINS = (*Path("/usr/lib").glob("*/rsyslog"), Path("/usr/lib64/rsyslog"))


def has_plugin(name: str) -> bool:
    return any((folder / f"{name}.so").exists() for folder in PLUGINS)


def files(settings: AuditLogSettings) -> dict[str, File]:
    return {each.path: each for each in audit_files.items(settings) if isinstance(each, File)}


def validated(file: File, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the file's validation as a bundle does."""
    staged = folder / Path(file.path).name
    staged.write_text(file.content)
    assert file.validate
    command = file.validate.replace("{staged}", '"$staged"')
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, cwd="/",
        env={**os.environ, "staged": str(staged)},
    )  # fmt: skip


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def siem(authority: Authority, **fields: object) -> AuditLogSettings:
    own = str(authority.issue("node"))
    values = {
        "host": "siem.example.org",
        "ca_file": str(authority.ca),
        "permitted_peers": ("a", "b"),
    }
    both = {"certificate_file": own, "key_file": own}
    return AuditLogSettings(siem=SiemSettings(**{**values, **both, **fields}))


@pytest.mark.parametrize(
    "fields", [None, {"tls_library": "gtls"}, {"tls_library": "ossl"}, {"protocol": "relp"}]
)
def test_rsyslogd_reads_the_collectors_configuration(
    fields: dict[str, object] | None, authority: Authority, tmp_path: Path
) -> None:
    if not shutil.which("rsyslogd", path="/usr/sbin:/usr/bin"):
        pytest.skip("rsyslogd is not installed; `make setup` installs it")
    if fields == {"protocol": "relp"} and not has_plugin("omrelp"):
        pytest.skip("rsyslog-relp is not installed; `make setup` installs it")
    settings = AuditLogSettings() if fields is None else siem(authority, **fields)
    done = validated(files(settings)[audit_files.CONFIG], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr


def test_a_missing_authority_stops_the_converge(authority: Authority, tmp_path: Path) -> None:
    if not shutil.which("rsyslogd", path="/usr/sbin:/usr/bin"):
        pytest.skip("rsyslogd is not installed; `make setup` installs it")
    settings = siem(authority, ca_file="/nowhere/ca.pem")
    done = validated(files(settings)[audit_files.CONFIG], tmp_path)
    assert done.returncode != 0
    assert "/nowhere/ca.pem" in done.stderr


def test_logrotate_reads_the_rotation(tmp_path: Path) -> None:
    if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
        pytest.skip("logrotate is not installed; `make setup` installs it")
    done = validated(files(AuditLogSettings(retention_days=365))[audit_files.ROTATE], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    text = files(AuditLogSettings(retention_days=365))[audit_files.ROTATE].content
    assert re.search(r"^    maxage 366$", text, re.MULTILINE)


def test_the_validated_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    if not shutil.which("rsyslogd", path="/usr/sbin:/usr/bin"):
        pytest.skip("rsyslogd is not installed; `make setup` installs it")
    validated(files(AuditLogSettings())[audit_files.CONFIG], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["audit-log.conf"]


def test_systemd_reads_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    units = [path for path in files(AuditLogSettings()) if path.startswith("/etc/systemd/system/")]
    for path in units:
        text = files(AuditLogSettings())[path].content
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        (tmp_path / Path(path).name).write_text(text)
    names = [str(path) for path in tmp_path.iterdir() if "@" not in path.name]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        capture_output=True, text=True, check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "flightline-audit" in line]
    assert not ours, ours


def test_the_index_command_is_one_word_for_the_shell() -> None:
    assert subprocess.run(["sh", "-n", "-c", audit_files.keep_index()], check=False).returncode == 0
    assert shlex.split(audit_files.keep_index())


def test_packages_follow_what_is_declared(authority: Authority) -> None:
    assert audit_files.packages(AuditLogSettings()) == ("rsyslog", "logrotate")
    assert "rsyslog-gnutls" in audit_files.packages(siem(authority))
    assert "rsyslog-openssl" in audit_files.packages(siem(authority, tls_library="ossl"))
    assert "rsyslog-relp" in audit_files.packages(siem(authority, protocol="relp"))
