"""How much a key may ask: rates, quotas, concurrency, expiry."""

from __future__ import annotations

import threading
import time

from tests.gateway.client import KEY, Answer, entry, free_port
from tests.gateway.conftest import Make, upstream
from tests.gateway.rig import Rig

OTHER = "fl-key-of-bob"


def statuses(rig: Rig, count: int, key: str = KEY) -> list[int]:
    return [rig.ask("GET", "/v1/models", key=key).status for _ in range(count)]


def test_a_key_has_its_own_rate_and_others_have_the_default(make: Make) -> None:
    rig = make(requests_per_minute=8)
    rig.keys(entry(KEY, "data_scientist", "ada", 5), entry(OTHER, "data_scientist", "bob"))
    rig.reload()
    assert statuses(rig, 7) == [200] * 5 + [429] * 2
    assert statuses(rig, 9, OTHER) == [200] * 8 + [429]
    answer = rig.ask("GET", "/v1/models")
    assert answer.code == "rate_limit"
    assert answer.json["error"]["type"] == "rate_limit_error"
    assert 0 < int(answer.headers["retry-after"]) <= 60


def test_a_key_may_have_more_than_the_default(make: Make) -> None:
    rig = make(requests_per_minute=2)
    rig.keys(entry(KEY, "data_scientist", "ada", 6))
    rig.reload()
    assert statuses(rig, 7) == [200] * 6 + [429]


def test_a_day_has_a_quota(make: Make) -> None:
    rig = make(requests_per_day=3)
    rig.keys(entry(KEY, "data_scientist", "ada"), entry(OTHER, "data_scientist", "bob", None, 5))
    rig.reload()
    assert statuses(rig, 4) == [200] * 3 + [429]
    assert statuses(rig, 6, OTHER) == [200] * 5 + [429]
    answer = rig.ask("GET", "/v1/models")
    assert answer.code == "quota"
    assert int(answer.headers["retry-after"]) >= 3600


def test_refused_requests_do_not_count(make: Make) -> None:
    rig = make(requests_per_minute=3)
    assert statuses(rig, 20)[3:] == [429] * 17
    counted = rig.ctl("show table per_minute")
    assert "http_req_rate(60000)=3" in counted


def test_a_key_runs_so_many_requests_at_once(make: Make) -> None:
    rig = make(concurrent_requests=3)
    answers: list[Answer] = []
    clients = [
        threading.Thread(target=lambda: answers.append(rig.chat(sleep=1.5))) for _ in range(5)
    ]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert sorted(each.status for each in answers) == [200] * 3 + [429] * 2
    assert rig.chat().status == 200


def test_a_key_ends_when_it_says(make: Make) -> None:
    rig = make()
    rig.keys(entry(KEY, "data_scientist", "ada", None, None, int(time.time()) + 3))
    rig.reload()
    assert rig.chat().status == 200
    time.sleep(3)
    answer = rig.chat()
    assert (answer.status, answer.code) == (401, "expired_api_key")


def test_counters_survive_a_reload(make: Make) -> None:
    rig = make(requests_per_minute=4, requests_per_day=1000)
    # HAProxy hands its tables on from ten seconds after its start: two waits of five for peers
    # that might have some (haproxy 2.6, peers.c, PEER_RESYNC_TIMEOUT)
    time.sleep(11)
    assert statuses(rig, 3) == [200] * 3
    rig.reload()
    time.sleep(0.5)
    assert statuses(rig, 2) == [200, 429]


def test_a_key_may_be_held_to_some_models(make: Make) -> None:
    behind = (upstream(free_port()), upstream(free_port(), service="code", aliases=("coder",)))
    rig = make(upstreams=behind, models_of_keys={"ada": ("code",)})
    rig.keys(entry(KEY, "data_scientist", "ada"), entry(OTHER, "data_scientist", "bob"))
    rig.reload()
    rig.up(2)
    assert (rig.chat("chat").status, rig.chat("coder").status) == (404, 200)
    assert (rig.chat("chat", OTHER).status, rig.chat("code", OTHER).status) == (200, 200)
    listed = [each["id"] for each in rig.ask("GET", "/v1/models").json["data"]]
    assert listed == ["code", "coder"]
