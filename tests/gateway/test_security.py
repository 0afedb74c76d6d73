"""What must not get in: tried against a real HAProxy with the role's configuration."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time

import pytest

from flightline.serving import keys
from tests.gateway.client import ADMIN, KEY, entry, send, trusting
from tests.gateway.conftest import Make
from tests.gateway.rig import Rig


def test_a_key_gets_an_answer(gateway: Rig) -> None:
    answer = gateway.chat()
    assert answer.status == 200, answer
    assert answer.json["choices"][0]["message"]["content"] == "hello"


def test_the_engine_never_sees_the_key(gateway: Rig) -> None:
    for header in ({"authorization": f"Bearer {KEY}"}, {"x_api_key": KEY}):
        answer = gateway.ask("POST", "/v1/completions", {"model": "chat"}, None, **header)
        assert answer.status == 200
        assert KEY not in answer.body.decode()
        assert not {"authorization", "x-api-key"} & set(answer.json["headers"])


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer fl-wrong"},
    {"authorization": "Bearer "}, {"authorization": "Basic YTpi"}, {"x_api_key": "fl-wrong"},
    {"authorization": KEY}, {"x_api_key": ""}])  # fmt: skip
def test_without_a_valid_key_there_is_401(gateway: Rig, header: dict[str, str]) -> None:
    answer = gateway.ask("GET", "/v1/models", None, None, **header)
    assert answer.status == 401
    assert answer.code == "invalid_api_key"
    assert answer.headers["www-authenticate"].startswith("Bearer")


PATHS = ["/invocations", "/metrics", "/tokenize", "/detokenize", "/inference/v1/generate", "/",
    "//v1/models", "/v1//models", "/v1/./models", "/v1/../v1/models", "/v1/models/",
    "/%761/models", "/v1%2fmodels", "/v1/%2e%2e/invocations",
    "/v1/chat/completions/../../../invocations",
    "/v1/models/%2e%2e", "/v1/models/..", "/V1/models", "/v1/models;x", "/v1/models%00",
    "/v1/models\\..", "/v2/models/../infer", "/v2/models/chat/infer/", "/pause", "/v1/models/a/b",
    "/server_info", "/scale_elastic_ep", "/admin", "/admin/audit/..", "/v2/repository/index",
    "http://other/metrics", "/v1/load_lora_adapter/x"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", [KEY, ADMIN])
def test_other_paths_are_not_there(gateway: Rig, path: str, key: str) -> None:
    for method in ("GET", "POST"):
        assert gateway.ask(method, path, key=key).status == 404, method


def test_a_path_takes_its_own_method_alone(gateway: Rig) -> None:
    for method, path, allow in (
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/models", "GET"),
        ("PUT", "/v1/embeddings", "POST"),
        ("TRACE", "/v1/models", "GET"),
    ):
        answer = gateway.ask(method, path)
        assert (answer.status, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.3"])
def test_no_change_of_protocol_reaches_an_engine(gateway: Rig, protocol: str) -> None:
    told = {"upgrade": protocol, "connection": "Upgrade, HTTP2-Settings", "http2_settings": "AAMA"}
    answer = gateway.ask("POST", "/v1/completions", {"model": "chat"}, **told)
    # HAProxy 3.0 takes h2c out of a request by itself
    assert answer.status == 400 or "upgrade" not in answer.json["headers"]


def test_a_role_has_its_own_rights(gateway: Rig) -> None:
    for method, path in (
        ("GET", "/admin/audit"),
        ("POST", "/v2/repository/models/chat/load"),
        ("POST", "/v1/load_lora_adapter"),
    ):
        assert gateway.ask(method, path, key=KEY).status == 403
    loaded = gateway.ask("POST", "/v2/repository/models/chat/load", {}, key=ADMIN)
    assert loaded.status == 200
    assert loaded.json["path"] == "/v2/repository/models/chat/load"
    lora = {"lora_name": "x", "lora_path": "/y"}
    assert gateway.ask("POST", "/v1/load_lora_adapter", lora, ADMIN).status == 400
    assert gateway.ask("POST", "/v1/load_lora_adapter", lora, ADMIN, x_model="chat").status == 200


def test_a_key_of_an_unknown_role_is_none(make: Make) -> None:
    rig = make()
    rig.keys(entry(KEY, "superuser", "eve"))
    rig.reload()
    assert rig.chat().status == 401


def test_two_credentials_are_one_too_many(gateway: Rig) -> None:
    with gateway.connection() as connection:
        connection.putrequest("GET", "/v1/models")
        for key in (KEY, ADMIN):
            connection.putheader("authorization", f"Bearer {key}")
        connection.endheaders()
        assert connection.getresponse().status == 400


def test_tls_1_2_is_refused_and_1_3_is_spoken_with_h2(gateway: Rig) -> None:
    old = trusting()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw, pytest.raises(ssl.SSLError):
        old.wrap_socket(raw)
    new = trusting()
    new.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw, new.wrap_socket(raw) as tls:
        assert (tls.version(), tls.selected_alpn_protocol()) == ("TLSv1.3", "h2")


def test_plain_http_is_refused(gateway: Rig) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
        raw.settimeout(10)
        raw.sendall(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/" not in raw.recv(1000)


def test_large_headers_are_refused(gateway: Rig) -> None:
    assert gateway.ask("GET", "/v1/models", x_large="x" * 33_000).status == 431


def test_only_json_is_taken(gateway: Rig) -> None:
    form = gateway.ask(
        "POST", "/v1/completions", b'{"model":"chat"}',
        content_type="application/x-www-form-urlencoded",
    )  # fmt: skip
    packed = gateway.ask("POST", "/v1/completions", {"model": "chat"}, content_encoding="gzip")
    assert (form.status, packed.status) == (415, 415)


def test_a_model_is_named_and_known(gateway: Rig) -> None:
    assert gateway.chat("gpt").status == 200
    for unknown in ("gpt-9", "model.chat", 'a"}b\\', "x" * 5000):
        answer = gateway.chat(unknown)
        assert (answer.status, answer.code) == (404, "model_not_found")
        assert unknown[:20] in answer.json["error"]["message"]
    for body in ({}, {"model": 7}, {"nested": {"model": "chat"}}, b"no json", b"[1]", b""):
        assert gateway.ask("POST", "/v1/completions", body).status in (400, 404), body


def test_the_gateway_lists_its_models_itself(gateway: Rig) -> None:
    answer = gateway.ask("GET", "/v1/models")
    assert [each["id"] for each in answer.json["data"]] == ["chat", "gpt"]
    assert gateway.ask("GET", "/v1/models/chat").json["id"] == "chat"
    assert gateway.ask("GET", "/v1/models/other").status == 404


def test_slow_clients_are_ended(make: Make) -> None:
    rig = make(header_seconds=1, body_seconds=1)
    for sent in (
        b"GET /v1/models HTTP/1.1\r\n",
        b"POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-api-key: %s\r\ncontent-length: 99\r\n"
        b"content-type: application/json\r\n\r\n{" % KEY.encode(),
    ):
        with socket.create_connection(("127.0.0.1", rig.port)) as raw:
            tls = trusting().wrap_socket(raw)
            tls.settimeout(6)
            began = time.monotonic()
            tls.sendall(sent)
            assert b"408" in tls.recv(4000).split(b"\r\n")[0]
            assert 0.5 < time.monotonic() - began < 4


def test_metrics_are_on_loopback_alone(make: Make) -> None:
    rig = make(address="*")
    listening = subprocess.check_output(["ss", "-Hltn"], text=True)
    assert f"127.0.0.1:{rig.settings.metrics_port}" in listening
    assert f"*:{rig.settings.metrics_port}" not in listening
    assert f"0.0.0.0:{rig.settings.metrics_port}" not in listening
    with socket.create_connection(("127.0.0.1", rig.settings.metrics_port)) as raw:
        raw.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert b"haproxy_" in raw.makefile("rb").read()


def test_no_secret_and_no_prompt_is_logged(make: Make) -> None:
    rig = make()
    rig.chat(messages=[{"role": "user", "content": "SECRET-PROMPT"}])
    rig.ask("POST", "/v1/completions", {"model": "SECRET"}, "fl-wrong-key", x_api_key=KEY)
    with rig.connection() as connection:
        send(connection, "GET", "/v1/models?api_key=fl-in-query")
    lines = rig.logged()
    written = json.dumps(lines) + rig.said()
    assert len(lines) == 3
    assert lines[0]["who"] == "ada"
    for secret in (KEY, "SECRET-PROMPT", "fl-wrong-key", "fl-in-query"):
        assert secret not in written


def test_a_key_where_it_does_not_belong_is_not_logged(gateway: Rig) -> None:
    key = keys.new_key()
    gateway.logged()
    assert gateway.ask("GET", f"/v1/{key}/x", None).status == 404
    assert gateway.chat(f"my {key}").status == 404
    said = gateway.logged()
    assert [each["path"] for each in said] == ["/v1/fl-/x", "/v1/chat/completions"]
    assert said[1]["model"] == "my fl-"
    assert key not in str(said)


def test_who_asked_what_is_logged(gateway: Rig) -> None:
    gateway.logged()
    answer = gateway.chat()
    gateway.ask("GET", "/metrics")
    line, refused = gateway.logged()
    told = ("who", "role", "auth", "model", "method", "path", "status")
    assert [line[name] for name in told] == [
        "ada", "data_scientist", "key", "chat", "POST", "/v1/chat/completions", 200,
    ]  # fmt: skip
    assert line["server"] == "n1.chat-a"
    assert line["request"] == answer.headers["x-request-id"]
    assert refused["status"] == 404
