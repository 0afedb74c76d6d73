"""The kernel's facts: command and understanding, as data under cases/."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyinfra_testing.facts import make_fact_tests

from flightline.facts.cmdline import missing, parse_cmdlines
from flightline.facts.sysctl import parse_sysctls

CASES = Path(__file__).parent / "cases"

pytestmark = pytest.mark.filterwarnings("ignore:No command set for test")


def _cases(fact: str) -> Any:
    return make_fact_tests("flightline.facts", fact, CASES / fact.rpartition(".")[2])


TestKernelCmdlines = _cases("cmdline.KernelCmdlines")
TestHugepageState = _cases("hugepages.HugepageState")
TestPresentModules = _cases("modules.PresentModules")
TestStaleInitramfs = _cases("initramfs.StaleInitramfs")
TestSysctlValues = _cases("sysctl.SysctlValues")

words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)


@given(st.lists(words, min_size=1), st.lists(words, min_size=1))
def test_what_a_line_is_made_of_is_never_missing(before: list[str], after: list[str]) -> None:
    line = " ".join([*before, "iommu=pt", *after])
    assert missing(["iommu=pt"], parse_cmdlines([line])["running"]) == []


def test_an_argument_is_not_found_in_a_longer_one() -> None:
    assert missing(["iommu=pt"], "ro iommu=pt2 xiommu=pt") == ["iommu=pt"]


def test_a_pair_counts_only_side_by_side() -> None:
    pair = "hugepagesz=2M hugepages=64"
    assert missing([pair], "hugepagesz=2M ro hugepages=64") == [pair]


@given(st.dictionaries(words, st.lists(words, max_size=3)))
def test_sysctls_come_back_as_they_were_written(values: dict[str, list[str]]) -> None:
    lines = [f"{key} = " + "\t".join(value) for key, value in values.items()]
    assert parse_sysctls(lines) == {key: " ".join(value) for key, value in values.items()}
