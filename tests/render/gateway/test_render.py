"""The gateway's files, read by the programs that will read them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from flightline.operations.bundle import File
from flightline.serving import layout
from flightline.serving.upstreams import Upstream
from roles.gateway import evidence, files
from roles.gateway.config import config
from roles.gateway.settings import GatewaySettings, JwtSettings
from tests.gateway.rig import prepared

OWN = Upstream("n1", "10.0.0.1", "chat", "chat", ("gpt", "org/gpt"), 8001, 9001, "/health")
OTHER = Upstream("n2", "10.0.0.2", "chat", "chat", (), 8001, 9001, "/health")
JWT = JwtSettings(algorithm="ES256", key_file="idp.pem", issuer="https://i", audience="a")

CASES = {
    "plain": (GatewaySettings(enabled=True), None, (OWN,)),
    "empty": (GatewaySettings(enabled=True), None, ()),
    "fleet": (GatewaySettings(enabled=True), "10.0.0.1", (OWN, OTHER)),
    "inner": (GatewaySettings(enabled=True, public=False), "10.0.0.1", (OWN, OTHER)),
    "all": (
        GatewaySettings(
            enabled=True, address="127.0.0.1", requests_per_day=9, jwt=JWT, peers=("n2", "n3"),
            models_of_keys={"ada": ("chat",)}, balance="leastconn", max_request_kib=65_536,
        ),
        "10.0.0.1",
        (OWN, OTHER),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_haproxy_reads_the_configuration_without_a_warning(name: str, tmp_path: Path) -> None:
    settings, address, upstreams = CASES[name]
    rig = prepared(tmp_path, settings, upstreams, address=address)
    command = ["openssl", "pkey", "-in", str(rig.pki / "node.pem"), "-pubout"]
    public = subprocess.run(command, check=True, capture_output=True).stdout
    (tmp_path / "etc" / "jwt.pem").write_bytes(public)
    # as gateway-ctl saves it on a node without servers
    rig.state.write_text("1\n# be_id be_name srv_id srv_name\n")
    done = subprocess.run(
        ["haproxy", "-c", "-f", tmp_path / "etc" / "haproxy.cfg"],
        check=False, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[WARNING]" not in done.stderr, done.stderr
    assert "[ALERT]" not in done.stderr


@pytest.mark.parametrize("name", CASES)
def test_what_a_person_reads_is_in_lines(name: str) -> None:
    settings, address, upstreams = CASES[name]
    text = config(settings, "n1", address, upstreams)
    assert text.startswith("# Managed by Flightline (role gateway): edits are lost.\n")
    assert "\n\n\n\n" not in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def unit(tmp_path: Path) -> Path:
    items = files.items(GatewaySettings(enabled=True), "n1", None, (OWN,))
    text = next(
        each.content for each in items if isinstance(each, File) and each.path == files.UNIT
    )
    path = tmp_path / layout.GATEWAY_UNIT
    path.write_text(text.replace(layout.GATEWAY_CTL, "/bin/true"))
    return path


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit(tmp_path)],
        check=False, text=True, capture_output=True,
    )  # fmt: skip
    # other units of this computer are none of ours
    assert layout.GATEWAY_UNIT not in done.stderr, done.stderr


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_every_shell_reads_the_programs(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.fail(f"{shell} is needed: see .ci/setup")
    items = files.items(GatewaySettings(enabled=True), "n1", None, (OWN,))
    programs = [each for each in items if isinstance(each, File) and each.mode == "755"]
    texts = [each.content for each in programs]
    texts.append(evidence.script(GatewaySettings(enabled=True)))
    assert len(texts) >= 3
    for text in texts:
        (tmp_path / "program").write_text(text)
        command = [shell, *(["sh"] if shell == "busybox" else []), "-n", str(tmp_path / "program")]
        subprocess.run(command, check=True)


def test_a_staged_configuration_is_validated_with_what_is_staged_beside_it(tmp_path: Path) -> None:
    rig = prepared(tmp_path, GatewaySettings(enabled=True), (OWN,))
    for number, name in enumerate(("haproxy.cfg", "keys.map")):
        (tmp_path / "new" / str(number)).mkdir(parents=True)
        shutil.move(tmp_path / "etc" / name, tmp_path / "new" / str(number) / name)
    staged = tmp_path / "new" / "0" / "haproxy.cfg"
    # the rig's folder stands where the node's would
    command = files._VALIDATE.replace(layout.GATEWAY, str(tmp_path / "etc"))

    def validated() -> int:
        told = command.replace("{staged}", '"$staged"')
        environment = {"staged": str(staged), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(["dash", "-c", told], check=False, env=environment).returncode

    assert validated() == 0
    assert sorted(each.name for each in staged.parent.iterdir()) == ["haproxy.cfg"]
    staged.write_text(staged.read_text() + "nonsense\n")
    assert validated() != 0
    assert rig.node == "n1"
