"""A wrong value is one sentence with file, field, value and remedy, before any connection."""

from __future__ import annotations

import re

import pytest
from pydantic import Field

from flightline.errors import SettingsError
from flightline.settings import PlainPath, Settings, declared


class RackSettings(Settings):
    height_units: int = Field(default=42, ge=1, le=60)
    """Height in rack units (1 U = 44.45 mm)."""

    api_key: str = Field(default="", max_length=3)
    """A secret."""


class RoomSettings(Settings):
    name: str
    """What it is called."""

    keys: int = 0
    """How many there are."""

    power_kw: float | None = Field(default=None, ge=0)
    """Power in kW."""

    locked: bool = False
    """Whether its door is."""

    label: str = Field(default="A1", pattern="^[A-Z][0-9]$")
    """What is written on it."""

    plan: PlainPath | None = Field(default=None, pattern="^/")
    """Where it is drawn."""


def sentence(**values: object) -> str:
    with pytest.raises(SettingsError) as caught:
        RackSettings(**values)
    return caught.value.message


def refusal(**values: object) -> str:
    with pytest.raises(SettingsError) as caught:
        RoomSettings(**values)
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


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_number_is_finite(value: float) -> None:
    assert "RoomSettings.power_kw is" in refusal(name="a", power_kw=value)


@pytest.mark.parametrize("field", ["keys", "power_kw"])
def test_a_truth_value_is_no_number(field: str) -> None:
    assert f"RoomSettings: {field} is True, expected a number." in refusal(
        name="a", **{field: True}
    )
    assert RoomSettings(name="a", locked=True).locked


def test_a_pattern_is_shown_as_it_is() -> None:
    assert "pattern '^[A-Z][0-9]$'" in refusal(name="a", label="a1")


def test_a_long_value_is_cut() -> None:
    assert len(refusal(name="a", label="a" * 5000)) < 600


def test_a_missing_field_is_called_missing_and_shows_no_other() -> None:
    message = refusal(keys=77)
    assert "RoomSettings.name is missing. What it is called." in message
    assert "77" not in message


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "/srv/models/../x",
            "RoomSettings.plan: '/srv/models/../x' has a part '..'; write the path",
        ),
        ("/srv/./x", "has a part '.'"),
        ("/srv/..", "has a part '..'"),
        ("/srv/a\nb", r"'/srv/a\nb' has a character that cannot be printed"),
        ("/srv/a\0b", "RoomSettings: plan has a NUL character; leave it out."),
        ("srv", "RoomSettings.plan is 'srv'"),
    ],
)
def test_a_path_reads_as_it_leads(path: str, told: str) -> None:
    assert told in refusal(name="a", plan=path)
    assert "\n" not in refusal(name="a", plan=path)


@pytest.mark.parametrize("path", ["/srv/..models/x", "/srv/a.b/...", "/srv/größe"])
def test_dots_in_a_name_are_no_parts(path: str) -> None:
    assert RoomSettings(name="a", plan=path).plan == path


def test_no_text_has_a_nul() -> None:
    assert "RoomSettings: name has a NUL character; leave it out." in refusal(name="a\0b")
