"""What a node is told of its measurements with others."""

from __future__ import annotations

import pytest

from flightline.acceptance.evidence import answer
from flightline.acceptance.judging import judge_pairs
from flightline.acceptance.pairs import Measured, Pair
from flightline.audit.backend import AnsweredBackend, fresh_host
from flightline.audit.check import NotApplicable, Unknown

LABEL, RAIL = "flightline: test between nodes", "mlx5_0"


def judged(node: str, nodes: list[str], *measured: Measured) -> None:
    known = {LABEL: answer(LABEL, node, nodes, measured)}
    host = fresh_host(AnsweredBackend(node, known))
    judge_pairs(host, LABEL, "Gb/s", nothing="the node has no compute port")


def of(server: str, client: str, rate: float | None, **more: str) -> Measured:
    return Measured(Pair(server, client), RAIL, rate, 360.0, **more)


def test_a_sound_node_passes() -> None:
    judged("a", ["a", "b"], of("a", "b", 391.0))


def test_a_slow_port_is_named_with_figure_peer_and_floor() -> None:
    measured = of("a", "b", 91.0), of("c", "d", 391.0), of("c", "a", 92.0), of("d", "b", 391.0)
    with pytest.raises(AssertionError) as said:
        judged("a", ["a", "b", "c", "d"], *measured)
    assert str(said.value) == (
        "mlx5_0 to b reached 91.0 Gb/s, expected at least 360; it is slow with a sound partner too."
    )
    judged("b", ["a", "b", "c", "d"], *measured)


def test_a_dead_port_is_told_of_its_own_node_alone() -> None:
    dead = of("a", "b", None, problem="b has no active port on mlx5_0", culprit="b")
    with pytest.raises(AssertionError, match="mlx5_0 to a did not run"):
        judged("b", ["a", "b"], dead)
    with pytest.raises(Unknown, match="mlx5_0 was not measured: b has no active port"):
        judged("a", ["a", "b"], dead)


def test_a_node_without_the_hardware_is_not_concerned() -> None:
    with pytest.raises(NotApplicable, match="no compute port"):
        judged("c", ["a", "b"], of("a", "b", 391.0))


def test_a_node_without_a_partner_is_unknown() -> None:
    with pytest.raises(Unknown, match="a pair needs two"):
        judged("a", ["a"])
