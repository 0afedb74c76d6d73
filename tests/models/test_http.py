"""Fetching over HTTP and HTTPS from a real nginx: resumed, verified, refused."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flightline.serving.manifest import Manifest
from tests.models.conftest import Node, model
from tests.models.mirror import Mirror

Weights = Callable[..., tuple[Path, Manifest]]
BIG = 12_000_000


def same(one: Path, other: Path) -> bool:
    done = subprocess.run(["diff", "-r", str(one), str(other)], capture_output=True, check=False)
    return done.returncode == 0


def test_a_version_is_fetched_whole_and_becomes_current(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    folder, made = weights(big=BIG)
    node.declare(model(mirror.start(), made))
    done = node.fetch()
    assert done.returncode == 0, done.stderr
    assert same(folder, node.store / "chat" / "1")
    assert (node.store / "chat" / "current").readlink() == Path("1")
    assert sorted(path.name for path in (node.store / "chat").iterdir()) == ["1", "current"]
    assert node.verify("chat", "1").returncode == 0


def test_a_second_fetch_asks_the_mirror_nothing(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    _, made = weights()
    node.declare(model(mirror.start(), made))
    node.fetch()
    count = len(mirror.sent())
    assert node.fetch().returncode == 0
    assert len(mirror.sent()) == count


def test_a_killed_fetch_is_resumed_where_it_stopped_and_shows_nothing_until_then(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    folder, made = weights(big=BIG)
    node.declare(model(mirror.start("limit_rate 3m;"), made))
    with subprocess.Popen(
        ["dash", str(node.root / "programs" / "model-fetch")],
        env=node.environment,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    ) as process:
        part = node.store / "chat" / ".fetch-1" / "big"
        while not part.exists() or part.stat().st_size < 1_000_000:
            time.sleep(0.05)
        # Not kill(1): procps 4.0.2 takes "-1234" for -1, which is every process of the machine.
        os.killpg(process.pid, signal.SIGKILL)
    kept = part.stat().st_size
    assert 0 < kept < BIG
    assert not (node.store / "chat" / "1").exists()
    assert not (node.store / "chat" / "current").is_symlink()
    mirror.start()
    assert node.fetch().returncode == 0
    assert same(folder, node.store / "chat" / "1")
    last = mirror.sent("GET /chat/1/big")[-1]
    assert (last[2], int(last[3]), last[4]) == ("206", BIG - kept, f'"bytes={kept}-"')


def test_a_mirror_that_dies_in_the_middle_is_asked_for_the_rest(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    folder, made = weights(big=BIG)
    node.declare(model(mirror.start("limit_rate 3m;"), made), attempts=100)
    settings = node.root / "settings"
    settings.write_text(settings.read_text().replace("retry_seconds=0", "retry_seconds=1"))
    with subprocess.Popen(
        ["dash", str(node.root / "programs" / "model-fetch")], env=node.environment
    ) as process:
        part = node.store / "chat" / ".fetch-1" / "big"
        while not part.exists() or part.stat().st_size < 1_000_000:
            time.sleep(0.05)
        mirror.kill()
        mirror.start()
        assert process.wait(timeout=60) == 0
    assert same(folder, node.store / "chat" / "1")
    assert any(line[2] == "206" for line in mirror.sent("GET /chat/1/big"))


def test_a_mirror_without_ranges_is_asked_from_the_beginning(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    folder, made = weights(big=200_000)
    part = node.store / "chat" / ".fetch-1" / "big"
    part.parent.mkdir(parents=True)
    part.write_bytes((folder / "big").read_bytes()[:90_000])
    node.declare(model(mirror.start("max_ranges 0;"), made))
    assert node.fetch().returncode == 0
    assert same(folder, node.store / "chat" / "1")


def test_a_part_of_other_content_does_not_survive(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    folder, made = weights(big=200_000)
    part = node.store / "chat" / ".fetch-1" / "big"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 90_000)
    (part.parent / "stranger").write_text("x")
    (part.parent / "link").symlink_to("/etc/passwd")
    node.declare(model(mirror.start(), made))
    done = node.fetch()
    assert done.returncode == 0, done.stderr
    assert same(folder, node.store / "chat" / "1")
    assert Path("/etc/passwd").is_file()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda file: file.write_bytes(b"y" * file.stat().st_size), "big has sha256"),
        (lambda file: file.write_bytes(file.read_bytes()[:-9]), "big has 199991 bytes"),
        (lambda file: file.write_bytes(file.read_bytes() + b"x" * 9000), "more than the 200000"),
        (lambda file: file.unlink(), "404"),
    ],
)
def test_a_file_that_is_not_the_manifests_is_named_and_nothing_becomes_visible(
    node: Node,
    mirror: Mirror,
    weights: Weights,
    spoil: Callable[[Path], None],
    sentence: str,
) -> None:
    folder, made = weights(big=200_000)
    spoil(folder / "big")
    node.declare(model(mirror.start(), made))
    done = node.fetch()
    assert done.returncode == 1
    assert done.stderr.startswith("chat 1: ")
    assert sentence in done.stderr
    assert "/chat/1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (node.store / "chat" / "1").exists()
    assert not (node.store / "chat" / "current").is_symlink()


def test_a_manifest_other_than_the_declared_one_is_refused(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    folder, made = weights()
    node.declare(model(mirror.start(), made))
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text() + " ")
    done = node.fetch()
    assert done.returncode == 1
    assert f"expected {made.digest}" in done.stderr
    assert not (node.store / "chat" / "1").exists()
    assert [line for line in mirror.sent() if "config.json" in line[1]] == []


def test_one_version_that_fails_does_not_keep_the_other_from_coming(
    node: Node, mirror: Mirror, weights: Weights
) -> None:
    folder, broken = weights(version="1")
    _, whole = weights(version="2")
    (folder / "config.json").unlink()
    node.declare(model(mirror.start(), broken, whole))
    done = node.fetch()
    assert done.returncode == 1
    assert (node.store / "chat" / "2").is_dir()
    assert (node.store / "chat" / "current").readlink() == Path("2")


def test_tls_needs_the_sites_authority(node: Node, mirror: Mirror, weights: Weights) -> None:
    folder, made = weights()
    declared = model(mirror.start(tls=True), made)
    node.declare(declared)
    refused = node.fetch()
    assert refused.returncode == 1
    assert "certificate" in refused.stderr
    node.declare(declared, ca_file=str(mirror.authority))
    assert node.fetch().returncode == 0
    assert same(folder, node.store / "chat" / "1")


def test_a_https_source_is_not_led_to_http(node: Node, mirror: Mirror, weights: Weights) -> None:
    _, made = weights()
    base = mirror.start("return 302 http://127.0.0.1:1/x;", tls=True)
    node.declare(model(base, made), ca_file=str(mirror.authority))
    done = node.fetch()
    assert done.returncode == 1
    assert "rotocol" in done.stderr  # curl: (1) Protocol "http" not supported or disabled


def test_credentials_come_from_files_and_are_not_told(
    node: Node, mirror: Mirror, weights: Weights, tmp_path: Path
) -> None:
    _, made = weights()
    (tmp_path / "users").write_text("reader:{PLAIN}open-sesame\n")
    base = mirror.start(f'auth_basic "models"; auth_basic_user_file {tmp_path}/users;')
    node.declare(model(base, made))
    refused = node.fetch()
    assert refused.returncode == 1
    assert "401" in refused.stderr
    assert "netrc_file" in refused.stderr
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login reader password open-sesame\n")
    node.declare(model(base, made), netrc_file=str(netrc))
    done = node.fetch()
    assert done.returncode == 0
    assert mirror.sent("config.json")[-1][5] == '"reader"'
    told = done.stdout + done.stderr + refused.stderr
    assert "open-sesame" not in told


def test_a_header_is_sent_from_its_file(
    node: Node, mirror: Mirror, weights: Weights, tmp_path: Path
) -> None:
    _, made = weights()
    header = tmp_path / "header"
    header.write_text("Authorization: Bearer of-the-site\n")
    base = mirror.start('if ($http_authorization != "Bearer of-the-site") { return 403; }')
    node.declare(model(base, made))
    assert "403" in node.fetch().stderr
    node.declare(model(base, made), header_file=str(header))
    assert node.fetch().returncode == 0
