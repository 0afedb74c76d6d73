"""Which mode, by arithmetic that anybody can check."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from flightline.serving.switch import engines, modes
from flightline.serving.switch.engines import Look
from flightline.serving.switch.modes import Wish
from flightline.serving.switch.node import Refused
from flightline.serving.switch.steps import Mode
from flightline.serving.switch.targets import Gateway, Service, Targets
from flightline.serving.upstreams import Upstream

GIB = 1024 * 1024
LOOK = Look("", {}, 10 * GIB, 5 * GIB, has_image=True, has_version=True)


def service(node: str = "n1", **fields: Any) -> Service:
    engine = SimpleNamespace(engine="vllm", gpus=(), nodes=(), memory_utilization=None)
    vars(engine).update(fields)
    return Service(Upstream(node, None, "chat", "m", (), 9000, None, "/h"), "", engine)


def decided(look: Look, wish: Wish, *services: Service) -> modes.Decision:
    keys = tuple(each.key for each in services)
    found = Targets("m", "/srv/models", services, (Gateway("g", "https://g", keys),))
    return modes.decide(found, services, dict.fromkeys(keys, look), wish)


def test_both_fit_in_memory_side_by_side() -> None:
    decision = decided(LOOK, Wish(), service())
    assert decision.mode is Mode.SIDE_BY_SIDE
    sums = "5.0 GiB of weights x 1.2 + 0.5 GiB = 6.5 GiB needed, 10.0 GiB available"
    assert sums in decision.why[0]


def test_two_services_take_turns_where_they_do_not_fit() -> None:
    look = replace(LOOK, memory_kib=6 * GIB)
    assert decided(look, Wish(), service("n1"), service("n2")).mode is Mode.NODE_BY_NODE


def test_one_service_needs_a_downtime_that_must_be_asked_for() -> None:
    look = replace(LOOK, memory_kib=6 * GIB)
    with pytest.raises(Refused, match=r"6\.5 GiB needed, 6\.0 GiB available; the gateway on g has"):
        decided(look, Wish(), service())
    assert decided(look, Wish(downtime=True), service()).mode is Mode.DOWNTIME


def test_node_by_node_may_be_asked_for() -> None:
    decision = decided(LOOK, Wish(node_by_node=True), service("n1"), service("n2"))
    assert decision.mode is Mode.NODE_BY_NODE


@pytest.mark.parametrize(
    ("share", "free", "fits", "said"),
    [
        (None, 70_000, False, "memory_utilization of at most 0.49"),  # the planner: 2 x 0.92
        (0.45, 43_000, True, "0.45 of 80.0 GiB = 36.0 GiB needed, 42.0 GiB free"),
        (0.45, 30_000, False, "does not fit on GPU 1"),
    ],
)
def test_a_gpu_must_have_room_by_the_plan_and_by_what_is_free(
    share: float | None, free: int, fits: bool, said: str
) -> None:
    look = replace(LOOK, gpus={0: (81_920, 60_000), 1: (81_920, free)})
    found = modes.beside(service(gpus=(0, 1), memory_utilization=share), look)
    assert found[0] is fits
    assert said in found[1] or fits


def test_a_gpu_that_nobody_measured_is_no_promise() -> None:
    found = modes.beside(service(gpus=(0,), memory_utilization=0.4), LOOK)
    assert found == (False, "n1: nvidia-smi does not tell the memory of GPU 0")


def test_llama_takes_what_the_weights_need() -> None:
    look = replace(LOOK, gpus={0: (81_920, 8_000)})
    assert modes.beside(service(engine="llamacpp", gpus=(0,)), look)[0]


@pytest.mark.parametrize(
    ("kind", "share", "size", "fits", "said"),
    [
        # of 80 GiB: 132 / 2 of weights, 2.5 of overhead, 0.45 of the rest
        ("tensorrt_llm", 0.45, 132, False, "0.917 of 80.0 GiB = 73.3 GiB needed, 42.0 GiB free"),
        ("tensorrt_llm", 0.2, 16, True, "0.303 of 80.0 GiB = 24.2 GiB needed"),
        ("sglang", 0.45, 16, True, "0.481 of 80.0 GiB = 38.5 GiB needed"),
        ("sglang", 0.5, 16, False, "0.531 of 80.0 GiB = 42.5 GiB needed"),
    ],
)
def test_a_share_of_something_else_is_counted_as_what_it_takes(
    *, kind: str, share: float, size: int, fits: bool, said: str
) -> None:
    look = replace(LOOK, size_kib=size * GIB, gpus=dict.fromkeys((0, 1), (81_920, 43_008)))
    found = modes.beside(service(engine=kind, gpus=(0, 1), memory_utilization=share), look)
    assert found[0] is fits
    assert said in found[1]


def test_a_version_that_is_up_already_needs_no_room() -> None:
    assert modes.beside(service(), replace(LOOK, memory_kib=0, is_up=True))[0]


def test_a_node_is_looked_at_in_one_command() -> None:
    text = (
        "unit-a active\nunit-b inactive\nmemory 1000\nversion yes\nsize 77\nimage\n"
        "gpu 0 81920 4000\ngpu 1 81920 [N/A]\nstate\n{\n}\n"
    )
    look = engines.parse_look(text)
    assert (look.units["a"], look.memory_kib, look.size_kib) == ("active", 1000, 77)
    assert (look.has_image, look.has_version, look.state) == (True, True, "{\n}\n")
    assert look.gpus == {0: (81920, 4000)}
    bare = engines.parse_look("unit-a inactive\nunit-b inactive\nsize\nstate\n")
    assert (bare.has_image, bare.has_version, bare.size_kib, bare.state) == (False, False, 0, "")


def test_a_standby_of_a_third_version_leaves_its_room_on_a_gpu() -> None:
    look = replace(LOOK, gpus={0: (81_920, 4_000)}, has_standby=True)
    assert modes.beside(service(gpus=(0,), memory_utilization=0.45), look)[0]
    assert not modes.beside(service(gpus=(0,), memory_utilization=0.6), look)[0]


def test_memory_that_a_standby_takes_is_no_promise() -> None:
    fits, said = modes.beside(service(), replace(LOOK, memory_kib=GIB, has_standby=True))
    assert (fits, said.endswith("--retire frees what its standby takes")) == (False, True)
