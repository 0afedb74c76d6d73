"""A service's state survives its file, and a file that is none is told in one sentence."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.errors import FlightlineError
from flightline.serving import state
from flightline.serving.state import ServiceState, Switching

VERSIONS = st.one_of(
    st.none(), st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)
)
SWITCHINGS = st.one_of(
    st.none(),
    st.builds(
        Switching,
        to=st.sampled_from(["2", "b", "active"]),
        mode=st.sampled_from(["side-by-side", "downtime"]),
        step=st.sampled_from(["begin", "canary-10"]),
        weight=st.integers(0, 100),
    ),
)
STATES = st.builds(
    ServiceState,
    model=st.sampled_from(["tiny", "a", "b"]),
    active=st.sampled_from(["a", "b"]),
    a=VERSIONS,
    b=VERSIONS,
    switching=SWITCHINGS,
)


@given(STATES)
def test_a_state_survives_its_file(held: ServiceState) -> None:
    assert state.loads(state.dumps(held), "x") == held


@given(STATES)
def test_a_slots_version_is_on_a_line_of_its_own_as_the_node_reads_it(held: ServiceState) -> None:
    """engine-run and engine-slot read the file with these patterns: keep them true."""
    for letter in ("a", "b"):
        lines = re.findall(
            rf'^ "{letter}": "([A-Za-z0-9._-]*)",?$', state.dumps(held), re.MULTILINE
        )
        version = held.a if letter == "a" else held.b
        assert lines == ([] if version is None else [version])


def test_the_other_slot_is_the_standby() -> None:
    held = ServiceState(model="tiny", active="b", a="1", b="2")
    assert (held.serving, held.standby) == ("2", "1")


def test_a_fresh_service_serves_from_slot_a() -> None:
    assert state.fresh("tiny", "7").serving == "7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"schema": "flightline.serving/2"}',
        '{"schema": "flightline.serving/1"}',
    ],
)
def test_anything_else_is_told_with_its_path(text: str) -> None:
    with pytest.raises(FlightlineError, match=r"^/var/x\.json is not a service's state"):
        state.loads(text, "/var/x.json")
