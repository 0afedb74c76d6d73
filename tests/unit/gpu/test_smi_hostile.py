"""Whatever the text is, it ends in a report or in one sentence, soon, and in little memory."""

from __future__ import annotations

import resource
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flightline.gpu.smi import SmiError, SmiReport, parse_smi
from flightline.gpu.smi_xml import MOST_CHARACTERS
from tests.machines.models import BUILDS
from tests.machines.smi_xml import render

SOUND = render(BUILDS["gb200_4"])
ROOM = MOST_CHARACTERS - 1000
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))


def wrapped(inside: str, declared: str = "") -> str:
    return f"<!DOCTYPE nvidia_smi_log{declared}><nvidia_smi_log>{inside}</nvidia_smi_log>"


HOSTILE = {
    "nothing": ("", "begins with nothing"),
    "text": ("NVIDIA-SMI has failed because it couldn't", 'begins "NVIDIA-SMI has failed'),
    "no GPU": ("No devices were found\n", "begins 'No devices were found'"),
    "another document": ("<?xml version='1.0'?><html/>", "has no <nvidia_smi_log>"),
    "another root": (
        "<?xml version='1.0'?><html><nvidia_smi_log></nvidia_smi_log>",
        "not well-formed|its root",
    ),
    "cut short": (SOUND[: len(SOUND) // 2], "is cut short"),
    "cut inside": (SOUND[:900] + SOUND[-400:], "not well-formed"),
    "two reports": (SOUND * 2, "more than one report"),
    "NUL": (SOUND[:900] + "\0" + SOUND[900:], "not well-formed"),
    "UTF-16": (SOUND.encode("utf-16").decode("latin-1"), "has no <nvidia_smi_log>"),
    "half a surrogate": (wrapped("<a>\ud800</a>"), "characters that are none"),
    "laughs": (wrapped("&a11;", f' [<!ENTITY a0 "ha">{LAUGHS}]'), "declares an XML entity"),
    "quadratic": (wrapped("&a;" * 9999, f' [<!ENTITY a "{"x" * 900}">]'), "an XML entity"),
    "a file": (wrapped("&a;", ' [<!ENTITY a SYSTEM "file:///etc/passwd">]'), "an XML entity"),
    "a parameter": (wrapped("", ' [<!ENTITY % a SYSTEM "http://[::1]/"> %a;]'), "an XML entity"),
    "unknown entity": (wrapped("&a;", ' SYSTEM "http://[::1]/a.dtd"'), "not well-formed"),
    "deep": (wrapped("<a>" * (ROOM // 7) + "</a>" * (ROOM // 7)), "nested more than"),
    "wide": (wrapped("<a/>" * (ROOM // 4)), "more than 200000 elements"),
    "many GPUs": (wrapped('<gpu id="00000000:01:00.0"/>' * 300), "more than 256 GPUs"),
    "attributes": (wrapped("<a " + " ".join(f'a{n}=""' for n in range(99999)) + "/>"), "a tag of"),
    "brackets": (wrapped("<" * ROOM), "not well-formed"),
    "open clocks": (wrapped("<supported_clocks>" * (ROOM // 18)), "nested more than"),
    "open names": (wrapped("<process_name>" * (ROOM // 14)), "nested more than"),
    "long": ("x" * (MOST_CHARACTERS + 1), "longer than 16 MiB"),
}


@pytest.mark.parametrize(("text", "why"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_in_one_sentence_and_soon(text: str, why: str) -> None:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SmiError, match=why) as refused:
        parse_smi(text)
    assert len(str(refused.value)) < 250
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began < 20
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 400 * 1024


def test_the_type_declaration_of_nvidia_smi_is_accepted_and_not_fetched() -> None:
    assert '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v13.dtd">' in SOUND
    assert len(parse_smi(SOUND).gpus) == 4


def test_a_million_characters_in_one_value_do_not_reach_the_report() -> None:
    document = SOUND.replace("NVIDIA GB200", "x" * 1_000_000, 1)
    assert len(parse_smi(document).gpus[0].product_name.raw) == 300


def read(text: str) -> None:
    try:
        assert isinstance(parse_smi(text), SmiReport)
    except SmiError as error:
        assert str(error)


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_any_text_gives_a_report_or_a_sentence(text: str) -> None:
    read(text)
    read(wrapped(text))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_damage_to_a_report_gives_a_report_or_a_sentence(data: st.DataObject) -> None:
    text = SOUND
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 400)))
        patch = data.draw(st.one_of(st.text(max_size=20), st.just(text[end : end + 200])))
        text = text[:start] + patch + text[end:]
    read(text)
