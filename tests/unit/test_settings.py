"""A wrong value is one sentence with file, field, value and remedy, before any connection."""

from __future__ import annotations

import re

import pytest
from pydantic import Field

from flightline.errors import SettingsError
from flightline.settings import Settings, declared


class RackSettings(Settings):
    height_units: int = Field(default=42, ge=1, le=60)
    """Height in rack units (1 U = 44.45 mm)."""

    api_key: str = Field(default="", max_length=3)
    """A secret."""


def sentence(**values: object) -> str:
    with pytest.raises(SettingsError) as caught:
        RackSettings(**values)
    return caught.value.message


def test_a_wrong_value_names_file_field_value_and_meaning() -> None:
    message = sentence(height_units=99)
    assert re.match(rf"{re.escape(__file__)}:\d+: RackSettings.height_units is 99: ", message)
    assert "Height in rack units" in message
    assert "\n" not in message


def test_an_unknown_field_lists_the_known_ones() -> None:
    assert "has no field height; the fields are height_units, api_key" in sentence(height=2)


def test_a_secret_value_is_never_shown() -> None:
    assert "hunter2" not in sentence(api_key="hunter2")


def test_settings_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        RackSettings().height_units = 3  # type: ignore[misc]


def test_a_copy_is_validated_like_new_settings() -> None:
    assert RackSettings(api_key="abc").model_copy(update={"height_units": 3}) == RackSettings(
        api_key="abc", height_units=3
    )
    with pytest.raises(SettingsError, match="no field heigth_units"):
        RackSettings().model_copy(update={"heigth_units": 3})


def test_the_door_checks_the_type() -> None:
    assert declared({"rack": RackSettings(height_units=2)}, "rack", RackSettings).height_units == 2
    assert declared({}, "rack", RackSettings) == RackSettings()
    with pytest.raises(SettingsError, match="rack is 'oops', expected a RackSettings"):
        declared({"rack": "oops"}, "rack", RackSettings)


def test_settings_print_as_plain_data() -> None:
    assert RackSettings(height_units=2).to_json() == {"height_units": 2, "api_key": ""}
