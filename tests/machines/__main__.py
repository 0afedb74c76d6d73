"""`python -m tests.machines NAME [PATH=VALUE]`: print a machine's nvidia-smi report.

PATH=VALUE changes one value of the first GPU, such as remapped_rows/remapped_row_pending=Yes.
"""

from __future__ import annotations

import sys

from tests.machines import build, smi_xml


def main(name: str, *changes: str) -> str:
    """Return the report."""
    document = smi_xml.render(build(name))
    for change in changes:
        path, _, value = change.partition("=")
        document = smi_xml.with_value(document, 0, path, value)
    return document


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]))
