"""Every setting is documented where it is declared."""

from __future__ import annotations

from flightline.project import role_modules
from flightline.settings import Settings


def test_every_field_says_what_it_means() -> None:
    silent = []
    for role, module in role_modules("settings"):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Settings) and kind is not Settings:
                silent += [
                    f"{role}: {kind.__name__}.{name}"
                    for name, field in kind.model_fields.items()
                    if not (field.description or "").strip()
                ]
    assert not silent
