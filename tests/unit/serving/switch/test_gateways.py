"""HAProxy's answers, as 2.6.12 gave them (run 2026-11-21)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.serving.switch import gateways
from flightline.serving.switch.gateways import Counters

STAT = """\
# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,act,bck,lbtot,cli_abrt,srv_abrt,hrsp_5xx,rtime
clients,FRONTEND,,,5,7,100,900,1,2,0,0,0,,,,,OPEN,,,,,,,3,
model.tiny,node-1.chat-a,1,2,3,4,,500,1,2,,0,,0,0,0,0,UP,90,1,0,450,2,0,1,48
model.tiny,node-1.chat-b,0,0,0,1,,50,1,2,,0,,1,2,3,0,DOWN,10,1,0,50,0,1,4,52
model.tiny,BACKEND,0,1,3,4,10,550,1,2,0,0,,1,2,3,0,UP,100,2,0,500,2,1,5,50
grpc.tiny,node-1.chat-a,0,0,2,2,,7,1,2,,0,,0,0,0,0,UP,90,1,0,7,0,0,0,0
model.other,node-1.chat-a,0,0,9,9,,9,1,2,,0,,0,0,0,0,UP,90,1,0,9,0,0,0,0
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 model.tiny 1 node-1.chat-a 127.0.0.1 2 0 90 100 1 15 3 3 6 0 0 0 - 18001 - 0 0 - - 0
3 model.tiny 2 node-1.chat-b 127.0.0.1 0 0 10 0 1 8 2 0 6 0 0 0 - 18002 - 0 0 - - 0
"""  # noqa: E501 - as HAProxy prints it


def test_health_weight_and_requests_at_work_are_read() -> None:
    seen = gateways.parse(STAT, "tiny")
    assert set(seen) == {"node-1.chat-a", "node-1.chat-b"}
    a, b = seen["node-1.chat-a"], seen["node-1.chat-b"]
    assert (a.is_up, a.weight, a.response_ms) == (True, 90, 48)
    assert (b.is_up, b.weight, b.status, b.takes_requests) == (False, 10, "DOWN", False)


def test_a_request_over_grpc_is_at_work_too() -> None:
    assert gateways.parse(STAT, "tiny")["node-1.chat-a"].at_work == 3 + 1 + 2


def test_each_failed_request_of_a_server_is_counted() -> None:
    b = gateways.parse(STAT, "tiny")["node-1.chat-b"].counters
    assert b == Counters(requests=50, errors=4 + 1 + 3 + 2, aborts=0)


@pytest.mark.parametrize(
    ("bits", "is_up"), [("0", True), ("1", False), ("8", False), ("32", False)]
)
def test_a_server_that_a_person_took_out_is_not_up(bits: str, is_up: bool) -> None:
    text = STAT.replace("node-1.chat-a 127.0.0.1 2 0 90", f"node-1.chat-a 127.0.0.1 2 {bits} 90")
    assert gateways.parse(text, "tiny")["node-1.chat-a"].is_up is is_up


def test_a_gateway_without_the_model_has_no_servers() -> None:
    assert gateways.parse(STAT, "unknown") == {}


@pytest.mark.parametrize("text", ["", "gateway-ctl: the gateway does not answer", STAT[:200]])
def test_an_answer_that_is_cut_short_is_no_answer(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        gateways.parse(text, "tiny")


def test_weights_are_set_in_one_call_in_the_order_given() -> None:
    assert gateways.set_weights("tiny", (("n.c-b", 10), ("n.c-a", 90))) == (
        "/usr/local/lib/flightline/gateway-ctl 'set server model.tiny/n.c-b weight 10' "
        "'set server model.tiny/n.c-a weight 90'"
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=30))
def test_counts_add_up_over_reloads(spans: list[tuple[int, bool]]) -> None:
    """Each span brings some requests; after some, the gateway is reloaded and counts from 0."""
    shown, before, counted = Counters(), Counters(), Counters()
    for number, is_reloaded in spans:
        start = 0 if is_reloaded else shown.requests
        lost = is_reloaded and number >= shown.requests  # a reload that nobody can see
        shown = Counters(start + number, 0, 0)
        counted = gateways.added(counted, gateways.since(before, shown))
        if lost:
            counted = Counters(counted.requests + before.requests)
        before = shown
    assert counted.requests == sum(number for number, _ in spans)
