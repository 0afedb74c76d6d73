from __future__ import annotations

import pytest

from flightline import catalog


# AzNHC and sichek gate on 0.9 of the port rate, read 2026-11-20
@pytest.mark.parametrize(("rate", "floor"), [(200, 180), (400, 360)])
def test_a_port_carries_nine_tenths_of_its_rate(rate: float, floor: float) -> None:
    found = catalog.rdma_floor(rate)
    assert found and (found.value, found.unit) == (floor, "Gb/s")


def test_a_rate_without_published_figures_has_no_floor() -> None:
    assert catalog.rdma_floor(25) is None


def test_of_several_published_floors_the_smallest_holds() -> None:
    found = catalog.collective_floor("b200", 2)
    assert found and found.value == 250  # Google's, on a slower fabric than Oracle's 440


def test_an_unpublished_size_has_no_floor() -> None:
    assert catalog.collective_floor("b200", 64) is None


def test_collectives_are_of_gpus_in_the_catalog() -> None:
    for each in catalog.collectives():
        assert catalog.gpu(each.gpu).id == each.gpu
        assert each.floor.unit == "GB/s"
