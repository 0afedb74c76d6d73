"""The prompt of acceptance, asked as on a node: HAProxy with the role's configuration, and curl."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightline.serving.upstreams import Upstream
from roles.gateway import prompt_checks
from roles.gateway.log_settings import PromptSettings
from roles.gateway.settings import GatewaySettings
from tests.gateway.rig import NODE, Rig, free_port, prepared

MODELS = ("chat", "slow", "cut", "broken")
PROMPT = PromptSettings(max_tokens=20, timeout_seconds=20, text="Say \"one\" 100% 'true' \\ $HOME")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    if not (shutil.which("haproxy") and shutil.which("curl") and shutil.which("socat")):
        pytest.skip("haproxy, curl or socat is not installed; `make setup` installs them")
    folder = Path(tempfile.mkdtemp(prefix="fl-prompt-", dir="/tmp"))  # sockets' paths are short
    port = free_port()
    settings = GatewaySettings(
        enabled=True, port=free_port(), metrics_port=free_port(), address="127.0.0.1", prompt=PROMPT
    )
    behind = tuple(Upstream(NODE, None, name, name, (), port, None, "/health") for name in MODELS)
    made = prepared(folder, settings, behind)
    shutil.copy(made.pki / "gateway.pem.crt", made.pki / "root.pem")
    command = [sys.executable, str(Path(__file__).with_name("chat_engine.py")), str(port)]
    made.engines[port] = subprocess.Popen(command)
    made.start()
    made.up(len(MODELS))
    yield made
    made.close()
    shutil.rmtree(folder)


def asked(rig: Rig, script: str | None = None) -> str:
    text = script or prompt_checks.script(rig.settings)
    return subprocess.run(
        ["sh", "-c", rig.moved(text)], capture_output=True, text=True, timeout=120, check=False
    ).stdout


def live_keys(rig: Rig) -> str:
    return rig.ctl(f"show map {rig.folder}/etc/keys.map")


def test_every_model_is_asked_and_measured(rig: Rig) -> None:
    before = live_keys(rig)
    answers = {each.model: each for each in prompt_checks.parse(asked(rig))}
    assert set(answers) == set(MODELS)
    chat, slow = answers["chat"], answers["slow"]
    assert (chat.status, chat.is_whole) == (200, True)
    assert chat.ttft_seconds is not None and 0.2 <= chat.ttft_seconds < 1
    assert slow.ttft_seconds is not None and 1 <= slow.ttft_seconds < 2
    assert slow.tokens_per_second is not None and 5 < slow.tokens_per_second < 12
    assert chat.tokens_per_second is not None and chat.tokens_per_second > 20
    assert not answers["cut"].is_whole
    assert answers["broken"].status == 500
    assert live_keys(rig) == before


def test_models_that_make_no_text_are_left_out(rig: Rig) -> None:
    prompt = PROMPT.model_copy(update={"except_models": ("slow", "cut", "broken")})
    settings = rig.settings.model_copy(update={"prompt": prompt})
    found = prompt_checks.parse(asked(rig, prompt_checks.script(settings)))
    assert [each.model for each in found] == ["chat"]


def test_the_key_is_in_no_process_list_and_no_log(rig: Rig) -> None:
    rig.logged()
    script = rig.moved(prompt_checks.script(rig.settings))
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        seen = set()
        while process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue
            time.sleep(0.01)
        assert process.stdout
        printed = process.stdout.read()
    keys = re.compile(r"fl-[A-Za-z0-9_-]{43}")
    assert not [each for each in seen if keys.search(each.decode(errors="replace"))]
    assert any(b"curl" in each for each in seen)
    assert not keys.search(printed)
    lines = rig.logged()
    assert {line["who"] for line in lines} == {"flightline-acceptance"}
    assert not keys.search(str(lines))


def test_the_key_is_gone_after_an_interruption(rig: Rig) -> None:
    before = live_keys(rig)
    script = rig.moved(prompt_checks.script(rig.settings))
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 10
        while live_keys(rig) == before and time.monotonic() < end:
            time.sleep(0.05)
        assert live_keys(rig) != before
        process.terminate()
        process.wait(30)
    assert live_keys(rig) == before


def test_a_certificate_that_is_not_trusted_ends_the_trial(rig: Rig) -> None:
    root = rig.pki / "root.pem"
    text = root.read_text()
    root.write_text("")
    try:
        with pytest.raises(ValueError, match="certificate"):
            prompt_checks.parse(asked(rig))
    finally:
        root.write_text(text)


def test_a_gateway_that_does_not_run_is_said(rig: Rig) -> None:
    nowhere = prompt_checks.script(rig.settings).replace("admin.sock", "other.sock")
    with pytest.raises(ValueError, match="does not answer on its admin socket"):
        prompt_checks.parse(asked(rig, nowhere))
