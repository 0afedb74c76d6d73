"""For every test: a worker of pytest-xdist keeps the standard library that it started with.

Loading pyinfra's command (pyinfra-testing does) patches it for gevent, and a worker's threads then
wait for ever. What needs the patch runs in processes of its own: tests/unit/converge/own_process.
"""

from __future__ import annotations

import os
from typing import Any

from gevent import monkey


def _leave_as_it_is(*_modules: Any, **_options: Any) -> None:
    """Stand in for gevent's patch."""


if "PYTEST_XDIST_WORKER" in os.environ:
    monkey.patch_all = _leave_as_it_is
