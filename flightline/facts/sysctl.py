"""Live sysctl values of chosen keys, with one process."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from pyinfra.api.facts import FactBase


def parse_sysctls(lines: Iterable[str]) -> dict[str, str]:
    """Return key to value, blanks made single; a line is `vm.swappiness = 1` (procps 4.0.2).

    A key that the kernel does not have is not in the result.
    """
    pairs = (line.partition(" =") for line in lines if " =" in line)
    return {key.strip().replace("/", "."): " ".join(value.split()) for key, _, value in pairs}


class SysctlValues(FactBase[dict[str, str]]):
    """The live values of `keys`; keys unknown to the kernel are left out."""

    def command(self, keys: list[str]) -> str:
        """Return one call of sysctl for all keys."""
        if not keys:
            return "true"
        return "PATH=$PATH:/usr/sbin:/sbin sysctl -e " + shlex.join(keys) + " 2> /dev/null || true"

    def process(self, output: list[str]) -> dict[str, str]:
        """Return the record."""
        return parse_sysctls(output)
