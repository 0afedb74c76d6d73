"""What cannot be met is refused where it is declared, with the fix."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.errors import SettingsError
from roles.cuda.settings import CudaSettings, line_of


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"versions": ("12",)}, "is not a CUDA version"),
        ({"versions": ("12.8", "12.8.1")}, "CUDA 12.8 is named twice"),
        ({"versions": ("12.8",), "default": "13.0"}, "default is 13.0, which is not among"),
        ({"default": "13.0"}, r"not among versions \(none\)"),
        ({"versions": ("11.8", "12.4"), "source": "distribution"}, "has one toolkit"),
        ({"versions": ("12.4",), "source": "distribution", "linker": True}, "set profile and"),
        ({"profile": True}, "need a toolkit"),
    ],
)
def test_what_cannot_be_met_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        CudaSettings(**fields)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, None),
        ({"versions": ("12.8", "13.0")}, "13.0"),
        ({"versions": ("12.10", "12.9.1")}, "12.10"),
        ({"versions": ("12.8.1", "13.0"), "default": "12.8.1"}, "12.8"),
        ({"versions": ("12.4",), "source": "distribution"}, None),
    ],
)
def test_the_default_is_the_declared_or_the_newest(fields: dict[str, Any], line: str) -> None:
    assert CudaSettings(**fields).default_line == line


def test_an_update_belongs_to_its_line() -> None:
    assert (line_of("12.8.1"), line_of("13.0")) == ("12.8", "13.0")
