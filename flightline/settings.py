"""Typed, frozen settings: a wrong value stops the run before the first connection.

Every role declares one subclass of `Settings` in its `settings.py`. The docstring under each field
is its documentation: meaning, unit, range, what `None` means, and the reason of its default.
"""

from __future__ import annotations

import datetime
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args

import pydantic
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from flightline.errors import SettingsError

T = TypeVar("T", bound="Settings")

SHOWN_CHARACTERS = 200
"""Of a wrong value, in a message."""


def plain_path(path: str) -> str:
    """Return the path; ValueError where it leads elsewhere than it reads, or takes two lines."""
    parts = sorted({".", ".."} & set(path.split("/")))
    if parts:
        raise ValueError(f"{path!r} has a part {parts[-1]!r}; write the path out")
    if not path.isprintable():
        raise ValueError(f"{path!r} has a character that cannot be printed; leave it out")
    return path


PlainPath = Annotated[str, AfterValidator(plain_path)]
"""A path on a node; a role adds which characters it can write where."""


class Settings(BaseModel):
    """Base of all settings: frozen, unknown fields refused, strict types, units in the names.

    Raises SettingsError, one sentence with file, field, value and remedy, when a value is wrong.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        arbitrary_types_allowed=False,
        allow_inf_nan=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _has_no_nul(cls, values: Any) -> Any:
        """No file's name and no program's argument can have one; Python raises for it late."""
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"{name} has a NUL character; leave it out")
        return values

    @model_validator(mode="before")
    @classmethod
    def _has_numbers_for_numbers(cls, values: Any) -> Any:
        """Pydantic takes True for 1: `port=True` would be a port."""
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, bool) and name in cls.model_fields:
                annotation = cls.model_fields[name].annotation
                kinds = {annotation, *get_args(annotation)}
                if kinds & {int, float} and bool not in kinds:
                    raise ValueError(f"{name} is {value}, expected a number")
        return values

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            raise SettingsError(_sentence(type(self), error)) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002 - pydantic's signature
        """Return these settings with some fields replaced, validated like new ones.

        pydantic's own copy does not validate, so a typing mistake in a group would pass silently.
        """
        kept = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**kept, **(update or {})})

    def warnings(self, today: datetime.date) -> tuple[str, ...]:  # noqa: ARG002 - overrides use it
        """Return what is allowed and unwise on that day, a sentence each; a role overrides it."""
        return ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data: what `pyinfra INVENTORY debug-inventory` prints."""
        return self.model_dump(mode="json")


def declared(data: Any, key: str, kind: type[T]) -> T:
    """Return the settings of one role from a host's data: the only door between the two.

    `data` is pyinfra's `host.data` or a mapping. A missing key gives the defaults of `kind`.
    Raises SettingsError when the value has another type, as with `--data kernel=oops`.
    """
    value = data.get(key) if hasattr(data, "get") else getattr(data, key, None)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise SettingsError(
            f"group_data: {key} is {value!r}, expected a {kind.__name__}; "
            f"write {key} = {kind.__name__}(...) in a file under group_data/."
        )
    return value


def _sentence(kind: type[Settings], error: pydantic.ValidationError) -> str:
    problems = "; ".join(_problem(kind, dict(item)) for item in error.errors(include_url=False))
    return f"{_where()}: {problems}"


def _problem(kind: type[Settings], item: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in item["loc"]) or kind.__name__
    if item["type"] == "extra_forbidden":
        return (
            f"{kind.__name__} has no field {field}; the fields are {', '.join(kind.model_fields)}."
        )
    if item["type"] == "value_error":
        whole = f".{field}" if item["loc"] else ""  # a rule over several fields names them itself
        return f"{kind.__name__}{whole}: {item['ctx']['error']}".rstrip(".") + "."
    if item["type"] == "missing":
        return f"{kind.__name__}.{field} is missing. {_meaning(kind, item)}".strip()
    said = item["msg"][:1].lower() + item["msg"][1:]  # and no pattern in lower case
    shown = _shown(field, item["input"])
    return f"{kind.__name__}.{field} is {shown}: {said}. {_meaning(kind, item)}".strip()


def _shown(field: str, value: Any) -> str:
    secret = not {"password", "secret", "token", "key"}.isdisjoint(re.split(r"[._]", field))
    shown = repr(value)
    if len(shown) > SHOWN_CHARACTERS:
        shown = f"{shown[:SHOWN_CHARACTERS]}…"
    return "(hidden)" if secret else shown


def _meaning(kind: type[Settings], item: dict[str, Any]) -> str:
    info = kind.model_fields.get(str(item["loc"][0])) if item["loc"] else None
    return " ".join((info.description or "").split()) if info else ""


def _where() -> str:
    """File and line that made the settings: the first frame outside pydantic and this module."""
    for frame in inspect.stack(context=0):
        path = Path(frame.filename)
        if path != Path(__file__) and "pydantic" not in path.parts and path.suffix == ".py":
            return f"{frame.filename}:{frame.lineno}"
    return "settings"
