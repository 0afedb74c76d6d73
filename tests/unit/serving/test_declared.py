"""Declarations of several roles, as the roles' own settings have them, held against one another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flightline.serving import declared
from roles.gateway.settings import GatewaySettings
from roles.inference.settings import EngineSettings, InferenceSettings
from roles.pki.settings import PkiSettings
from tests.unit.serving.hosts import Host, engine, host, models, only


def test_a_key_s_models_are_served_by_some_engine() -> None:
    def limited(*names: str) -> Host:
        gateway = GatewaySettings(enabled=True, models_of_keys={"ada": names})
        return host("gpu-01", gateway=gateway)

    assert declared.problems([limited("llama-3.1-8b")]) == ()
    assert only(declared.problems([limited("llama-3.1-8b", "lama")])) == (
        "gpu-01: GatewaySettings.models_of_keys lets ada use lama, which no engine serves that "
        "the gateway reaches; they serve llama-3.1-8b: correct the model's name"
    )


def test_a_key_s_models_may_be_on_another_node() -> None:
    gateway = GatewaySettings(enabled=True, models_of_keys={"ada": ("llama-3.1-8b",)})
    front = Host("front", {"gateway": gateway, "pki": PkiSettings(enabled=True)})
    behind = host(serving_address="10.20.0.12")
    assert declared.problems([front], [front, behind]) == ()
    assert "which no engine serves" in only(declared.problems([front], [front, host()]))


def test_what_goes_together_is_accepted() -> None:
    sound = [host("gpu-01"), host("gpu-02")]
    assert declared.problems(sound) == ()
    assert declared.warnings(sound) == ()


def test_nodes_without_serving_have_nothing_to_say() -> None:
    assert declared.problems([Host("a", {}), Host("b", {"inference": InferenceSettings()})]) == ()
    assert declared.warnings([Host("a", {})]) == ()
    assert declared.notes([Host("a", {})]) == ()


def test_settings_of_a_wrong_type_are_told_elsewhere() -> None:
    """A host that was not chosen may be declared wrongly; it is as if it declared nothing."""
    names = ("inference", "models", "gateway", "pki", "nvidia")
    wrong = Host("b", dict.fromkeys(names, "oops"))
    assert declared.problems([host()], [host(), wrong]) == ()
    assert declared.warnings([host()], [host(), wrong]) == ()


def test_an_engine_s_model_must_be_among_the_models() -> None:
    found = only(declared.problems([host(served=("mistral-7b",))]))
    assert found.startswith(
        "gpu-01: chat serves llama-3.1-8b, which is not among ModelsSettings.models (mistral-7b)"
    )


def test_models_and_engines_have_one_store() -> None:
    apart = models("llama-3.1-8b").model_copy(update={"store": "/data/models"})
    found = only(declared.problems([host(models=apart)]))
    assert "InferenceSettings.store is /srv/models, and models are kept in /data/models" in found


@pytest.mark.parametrize(
    ("port", "field"), [(8443, "port"), (8442, "port"), (8405, "metrics_port")]
)
def test_a_slot_s_port_is_not_the_gateway_s(port: int, field: str) -> None:
    found = only(declared.problems([host("gpu-01", engine(port=port))]))
    assert f"is used by the gateway (GatewaySettings.{field}) and by chat, slot" in found


@pytest.mark.parametrize(
    ("kind", "first", "slot"),
    [
        ("triton", 8443, "a"),
        ("triton", 8442, "b"),
        ("fastchat", 8443, "a"),
        ("fastchat", 8441, "a"),
        ("fastchat", 8440, "b"),
    ],
)
def test_a_side_port_is_not_the_gateway_s(kind: str, first: int, slot: str) -> None:
    more: dict[str, Any] = {"grpc_port": 9000, "tokenizer": "t"} if kind == "triton" else {}
    node = host("gpu-01", engine(engine=kind, side_port=first, **more))
    found = only(declared.problems([node]))
    assert found.startswith("gpu-01: port 8443 is used by the gateway (GatewaySettings.port)")
    assert f"and by chat, slot {slot} (side_port)" in found


@pytest.mark.parametrize(("kind", "first"), [("triton", 8441), ("fastchat", 8439)])
def test_side_ports_beside_the_gateway_s_are_free(kind: str, first: int) -> None:
    more: dict[str, Any] = {"grpc_port": 9000, "tokenizer": "t"} if kind == "triton" else {}
    node = host("gpu-01", engine(engine=kind, side_port=first, **more))
    assert declared.problems([node]) == ()


def test_two_slots_do_not_have_one_port() -> None:
    """The role refuses it too; here without its settings, as any inventory may declare them."""
    one, other = engine(), engine("code", port=8200, gpus=(1,))
    fields = {name: getattr(other, name) for name in type(other).model_fields}
    twin = SimpleNamespace(**{**fields, "port": 8101, "leader": None})
    node = host(inference=SimpleNamespace(engines=(one, twin), store="/srv/models"))
    found = only(declared.problems([node]))
    assert "port 8101 is used by chat, slot b (port) and by code, slot a (port)" in found


def test_gpus_are_not_given_twice_by_accident() -> None:
    one, other = engine(), engine("code", port=8200, gpus=(1,))
    fields = {name: getattr(other, name) for name in type(other).model_fields}
    twin = SimpleNamespace(**{**fields, "gpus": (0,), "leader": None})
    node = host(inference=SimpleNamespace(engines=(one, twin), store="/srv/models"))
    assert "GPU 0 is given to chat and to code" in declared.problems([node])[0]


def test_gpus_that_the_node_does_not_have_are_refused() -> None:
    found = only(declared.problems([host("gpu-01", engine(gpus=(6, 7, 8, 9), tensor_parallel=4))]))
    assert found.startswith("gpu-01: chat has GPU 8, 9, but the node's 8 GPUs")
    assert "(NvidiaSettings.gpu_count) are 0 to 7" in found


def test_services_that_share_a_gpu_have_room_together() -> None:
    half: dict[str, Any] = {"share_gpus": True, "memory_utilization": 0.6, "context_tokens": 4096}
    pair = (engine(**half), engine("code", port=8200, **half))
    found = only(declared.problems([host("gpu-01", *pair)]))
    assert "GPU 0 is shared and would be taken 1.2 times (chat 0.6 + code 0.6)" in found
    less = [each.model_copy(update={"memory_utilization": 0.45}) for each in pair]
    assert declared.problems([host("gpu-01", *less)]) == ()


def test_a_gateway_needs_certificates() -> None:
    found = only(declared.problems([host(pki=PkiSettings())]))
    assert "GatewaySettings.enabled without certificates" in found
    assert "PkiSettings(enabled=True)" in found


def test_a_name_means_one_model_in_the_whole_fleet() -> None:
    there = engine(aliases=("default",))
    here = engine(model="mistral-7b", aliases=("default",), context_tokens=4096)
    fleet = [host("gpu-01", there), host("gpu-02", here, served=("mistral-7b",))]
    found = only(declared.problems(fleet))
    assert found.startswith(
        "gpu-02: default means mistral-7b (chat), but llama-3.1-8b elsewhere (gpu-01 chat)"
    )


def test_an_alias_is_not_another_model_s_name() -> None:
    here = engine(model="mistral-7b", aliases=("llama-3.1-8b",), context_tokens=4096)
    fleet = [host("gpu-01"), host("gpu-02", here, served=("mistral-7b",))]
    assert "llama-3.1-8b means mistral-7b (chat)" in only(declared.problems(fleet))


def test_the_same_model_may_be_served_by_many() -> None:
    same = engine(aliases=("default",))
    assert declared.problems([host(name, same) for name in ("gpu-01", "gpu-02", "gpu-03")]) == ()


NO_CLIENTS = GatewaySettings(enabled=True, public=False)


def test_an_engine_behind_another_node_s_gateway_needs_an_address() -> None:
    found = only(declared.problems([host("gw"), host("gpu-02", gateway=NO_CLIENTS)]))
    assert found.startswith("gpu-02: the gateway on gw must reach its engines")
    assert "serving_address" in found
    reached = host("gpu-02", gateway=NO_CLIENTS, serving_address="10.0.0.2")
    assert declared.problems([host("gw"), reached]) == ()


def test_an_engine_behind_another_node_s_gateway_needs_a_door() -> None:
    without = host("gpu-02", gateway=GatewaySettings(), serving_address="10.0.0.2")
    found = only(declared.problems([host("gw"), without]))
    assert "GatewaySettings(enabled=True, public=False)" in found


def test_a_limit_does_not_hide_the_gateway_of_the_fleet() -> None:
    reached = host("gpu-02", gateway=NO_CLIENTS, serving_address="10.0.0.2")
    assert declared.warnings([reached], [host("gw"), reached]) == ()


def test_engines_that_nobody_reaches_are_a_warning() -> None:
    alone = host("gpu-01", gateway=GatewaySettings())
    assert declared.problems([alone]) == ()
    assert "no node of the inventory is a gateway" in only(declared.warnings([alone]))


def spanning(*nodes: str) -> EngineSettings:
    return engine(nodes=nodes, model="llama-3.1-70b", context_tokens=8192)


def test_an_engine_over_nodes_is_declared_on_each_with_an_address() -> None:
    served = ("llama-3.1-70b",)
    leader = host("a", spanning("a", "b"), served=served, serving_address="10.0.0.1")
    assert "spans b, which is no node" in declared.problems([leader])[0]
    other = host("b", engine("code"), gateway=NO_CLIENTS, serving_address="10.0.0.2")
    assert "spans b, which does not declare it" in declared.problems([leader, other])[0]
    without = host("b", spanning("a", "b"), served=served, gateway=NO_CLIENTS)
    assert "spans b, which has no serving_address" in declared.problems([leader, without])[0]
    follower = host(
        "b", spanning("a", "b"), served=served, gateway=NO_CLIENTS, serving_address="10.0.0.2"
    )
    assert declared.problems([leader, follower]) == ()


def test_a_hundred_alike_nodes_say_a_thing_once() -> None:
    fleet = [host(f"gpu-{number:03}", pki=PkiSettings()) for number in range(100)]
    found = only(declared.problems(fleet))
    assert found.startswith("gpu-000, gpu-001, gpu-002 and 97 more: GatewaySettings.enabled")


@pytest.mark.parametrize("address", [5, "", "10.0.0.2 ", "a b", "$(id)"])
def test_a_serving_address_is_an_address(address: object) -> None:
    found = declared.problems([host("gpu-01", serving_address=address)])
    assert found[0].startswith(f"gpu-01: serving_address is {address!r} in the inventory, expected")


@pytest.mark.parametrize("address", ["10.0.0.2", "fd00::2", "::1", "gpu-01.site"])
def test_a_serving_address_may_be_any_kind(address: str) -> None:
    assert declared.problems([host("gpu-01", serving_address=address)]) == ()


def test_a_peer_is_a_gateway_of_the_inventory() -> None:
    peers = GatewaySettings(enabled=True, public=False, peers=("gw", "gww"))
    fleet = [host("gw"), host("gpu-02", gateway=peers, serving_address="10.0.0.2")]
    found = only(declared.problems(fleet))
    assert found == (
        "gpu-02: GatewaySettings.peers names gww, which is no gateway of the inventory; "
        "the gateways are gw, gpu-02"
    )
