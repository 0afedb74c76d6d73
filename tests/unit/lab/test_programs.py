"""Missing programs are named by the packages that bring them."""

from __future__ import annotations

import pytest

from flightline.errors import FlightlineError
from flightline.lab import programs


def test_programs_that_are_there_need_nothing() -> None:
    programs.require({"sh": "dash", "/bin/sh": "dash"})


def test_each_missing_package_is_named_once_in_one_sentence() -> None:
    lacking = {"no-such-program-1": "package-b", "no-such-program-2": "package-b", "/no/file": "a"}
    with pytest.raises(
        FlightlineError, match=r"install them with `apt-get install a package-b`\.$"
    ):
        programs.require(lacking)


def test_administrators_programs_count_for_an_ordinary_user() -> None:
    assert not programs.missing_packages({"mkfs.ext4": "e2fsprogs"})
