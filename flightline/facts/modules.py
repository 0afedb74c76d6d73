"""Which of some kernel modules are there: loaded, or built into the running kernel."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase


class PresentModules(FactBase[list[str]]):
    """Of the names asked for, those loaded or built in; a dash and an underscore are the same.

    /proc/modules writes underscores, modules.builtin file names: hence both spellings.
    One real line: `ipmi_msghandler` (Linux 6.1, 2026-11-20).
    """

    def command(self, names: list[str]) -> str:
        """Return one script that prints the names that are there."""
        wanted = shlex.join(name.replace("-", "_") for name in names)
        return (
            'builtin=$(tr - _ < "/lib/modules/$(uname -r)/modules.builtin" 2> /dev/null); '
            f"for name in {wanted}; do "
            'if [ -d "/sys/module/$name" ]; then echo "$name"; else '
            'case $builtin in *"/$name.ko"*) echo "$name";; esac; fi; done'
        )

    def process(self, output: list[str]) -> list[str]:
        """Return the names."""
        return [line.strip() for line in output if line.strip()]
