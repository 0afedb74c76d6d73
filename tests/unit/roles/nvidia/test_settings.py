"""What cannot work together is told where it is declared."""

from __future__ import annotations

from typing import Any

import pytest

from flightline.errors import SettingsError
from roles.nvidia.settings import NvidiaSettings

FILE = {"url": "https://mirror.example.org/NVIDIA.run", "sha256": "a" * 64}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": "runfile", "version": "580.105.08"}, "needs runfile"),
        ({"source": "runfile", "runfile": FILE}, "needs runfile .* and version"),
        ({"runfile": FILE}, 'set source="runfile"'),
        ({"module_options": {"NVreg_A": "1\noptions other x=1"}}, "has blanks or signs"),
        ({"module_options": {"NVreg A": 1}}, "has blanks or signs"),
        ({"version": "580"}, "version"),
        ({"power_limit_watts": 5}, "power_limit_watts"),
    ],
)
def test_a_wrong_declaration_is_told_in_one_sentence(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        NvidiaSettings(**values)


def test_the_defaults_can_work() -> None:
    assert NvidiaSettings().source == "nvidia"


def test_a_complete_installer_is_accepted() -> None:
    settings = NvidiaSettings(source="runfile", version="580.105.08", runfile=FILE)
    assert settings.runfile
    assert settings.runfile.sha256 == "a" * 64
