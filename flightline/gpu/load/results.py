"""Reads what the acceptance's programs print; pure. A result that is not whole is an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ResultError(ValueError):
    """The output is not a whole result; the message is one sentence."""


Matrix = tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Rates:
    """What the PyTorch probe measured of one GPU."""

    name: str
    memory_gbps: float
    """GB/s read and written together."""
    bf16_tflops: float


@dataclass(frozen=True)
class Collective:
    """One line of nccl-tests at a fixed size."""

    size_bytes: int
    busbw_gbps: float
    """GB/s, the better of out-of-place and in-place."""
    wrong: int
    """Elements that came out wrong; 0 where this build does not count them ("N/A", "2e-07")."""


@dataclass(frozen=True)
class Burn:
    """What gpu_burn found of one GPU."""

    number: int
    is_ok: bool


@dataclass(frozen=True)
class LoadSample:
    """One GPU in the middle of a burn."""

    address: str
    power_w: float | None
    temperature_c: float | None
    clock_sm_mhz: float | None
    throttle_bits: int | None
    """Bit mask of clocks_event_reasons.active."""


@dataclass(frozen=True)
class Diagnosis:
    """One failed or passed test of `dcgmi diag`."""

    test: str
    status: str
    """Pass, Fail, Warn, Skip and NotRun, as printed."""
    detail: str


def copies(text: str) -> Mapping[str, Matrix]:
    """Return GB/s by test and cell from `nvbandwidth -j`; a cell without a path is None.

    Values are strings such as "55.63" or "N/A" (nvbandwidth json_output.cpp, read 2026-11-21).
    Raises ResultError for another shape, an error of its own and a test that did not pass.
    """
    top = _json(text).get("nvbandwidth")
    if not isinstance(top, dict) or not isinstance(top.get("testcases"), list):
        raise ResultError("nvbandwidth printed no list of testcases")
    if top.get("error"):
        raise ResultError(f"nvbandwidth says: {top['error']}")
    found = {}
    for case in top["testcases"]:
        if case.get("status") == "Waived":  # such as peer copies on one GPU
            continue
        if case.get("status") != "Passed":
            raise ResultError(f"nvbandwidth {case.get('name')}: {case.get('status')}")
        found[str(case["name"])] = tuple(
            tuple(_cell(value) for value in row or ()) for row in case.get("bandwidth_matrix") or ()
        )
    return found


def collective(text: str, size_bytes: int) -> Collective:
    """Return nccl-tests' line for that size; raises ResultError without one.

    Real line (nccl-tests, 8 x A100): `8589934592 2147483648 float sum 63896 134.44 235.26 N/A
    63959 134.30 235.03 N/A`; newer builds have a column `root` before the first time. The average
    over all sizes, which it also prints, is of no use.
    """
    for line in text.splitlines():
        words = line.split()
        if words[:1] == [str(size_bytes)] and len(words) >= 12:
            return _line(words[-8:], size_bytes)
    raise ResultError(f"nccl-tests printed no line for {size_bytes} bytes")


def rates(text: str) -> tuple[Rates, ...]:
    """Return what the PyTorch probe printed; raises ResultError for another shape."""
    try:
        return tuple(
            Rates(str(gpu["name"]), float(gpu["memory_gbps"]), float(gpu["bf16_tflops"]))
            for gpu in _json(text)["gpus"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ResultError(f"the PyTorch probe printed something else ({error!r})") from None


def burned(text: str) -> tuple[Burn, ...]:
    """Return gpu_burn's verdicts: lines such as `GPU 0: OK` and `GPU 1: FAULTY`.

    Raises ResultError when there are none: it was stopped, or never began.
    """
    lines = re.findall(r"^\s*GPU (\d+): (OK|FAULTY)\s*$", text, re.MULTILINE)
    if not lines:
        raise ResultError("gpu_burn printed no verdict")
    return tuple(Burn(int(number), verdict == "OK") for number, verdict in lines)


def samples(text: str) -> tuple[LoadSample, ...]:
    """Return the GPUs as they were under load.

    A line: `sample 00000000:18:00.0, 689.21, 64, 1755, 0x0000000000000004`.
    """
    lines = (line[7:].split(", ") for line in text.splitlines() if line.startswith("sample "))
    return tuple(
        LoadSample(
            address=words[0].lower().removeprefix("0000"),
            power_w=_number(words[1]),
            temperature_c=_number(words[2]),
            clock_sm_mhz=_number(words[3]),
            throttle_bits=int(words[4], 16) if words[4].startswith("0x") else None,
        )
        for words in lines
        if len(words) == 5
    )


def diagnoses(text: str) -> tuple[Diagnosis, ...]:
    """Return every result of `dcgmi diag -j`, of DCGM 3 ("DCGM GPU Diagnostic") and 4.

    Raises ResultError for another shape and when DCGM reports that it could not run.
    """
    top = _json(text)
    body = top.get("DCGM Diagnostic") or top.get("DCGM GPU Diagnostic")
    if not isinstance(body, dict) or body.get("runtime_error"):
        why = body.get("runtime_error") if isinstance(body, dict) else "no diagnostic in it"
        raise ResultError(f"dcgmi diag: {why}")
    return tuple(
        _diagnosis(str(test.get("name")), result)
        for category in body.get("test_categories") or ()
        for test in category.get("tests") or ()
        for result in test.get("results") or ()
    )


def _diagnosis(test: str, result: Mapping[str, Any]) -> Diagnosis:
    warnings = result.get("warnings") or ()
    if isinstance(warnings, str):  # DCGM 3
        warnings = (warnings,)
    said = [each.get("warning", "") if isinstance(each, dict) else str(each) for each in warnings]
    return Diagnosis(test, str(result.get("status")), "; ".join(filter(None, said)))


def _line(words: list[str], size_bytes: int) -> Collective:
    """From `time algbw busbw wrong` twice: out of place, in place."""
    try:
        busbw = max(float(words[2]), float(words[6]))
        wrong = sum(int(word) for word in (words[3], words[7]) if word.isdigit())
    except ValueError:
        raise ResultError("nccl-tests printed a line that cannot be read") from None
    return Collective(size_bytes, busbw, wrong)


def _json(text: str) -> dict[str, Any]:
    """The first JSON object in the text: programs print warnings before it."""
    at = text.find("{")
    try:
        found, _ = json.JSONDecoder().raw_decode(text[at:] if at >= 0 else "")
    except (ValueError, RecursionError):
        raise ResultError("the output holds no whole JSON") from None
    if not isinstance(found, dict):
        raise ResultError("the output's JSON is not an object")
    return found


def _cell(value: Any) -> float | None:
    number = _number(str(value))
    if number is None and str(value) != "N/A":
        raise ResultError(f"nvbandwidth printed {value!r} for a bandwidth")
    return number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
