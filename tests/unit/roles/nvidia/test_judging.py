"""The form of most checks: what is wrong is named, and what is not known never passes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightline.audit.check import NotApplicable, Unknown
from flightline.gpu.reading import Reading, State
from roles.nvidia import judging
from roles.nvidia.boards import Board
from roles.nvidia.judging import conclude, examine

FINE, BAD = Reading("x", State.VALUE, 1, "1"), Reading("x", State.VALUE, 9, "9")
SILENT, GONE = Reading[int]("x", State.NOT_SUPPORTED, raw="N/A"), Reading[int]("x", State.MISSING)
ODD = Reading[int]("x", State.TROUBLE, raw="Unknown Error")


def judged(readings: list[Reading[int]], **proofs: Any) -> str:
    """Outcome, and its sentence, of GPUs with these readings on a node with driver 535."""
    boards = tuple(_board(index, each, len(readings)) for index, each in enumerate(readings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "boards", lambda _host: boards)
        try:
            conclude(examine(None, lambda gpu: gpu.x, _wrong, **proofs))  # type: ignore[attr-defined] # a stand-in
        except AssertionError as failure:
            return f"fail: {failure}"
        except Unknown as why:
            return f"unknown: {why}"
        except NotApplicable as proof:
            return f"not applicable: {proof}"
    return "pass"


def _board(index: int, reading: Reading[int], among: int) -> Board:
    bare = Reading("virtualization_mode", State.VALUE, "None", "None")
    address = f"0000:0{index}:00.0"
    smi: Any = SimpleNamespace(address=address, x=reading, virtualization_mode=bare)
    return Board(index, smi, None, 535, among)


def _wrong(_board: Board, value: int) -> str:
    return f"has {value}, expected 1" if value != 1 else ""


def test_only_what_is_wrong_is_named() -> None:
    assert judged([FINE, BAD, FINE]) == "fail: GPU 1 (0000:01:00.0) has 9, expected 1"


def test_a_bad_gpu_is_told_though_another_cannot_be_read() -> None:
    assert judged([ODD, BAD]).startswith("fail: GPU 1")


@pytest.mark.parametrize("reading", [SILENT, GONE, ODD])
def test_one_gpu_that_cannot_be_read_leaves_the_check_unknown(reading: Reading[int]) -> None:
    assert judged([FINE, reading]).startswith("unknown: GPU 1 (0000:01:00.0)")


def test_what_all_gpus_have_wrong_is_said_once() -> None:
    assert judged([BAD, BAD]) == "fail: all 2 GPUs: each has 9, expected 1"


def test_an_older_driver_excuses_what_it_does_not_report_and_no_error() -> None:
    assert judged([GONE], since=570).startswith("not applicable: GPU 0")
    assert judged([ODD], since=570).startswith("unknown")
    assert judged([GONE], since=470).startswith("unknown")


def test_a_gpu_may_be_excused_only_by_what_it_says_itself() -> None:
    assert judged([SILENT], lacks=judging.maybe).startswith("not applicable")
    assert judged([GONE], lacks=judging.maybe).startswith("unknown")
    assert judged([SILENT, FINE], lacks=judging.maybe) == "pass"


def test_a_model_that_the_catalog_does_not_have_is_excused_from_nothing() -> None:
    assert judged([SILENT], lacks=judging.by_model(lambda _: True)).startswith("unknown")
    assert judged([FINE], needs_model=True).startswith("unknown")


@given(st.lists(st.sampled_from([FINE, BAD, SILENT, GONE, ODD]), min_size=1, max_size=8))
def test_a_pass_means_that_every_gpu_was_read_and_fine(readings: list[Reading[int]]) -> None:
    said = judged(readings)
    assert (said == "pass") == all(each is FINE for each in readings)
    assert said.startswith("fail") == (BAD in readings)
