"""How large a request may be, however it is sent: tried against a real HAProxy."""

from __future__ import annotations

import subprocess

import pytest

from tests.gateway.client import KEY
from tests.gateway.rig import Rig


def test_a_body_of_the_limit_is_taken(gateway: Rig) -> None:
    most = gateway.settings.max_request_kib * 1024
    head, tail = b'{"model":"chat","x":"', b'"}'
    fits = head + b"x" * (most - len(head) - len(tail)) + tail
    assert gateway.ask("POST", "/v1/completions", fits).json["bytes"] == most


def curl(
    rig: Rig, protocol: str, data: bytes, key: str = KEY, *more: str, path: str = "/v1/completions"
) -> str:
    """Return the status that curl saw; 000 where the answer did not reach it."""
    said = subprocess.run(
        ["curl", "-sk", "-m", "20", protocol, "-o", "/dev/null", "-w", "%{http_code}", *more,
         "-X", "POST", "-H", f"x-api-key: {key}", "-H", "content-type: application/json",
         "-H", "expect:", f"https://127.0.0.1:{rig.port}{path}"],
        check=False, input=data, capture_output=True,
    )  # fmt: skip
    return said.stdout.decode()[-3:]


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
@pytest.mark.parametrize("sent", [("-T", "-"), ("--data-binary", "@-")], ids=["chunked", "known"])
def test_a_body_over_the_limit_is_refused(
    gateway: Rig, protocol: str, sent: tuple[str, str]
) -> None:
    most = gateway.settings.max_request_kib * 1024
    gateway.logged()
    for size, status in ((most, 200), (most + 1, 413), (3 * most, 413)):
        # a client that goes on sending may miss the answer
        seen = curl(gateway, protocol, b'{"model":"chat"}' + b" " * (size - 16), KEY, *sent)
        assert seen in ("000", "413") if status == 413 else seen == "200"
        assert gateway.logged()[-1]["status"] == status


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
def test_a_body_that_names_no_model_has_the_same_limit(gateway: Rig, protocol: str) -> None:
    most = gateway.settings.max_request_kib * 1024
    path, sent = "/v2/models/chat/infer", ("-T", "-")
    assert curl(gateway, protocol, b"x" * most, KEY, *sent, path=path) == "200"
    gateway.logged()
    assert curl(gateway, protocol, b"x" * 3 * most, KEY, *sent, path=path) in ("000", "413")
    assert gateway.logged()[-1]["status"] == 413


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
def test_a_refused_client_sees_why(gateway: Rig, protocol: str) -> None:
    for size in (100, 50_000):
        for _ in range(5):
            data = b'{"model":"chat"}' + b" " * size
            assert curl(gateway, protocol, data, "fl-wrong", "--data-binary", "@-") == "401"
