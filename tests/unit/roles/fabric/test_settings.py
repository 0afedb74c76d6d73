"""Mistakes in the fabric's settings are told in one sentence, with the fix."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.errors import SettingsError
from roles.fabric.settings import DocaSettings, FabricSettings

DOCA = DocaSettings(
    repository_url="https://mirror.example.org/doca/3.2.0/debian12/x86_64",
    key_file="files/doca.asc",
)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"stack": "doca"}, "set doca=DocaSettings("),
        ({"doca": DOCA}, 'set stack="doca" or drop doca'),
        ({"nccl_variables": {"NCCL_DEBUG": "INFO"}}, "debugging variable"),
        ({"nccl_variables": {"NCCL_DEBUG_SUBSYS": "NET"}}, "debugging variable"),
        ({"nccl_variables": {"NCCL_TOPO_FILE": "/x.xml"}}, "topology file"),
        ({"nccl_variables": {"NCCL_IB_HCA": "mlx5_0"}}, "set by excluded_ports and ports"),
        ({"nccl_variables": {"NCCL_ALGO": "Ring\nNCCL_DEBUG=INFO"}}, "nccl_variables"),
        ({"nccl_variables": {"LD_PRELOAD": "/x.so"}}, "nccl_variables"),
        ({"soft_roce_interfaces": ("eth1", "eth1")}, "eth1 twice"),
        ({"soft_roce_interfaces": ("eth1; reboot",)}, "soft_roce_interfaces"),
        ({"soft_roce_interfaces": ("-a",)}, "soft_roce_interfaces"),
        ({"roce_pfc_priorities": (8,)}, "roce_pfc_priorities"),
        ({"interface_mtu_bytes": 100_000}, "interface_mtu_bytes"),
        ({"ports": ("mlx5_0:one",)}, "ports"),
        ({"min_rate": 400}, "no field min_rate"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(values: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as error:
        FabricSettings(**values)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_doca_with_its_repository_is_accepted() -> None:
    assert FabricSettings(stack="doca", doca=DOCA).doca == DOCA


@pytest.mark.parametrize("key", ["/etc/passwd", "files/doca.txt", "https://x/key.asc y"])
def test_a_key_is_a_file_of_the_project(key: str) -> None:
    with pytest.raises(SettingsError):
        DocaSettings(repository_url="https://x.example.org/doca", key_file=key)
