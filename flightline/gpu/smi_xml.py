"""Takes the XML out of what nvidia-smi printed; nothing in it may cost more than reading it."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from flightline.gpu.smi_records import SmiError

MOST_CHARACTERS = 16 * 1024 * 1024
"""8 GPUs take 0.4 MiB (B200, driver 580, 2026-08-21); 16 with MIG stay below 2 MiB."""

_DEEPEST = 32  # real ones nest 7 levels, 9 with MIG
_MOST_ELEMENTS = 200_000  # 8 B200 have 8,000
_MOST_GPUS = 256  # a node has 16 at most
_LONGEST_TAG = 1024  # the longest real tag has 52 characters

_START = re.compile(r"<\?xml|<!DOCTYPE|<nvidia_smi_log")
_END = "</nvidia_smi_log>"
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)")
_LONG_TAG = re.compile(rf"<[^<>]{{{_LONGEST_TAG}}}")

# Seen in reports of others: "Unable to determine the device handle for GPU0000:4E:00.0: Unknown
# Error", "GPU is lost.  Reboot the system to recover this GPU", "WARNING: infoROM is corrupted at
# gpu 0000:3B:00.0".
_LOST = re.compile(
    r"unable to determine|\blost\b|corrupted|fallen off|unknown error|reboot|requires? reset",
    re.IGNORECASE,
)
_MOST_LOST, _LONGEST_LINE = 64, 300  # more says no more


def root(text: str) -> Element:
    """Return the element `nvidia_smi_log`. Raises SmiError when there is not exactly one."""
    if len(text) > MOST_CHARACTERS:
        raise SmiError(f"it is longer than {MOST_CHARACTERS // 1024**2} MiB, no report is")
    start, end = _START.search(text), text.rfind(_END)
    if start is None or "<nvidia_smi_log" not in text:
        raise SmiError(f"it has no <nvidia_smi_log>, it begins {_beginning(text)}")
    if end < start.start():
        raise SmiError(f"it is cut short: {_END} is missing")
    if text.count("<nvidia_smi_log") > 1:
        raise SmiError("it holds more than one report; keep one of them")
    xml = text[start.start() : end + len(_END)]
    # most of the text, and some drivers leave out a tag there
    xml = _rewritten(xml, "supported_clocks", lambda _: "")
    return _parsed(_rewritten(xml, "process_name", _escaped))


def lost_lines(text: str) -> tuple[str, ...]:
    """Return the lines that are no XML and name a GPU which is in trouble."""
    found = (
        printable(line[:_LONGEST_LINE])
        for line in text.splitlines()
        if not line.lstrip().startswith("<") and "gpu" in line.lower() and _LOST.search(line)
    )
    return tuple(dict.fromkeys(found))[:_MOST_LOST]


def printable(text: str) -> str:
    """Return it on one line, with nothing that a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _rewritten(xml: str, tag: str, change: Callable[[str], str]) -> str:
    """Return the text with what is between each pair of tags changed; linear in its length."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    parts, position = list[str](), 0
    while (start := xml.find(opening, position)) >= 0:
        start += len(opening)
        end = xml.find(closing, start)
        if end < 0:
            break
        parts += [xml[position:start], change(xml[start:end])]
        position = end
    return "".join([*parts, xml[position:]])


def _escaped(name: str) -> str:
    """nvidia-smi prints a process's name as it is (leptonai/gpud #181, cwltool #1910)."""
    return _BARE.sub("&amp;", printable(name)).replace("<", "&lt;")


def _parsed(xml: str) -> Element:
    if _LONG_TAG.search(xml):
        raise SmiError(f"it has a tag of more than {_LONGEST_TAG} characters, no report has")
    parser = DefusedXMLParser(target=_Bounded())
    try:
        parser.feed(xml)
        made: Element = parser.close()
    except DefusedXmlException:
        raise SmiError("it declares an XML entity, no report does") from None
    except ParseError as error:
        raise SmiError(f"it is not well-formed XML ({error})") from None
    except UnicodeEncodeError:
        raise SmiError("it has characters that are none") from None
    if len(made.findall("gpu")) > _MOST_GPUS:
        raise SmiError(f"it lists more than {_MOST_GPUS} GPUs, no node has so many")
    if made.tag != "nvidia_smi_log":
        raise SmiError(f"its root is {made.tag[:40]!r}, expected <nvidia_smi_log>")
    return made


def _beginning(text: str) -> str:
    first = next((line for line in text[:4096].splitlines() if line.strip()), "")
    return repr(first.strip()[:120]) if first else "with nothing"


class _Bounded:
    """Builds the tree, and gives up on one that no nvidia-smi has printed."""

    def __init__(self) -> None:
        self._tree = TreeBuilder()
        self._depth = self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST:
            raise SmiError(f"it is nested more than {_DEEPEST} levels deep, no report is")
        if self._elements > _MOST_ELEMENTS:
            raise SmiError(f"it has more than {_MOST_ELEMENTS} elements, no report has")
        self._tree.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(tag)

    def data(self, text: str) -> None:
        self._tree.data(text)

    def close(self) -> Element:
        return self._tree.close()
