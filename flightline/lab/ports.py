"""Ports of this computer that nobody uses."""

from __future__ import annotations

import socket


def free_tcp() -> int:
    """Return a TCP port of 127.0.0.1 that is free now; only the one who binds it makes sure."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port


def kept_or_free(port: int) -> int:
    """Return the TCP port of 127.0.0.1 if nobody listens on it, else another one that is free.

    0 stands for any.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as end:
        # As QEMU binds it: connections of before that are still closing do not count.
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            end.bind(("127.0.0.1", port))
        except OSError:
            return free_tcp()
        kept: int = end.getsockname()[1]
        return kept


def free_udp() -> int:
    """Return a UDP port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port
